// The limit of the in-memory store: how much fits, and that it is all given back.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { MemoryStore } from "../../lib/store/memory.ts";
import { Full, sizeOf, type Store, type Task, TooLarge } from "../../lib/store/store.ts";
import { add, addUser, all, HASH, task } from "../tools/stores.ts";
import { ON_NODE } from "../tools/start.ts";

const ROOM = 100_000; // as sizeOf counts
const description = "x".repeat(1000);

/** A store with little room, and the users a and b. */
async function small() {
  const store = new MemoryStore(ROOM);
  return { store, a: await addUser(store, "a"), b: await addUser(store, "b") };
}

/** Adds tasks until there is no room left. */
async function fill(store: Store, owner: string): Promise<Task[]> {
  const tasks: Task[] = [];
  const error = await (async () => {
    for (;;) tasks.push(await add(store, owner, { description }));
  })().catch((error: unknown) => error);
  assert.ok(error instanceof Full && !(error instanceof TooLarge), `${error}`);
  return tasks;
}

test("all accounts together may take as much as there is", async () => {
  const { store, a, b } = await small();
  const tasks = await fill(store, a.id);
  assert.ok(tasks.length > 60 && tasks.length < 80, `${tasks.length} tasks`);
  const full = /^Error: the memory of the server is full: /;
  await assert.rejects(add(store, b.id, { description }), full);
  await assert.rejects(
    addUser(store, "c").then(() => addUser(store, "d")).then(() => addUser(store, "e")),
    full,
  );
});

test("a full store reads, changes and deletes, and gives no number to what it refuses", async () => {
  const { store, a } = await small();
  const tasks = await fill(store, a.id);
  const { revision } = await store.list(a.id);
  await assert.rejects(add(store, a.id, { description }), Full);
  const [first = assert.fail(), ...rest] = tasks;
  const longer = { description: description.repeat(3) };
  await assert.rejects(store.update(a.id, first, longer), Full);
  assert.deepEqual(await all(store, a.id), tasks);
  assert.equal((await store.list(a.id)).revision, revision);
  const done = await store.update(a.id, first, { done: true }) ?? assert.fail();
  assert.equal(done.revision, revision + 1);
  assert.equal(await store.remove(a.id, done), true);
  assert.equal((await add(store, a.id, { description })).id, tasks.length + 1);
  assert.equal((await all(store, a.id)).length, rest.length + 1);
});

test("a user who was refused does not exist, and the name is free", async () => {
  const { store, a } = await small();
  const tasks = await fill(store, a.id);
  const refused = [];
  for (let i = 0; i < 3; i++) {
    await store.addUser(`c${i}`, HASH).catch((error) => refused.push(error));
  }
  assert.ok(refused.length > 0);
  assert.equal(await store.user("c2"), undefined);
  for (const task of tasks.slice(0, 3)) await store.remove(a.id, task);
  await addUser(store, "c2");
});

test("endless registrations fill the store, and are refused then", async () => {
  const { store } = await small();
  const register = async () => {
    for (let i = 0; i < ROOM; i++) await addUser(store, `c${i}`);
  };
  await assert.rejects(register, Full);
});

test("what was taken is given back", async () => {
  const { store, a, b } = await small();
  const capacity = (await fill(store, a.id)).length;
  const rows: [name: string, giveBack: (tasks: readonly Task[]) => Promise<unknown>][] = [
    ["deleted", (tasks) => Promise.all(tasks.map((task) => store.remove(a.id, task)))],
    ["shorter, then deleted", async (tasks) => {
      for (const task of tasks) {
        const shorter = await store.update(a.id, task, { description: "" }) ?? assert.fail();
        await store.remove(a.id, shorter);
      }
    }],
    ["refused and stale, then deleted", async (tasks) => {
      for (const task of tasks) {
        const longer = { description: description.repeat(100) };
        await assert.rejects(store.update(a.id, task, longer), Full);
        await store.update(a.id, { ...task, revision: 0 }, { description: "" });
        await store.remove(b.id, task);
        await store.remove(a.id, task);
        await store.remove(a.id, task);
      }
    }],
    ["longer and shorter, then deleted", async ([first = assert.fail(), ...rest]) => {
      for (const task of rest) await store.remove(a.id, task);
      let one = first;
      for (let i = 0; i < 100; i++) {
        const changes = { description: description.repeat(i % 2 * 30) };
        one = await store.update(a.id, one, changes) ?? assert.fail();
      }
      await store.remove(a.id, one);
    }],
  ];
  for (const [name, giveBack] of rows) {
    await giveBack(await all(store, a.id));
    assert.deepEqual(await all(store, a.id), []);
    assert.equal((await fill(store, a.id)).length, capacity, name);
  }
});

test("shorter texts make room at once", async () => {
  const { store, a } = await small();
  const [first = assert.fail()] = await fill(store, a.id);
  await store.update(a.id, first, { description: "" });
  await add(store, a.id, { description: "x".repeat(800) });
});

test("a deleted account leaves nothing behind", async () => {
  const { store, a, b } = await small();
  const capacity = (await fill(store, a.id)).length;
  let user = a;
  for (let i = 0; i < 3; i++) {
    assert.equal(await store.removeUser(user), true);
    assert.equal(await store.removeUser(user), false);
    user = await addUser(store, "a");
    assert.equal((await fill(store, user.id)).length, capacity);
  }
  await store.removeUser(user);
  await addUser(store, "a");
  for (let i = 0; i < 1000; i++) await store.removeUser(await addUser(store, "c"));
  assert.equal((await fill(store, b.id)).length, capacity);
});

test("a task counts for its characters, whatever fields it has", () => {
  assert.equal(sizeOf(task({ title: "é😀", description: "\0" })), 400 + 3 + 1);
  const more = { ...task(), notes: "a field that is added later" };
  assert.equal(sizeOf(more), sizeOf(task()) + more.notes.length);
});

/** Fills a store with texts of a kind until it is full, and prints how many tasks there are. */
const FILL = `
  import { openStore } from "./lib/store/open.ts";
  const store = await openStore();
  let tasks = 0;
  try {
    for (let user = 0;; user++) {
      const { id } = await store.addUser(String(user), { password: "", email: "" });
      for (let i = 0; i < 100; i++, tasks++) {
        // Each text is a string of its own, as when JSON is parsed.
        const text = JSON.parse(JSON.stringify(process.env.TEXT.repeat(process.env.TIMES)));
        await store.add(id, { title: text, done: false, description: "" });
      }
    }
  } catch (error) {
    console.log(error.message, tasks);
  }
`;

const TEXTS = [["x", 1], ["é", 50], ["€", 400], ["😀", 16_000]] as const;
for (
  const [megabytes, texts] of [[64, TEXTS], [128, TEXTS.slice(0, 1)], [
    256,
    TEXTS.slice(3),
  ]] as const
) {
  for (const [text, times] of texts) {
    const name = `a heap of ${megabytes} MB survives a full store of ${times} times ${text}`;
    test(name, { skip: !ON_NODE && "it is about the heap of Node" }, () => {
      const heap = `--max-old-space-size=${megabytes}`;
      const node = [...process.execArgv.filter((arg) => !/^--(test|watch)/.test(arg)), heap];
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [...node, "--input-type=module", "--eval", FILL],
        { env: { ...process.env, TEXT: text, TIMES: `${times}` }, encoding: "utf8" },
      );
      assert.match(stdout, /^the memory of the server is full: .* [1-9]\d+\n$/, stderr);
    });
  }
}
