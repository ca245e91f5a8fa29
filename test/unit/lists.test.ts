// What a query finds; and lists take turns: none waits for a short one, and after a long one others
// go first.

import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { MemoryStore } from "../../lib/store/memory.ts";
import { Unavailable } from "../../lib/store/store.ts";
import { Lists, type Order, type Query } from "../../lib/todo/lists.ts";
import { add, addUser, idsOf } from "../tools/stores.ts";

const QUERY: Query = { filter: {}, order: "id", offset: 0, limit: 1 };
const CLIENT = { address: "", until: Infinity, gone: false };

/** A store whose lists take so many milliseconds of a clock, and then wait until `go`. */
function fixture(t: TestContext, busy: number) {
  let now = 1;
  t.mock.method(performance, "now", () => now);
  const store = new MemoryStore();
  const read: string[] = [];
  let go = () => {};
  const waiting: Promise<void> = busy > 0 ? Promise.resolve() : new Promise((now) => go = now);
  store.list = async (owner) => {
    read.push(owner);
    now += busy;
    await waiting;
    return { tasks: [], total: 0, revision: 0 };
  };
  return { lists: new Lists(store), read, go };
}

test("an owner's lists are read one after the other, and others' meanwhile", async (t) => {
  const { lists, read, go } = fixture(t, 0);
  const all = ["a", "a", "b", "a"].map((owner) => lists.read(owner, QUERY, CLIENT));
  await setImmediate();
  assert.deepEqual(read, ["a", "b"]);
  go();
  await Promise.all(all);
  assert.deepEqual(read, ["a", "b", "a", "a"]);
});

test("after a long list other work goes on, and another owner's list comes next", async (t) => {
  const { lists, read } = fixture(t, 5);
  const all = ["a", "a", "a", "b"].map((owner) => lists.read(owner, QUERY, CLIENT));
  for (let turns = 0; read.length < 4; turns++) {
    await setImmediate(); // a turn of the event loop: one more list at most, and the first one
    assert.ok(read.length <= turns + 2, `${read} after ${turns} turns`);
  }
  assert.ok(read.indexOf("b") <= 2, `${read}`);
  await Promise.all(all);
});

test("a list whose client has gone, or waited too long, is not read", async (t) => {
  const { lists, read, go } = fixture(t, 0);
  const first = lists.read("a", QUERY, CLIENT);
  const dropped = [{ ...CLIENT, gone: true }, { ...CLIENT, until: 0 }].map((client) =>
    assert.rejects(lists.read("a", QUERY, client), Unavailable)
  );
  const last = lists.read("a", QUERY, CLIENT);
  go();
  await Promise.all([first, ...dropped, last]);
  assert.deepEqual(read, ["a", "a"]);
});

/** Tasks with these titles, and a function that asks for a part of them. */
async function listOf(titles: readonly string[]) {
  const store = new MemoryStore();
  const { id } = await addUser(store, "a");
  for (const [i, title] of titles.entries()) await add(store, id, { title, done: i % 2 === 0 });
  const lists = new Lists(store);
  const ask = (query: Partial<Query> = {}) =>
    lists.read(id, { ...QUERY, limit: Infinity, ...query }, CLIENT);
  return { ask, store, id };
}

test("a page is the next `limit` tasks that pass, after `offset`", async () => {
  const { ask } = await listOf(["x", "y", "y", "x", "y", "y", "x", "y", "y"]);
  const filters = [{}, { done: "true" }, { title_prefix: "y" }, { title_prefix: "no" }];
  for (const filter of [...filters, { q: "Y", done: "false" }]) {
    const { tasks: passing, total, revision } = await ask({ filter });
    assert.equal(total, passing.length);
    for (const order of ["id", "-id"] as const) {
      const all = order === "id" ? passing : passing.toReversed();
      for (const offset of [0, 1, 2, 4, 8, 9, 10, 1e17]) {
        for (const limit of [1, 2, 5, 9, 10, 100, Infinity]) {
          const part = await ask({ filter, order, offset, limit });
          const name = `${JSON.stringify(filter)} ${order}: ${limit} after ${offset}`;
          const tasks = all.slice(offset, offset + limit);
          assert.deepEqual(part, { tasks, total, revision }, name);
        }
      }
    }
  }
});

test("a list comes in the order asked for", async () => {
  const titles = ["b", "a", "B", "", "é", "a", "😀", "\uffff", "a\0"];
  const { ask } = await listOf(titles);
  const rows: [order: Order, titles: string[]][] = [
    ["id", titles],
    ["-id", titles.toReversed()],
    ["title", titles.toSorted()], // by UTF-16 code units
    ["-title", titles.toSorted().toReversed()],
  ];
  for (const [order, expected] of rows) {
    const { tasks } = await ask({ order });
    assert.deepEqual(tasks.map(({ title }) => title), expected, order);
    const ids = idsOf(tasks.filter(({ title }) => title === "a"));
    assert.deepEqual(ids, order === "title" || order === "id" ? [2, 6] : [6, 2]);
    const found = await ask({ order, filter: { q: "A" } });
    assert.deepEqual(found.tasks, tasks.filter(({ title }) => title.startsWith("a")));
  }
});

test("a search in a long text lets others go on, and sees one moment", async () => {
  const { ask, store, id } = await listOf(Array.from({ length: 150 }, () => "한".repeat(21_000)));
  const found = ask({ filter: { q: "한" } });
  let turns = 0;
  const isOver = found.then(() => true);
  while (!await Promise.race([isOver, setImmediate(false)])) {
    if (turns++ < 10) await store.remove(id, await store.get(id, 100 + turns) ?? assert.fail());
  }
  assert.ok(turns > 20, `${turns}`);
  assert.equal((await found).total, 150);
  assert.equal((await ask()).total, 140);
});
