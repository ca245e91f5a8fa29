// Lists take turns: none waits for a short one, and after a long one others go first.

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { MemoryStore } from "../../lib/store/memory.ts";
import type { Query } from "../../lib/store/select.ts";
import { Unavailable } from "../../lib/store/store.ts";
import { Lists } from "../../lib/todo/lists.ts";

const QUERY: Query = { filter: {}, order: "id", offset: 0, limit: 1 };
const CLIENT = { address: "", until: Infinity, gone: false };

/** A store whose lists keep the processor busy for so long, and then wait until `go`. */
function fixture(busy: number) {
  const store = new MemoryStore();
  const read: string[] = [];
  let go = () => {};
  const waiting: Promise<void> = busy > 0 ? Promise.resolve() : new Promise((now) => go = now);
  store.list = async (owner) => {
    read.push(owner);
    const before = process.cpuUsage().user;
    while (process.cpuUsage().user - before < busy * 1000);
    await waiting;
    return { tasks: [], total: 0, revision: 0 };
  };
  return { lists: new Lists(store), read, go };
}

test("an owner's lists are read one after the other, and others' meanwhile", async () => {
  const { lists, read, go } = fixture(0);
  const all = ["a", "a", "b", "a"].map((owner) => lists.read(owner, QUERY, CLIENT));
  await setImmediate();
  assert.deepEqual(read, ["a", "b"]);
  go();
  await Promise.all(all);
  assert.deepEqual(read, ["a", "b", "a", "a"]);
});

test("after a long list other work goes on, and another owner's list comes next", async () => {
  const { lists, read } = fixture(5);
  const all = ["a", "a", "a", "b"].map((owner) => lists.read(owner, QUERY, CLIENT));
  for (let turns = 0; read.length < 4; turns++) {
    const before = read.length;
    await setImmediate();
    assert.ok(read.length <= before + 1, `${read} after ${turns} turns`);
  }
  assert.ok(read.indexOf("b") <= 2, `${read}`);
  await Promise.all(all);
});

test("a list whose client has gone, or waited too long, is not read", async () => {
  const { lists, read, go } = fixture(0);
  const first = lists.read("a", QUERY, CLIENT);
  const dropped = [{ ...CLIENT, gone: true }, { ...CLIENT, until: 0 }].map((client) =>
    assert.rejects(lists.read("a", QUERY, client), Unavailable)
  );
  const last = lists.read("a", QUERY, CLIENT);
  go();
  await Promise.all([first, ...dropped, last]);
  assert.deepEqual(read, ["a", "a"]);
});
