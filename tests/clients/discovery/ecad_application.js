// ecad, which finds the nodes and does nothing else.
'use strict';

const Ecad = require('ecad');
const { endpoint, run } = require('./application.js');

const discovery = new Ecad({ endpoints: [endpoint] });

run({
  nodes: () =>
    new Promise((resolve, reject) => {
      discovery.fetch((error, found) => (error ? reject(error) : resolve(found)));
    }),
});
