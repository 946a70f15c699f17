// A conversation in the binary protocol through memjs, with the daemon on the port that is the
// first argument; `user=`, `password=` and `refused` may follow, as `settings.py` has them.

const assert = require("assert");
const memjs = require("memjs");

const words = new Map(process.argv.slice(3).map((word) => word.split("=")));

// What the library has to say about a connection that fails.
const said = [];
const logger = { log: (line) => said.push(String(line)) };

const client = memjs.Client.create(`127.0.0.1:${process.argv[2]}`, {
  username: words.get("user"),
  password: words.get("password"),
  timeout: 20,
  retries: 1,
  logger,
});

async function one() {
  assert.strictEqual((await client.get("none")).value, null);
  assert.ok(await client.set("k", "text", { expires: 100 }));
  assert.strictEqual(String((await client.get("k")).value), "text");
  assert.ok(!(await client.add("k", "other", {})));
  assert.ok(await client.replace("k", "new", {}));
  assert.ok(!(await client.replace("none", "new", {})));
  // This version's `prepend` sends an append.
  assert.ok(await client.append("k", "!"));
  assert.ok(await client.touch("k", 100));
  assert.strictEqual(String((await client.get("k")).value), "new!");
  assert.ok(await client.delete("k"));
  assert.ok(!(await client.delete("k")));
}

async function numbers() {
  assert.strictEqual((await client.increment("n", 5, { initial: 40 })).value, 40);
  assert.strictEqual((await client.increment("n", 2, {})).value, 42);
  assert.strictEqual((await client.decrement("n", 100, {})).value, 0);
}

async function many() {
  const keys = Array.from({ length: 300 }, (_, index) => `many:${index}`);
  await Promise.all(keys.map((key) => client.set(key, key, {})));
  const found = await Promise.all(keys.map((key) => client.get(key)));
  assert.deepStrictEqual(found.map((item) => String(item.value)), keys);
}

async function large() {
  const value = Buffer.alloc(1000000, "v");
  assert.ok(await client.set("large", value, {}));
  assert.ok(value.equals((await client.get("large")).value));
  await assert.rejects(client.set("large", Buffer.alloc(2000000), {}), /too large/i);
}

async function main() {
  if (words.has("refused")) {
    // The library says nothing of a connection that is closed: node finds nothing left to do.
    const outcome = { text: "refused" };
    process.on("exit", () => console.log(outcome.text));
    await client.set("k", "v", {}).then(
      () => { outcome.text = "let in"; },
      (refusal) => { outcome.text = `refused: ${refusal}`; },
    );
  } else {
    await client.flush();
    for (const conversation of [one, numbers, many, large]) {
      await conversation();
    }
    console.log("all said");
  }
  client.close();
}

main().catch((error) => {
  console.error(error, said.join("\n"));
  process.exit(1);
});
