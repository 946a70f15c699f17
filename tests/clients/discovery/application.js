// An application that finds the nodes of a cluster, told what to do by lines on its input; see
// application.py for the lines.
'use strict';

const readline = require('readline');

const PATIENCE_MS = 20000;
const key = (number) => `key:${number}`;
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

async function settle(count, nodes) {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = (await nodes()).sort();
    if (seen.length === count || Date.now() > until) {
      return seen.join(',');
    }
    await pause();
  }
}

async function obey(line, { nodes, store, find }) {
  const [command, word] = line.split(' ');
  const count = Number(word);
  if (command === 'nodes') {
    return settle(count, nodes);
  }
  let found = 0;
  for (let number = 0; number < count; number += 1) {
    if (command === 'store') {
      await store(key(number), `value ${number}`);
    } else if ((await find(key(number))) === `value ${number}`) {
      found += 1;
    }
  }
  return command === 'store' ? 'stored' : String(found);
}

exports.endpoint = process.argv[2];

exports.run = async (client) => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(await obey(line, client));
  }
  process.exit(0);
};
