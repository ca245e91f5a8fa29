// The limit of the in-memory store: how much fits, how much one account may take, and that it is
// all given back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { MemoryStore } from "../../lib/store/memory.ts";
import { Room, sizeOf } from "../../lib/store/room.ts";
import { Full, type Store, type Task, TooLarge } from "../../lib/store/store.ts";
import { add, addMany, addUser, all, HASH, task } from "../tools/stores.ts";

const ROOM = 100_000; // bytes
const description = "x".repeat(1000);

/** A store with little room, and the users a and b. */
async function small(share = 1) {
  const store = new MemoryStore(share, new Room(share, ROOM));
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

test("one account may take its share, and the others still have room", async () => {
  const { store, a, b } = await small(0.5);
  const mine = await fill(store, a.id);
  await assert.rejects(add(store, a.id, { description }), /^Error: your list is full: delete /);
  const theirs = await fill(store, b.id);
  for (const tasks of [mine, theirs]) {
    const bytes = tasks.reduce((sum, task) => sum + sizeOf(task), 0);
    assert.ok(bytes > 0.4 * ROOM && bytes <= 0.5 * ROOM, `${bytes} bytes`);
  }
});

test("all accounts together may take as much as there is", async () => {
  const { store, a, b } = await small();
  const tasks = await fill(store, a.id);
  assert.ok(tasks.length > 70 && tasks.length < 100, `${tasks.length} tasks`);
  const full = /^Error: the memory of the server is full: /;
  await assert.rejects(add(store, b.id, { description }), full);
  await assert.rejects(addUser(store, "c").then(() => addUser(store, "d")), full);
});

test("a full store reads, changes and deletes, and gives no number to what it refuses", async () => {
  const { store, a } = await small();
  const tasks = await fill(store, a.id);
  const { revision } = await store.list(a.id, {}, 0, 1);
  await assert.rejects(add(store, a.id, { description }), Full);
  const [first = assert.fail(), ...rest] = tasks;
  const longer = { description: description.repeat(3) };
  await assert.rejects(store.update(a.id, first, longer), Full);
  assert.deepEqual(await all(store, a.id), tasks);
  assert.equal((await store.list(a.id, {}, 0, 1)).revision, revision);
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
  const { store, a, b } = await small(0.5);
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
        const longer = { description: description.repeat(60) };
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

test("a task counts for about as much as it takes", () => {
  const bytes = (text: string) => sizeOf(task({ title: text, description: text }));
  const empty = bytes("");
  assert.ok(empty >= 100 && empty < 300, `${empty}`);
  for (const [text, each] of [["x", 1], ["\0", 1], ["€", 2], ["😀", 4], ["\ud800", 2]] as const) {
    assert.equal(bytes(text.repeat(1000)), empty + 2000 * each, text);
  }
});

test("half of the heap is room", async () => {
  const { getHeapStatistics } = await import("node:v8");
  const half = getHeapStatistics().heap_size_limit / 2;
  const room = new Room(0.5);
  const takes = (owner: string, bytes: number) => () => room.take(owner, bytes);
  assert.throws(takes("a", half / 2 + 1), Full);
  for (const owner of ["a", "b"]) room.take(owner, half / 2 - 1);
  assert.throws(takes("c", 3), Full);
  for (const owner of ["a", "a", "nobody"]) room.leave(owner);
  assert.throws(takes("c", half / 2 + 2), Full);
  room.take("c", half / 2);
});

test("a search of long texts lets other requests run", async () => {
  const store = new MemoryStore();
  const { id } = await addUser(store, "a");
  await addMany(store, 100, () => [id, { description: "x".repeat(64 * 1024) }]);
  let turns = 0;
  let found: number | undefined;
  const searching = store.list(id, { q: "zebra" }, 0, 1).then(({ total }) => found = total);
  for (; found === undefined; turns++) await setImmediate();
  assert.equal(await searching, 0);
  assert.ok(turns >= 20, `${turns} turns`); // for 6.5 million characters
});
