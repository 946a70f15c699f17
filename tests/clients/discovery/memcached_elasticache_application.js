// memcached-elasticache, which asks again at an interval by itself.
'use strict';

const Memcached = require('memcached-elasticache');
const { endpoint, run } = require('./application.js');

const client = new Memcached(endpoint, { autoDiscover: true, autoDiscoverInterval: 100 });
let nodes = [];
client.on('autoDiscover', (found) => {
  nodes = found;
});

const call = (begin) =>
  new Promise((resolve, reject) => {
    begin((error, value) => (error ? reject(error) : resolve(value)));
  });

run({
  nodes: async () => nodes,
  store: (key, value) => call((done) => client.set(key, value, 0, done)),
  find: (key) => call((done) => client.get(key, done)),
});
