// How a change is made: one after the other on this server, and again if another was quicker.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { change, Turns } from "../../lib/store/change.ts";
import { Unavailable } from "../../lib/store/store.ts";
import { readAndChange } from "../tools/stores.ts";

/** A store of a number, which is written only if it is as it was read. */
function fixture() {
  const counts = { reads: 0, writes: 0 };
  let current = { value: 0 };
  return {
    turns: new Turns(),
    counts,
    value: () => current.value,
    async read() {
      counts.reads++;
      await setImmediate();
      return current;
    },
    async write(read: { value: number }) {
      counts.writes++;
      await setImmediate();
      if (read !== current) return undefined;
      return current = { value: read.value + 1 };
    },
    /** A write by another server. */
    overtake: () => current = { value: current.value + 100 },
  };
}

const STALE = { value: -1 };
const no = () => Promise.resolve(undefined);

test("changes of the same key follow one another, in the order in which they came", async () => {
  const store = fixture();
  const order: number[] = [];
  await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    await readAndChange(store, "task 1", store.read, store.write);
    order.push(i);
  }));
  assert.equal(store.value(), 20);
  assert.deepEqual(store.counts, { reads: 39, writes: 39 }); // one again for each but the first
  assert.deepEqual(order, order.toSorted((x, y) => x - y));
});

test("who comes while others wait for a turn waits, too, and writes nothing before", async () => {
  const store = fixture();
  const written: string[] = [];
  const write = (name: string) => (read: { value: number }) => {
    written.push(name);
    return store.write(read);
  };
  let release = () => {};
  const released = new Promise<void>((resolve) => release = resolve);
  const late = change(store, "task 1", STALE, async () => {
    await released;
    return await store.read();
  }, write("late"));
  for (let i = 0; i < 10; i++) await setImmediate(); // its first write fails, and it takes a turn
  const newcomer = change(store, "task 1", await store.read(), store.read, write("newcomer"));
  for (let i = 0; i < 10; i++) await setImmediate();
  assert.deepEqual(written, ["late"]);
  release();
  await Promise.all([late, newcomer]);
  assert.deepEqual(written, ["late", "late", "newcomer"]);
});

test("changes of other keys do not wait", async () => {
  const store = fixture();
  const stuck = change(store, "task 1", STALE, () => new Promise<never>(() => {}), store.write);
  await change(store, "task 2", STALE, store.read, store.write);
  assert.equal(store.value(), 1);
  stuck.catch(() => {});
});

test("a failure is passed on, and the next change has its turn", async () => {
  const store = fixture();
  const fails = (at: "read" | "write") => () => Promise.reject(new Error(at));
  const results = await Promise.allSettled([
    change(store, "task 1", STALE, fails("read"), store.write),
    change(store, "task 1", STALE, store.read, (read) => read === STALE ? no() : fails("write")()),
    change(store, "task 1", STALE, () => {
      throw new Error("at once");
    }, store.write),
    change(store, "task 1", STALE, store.read, store.write),
  ]);
  const told = results.map((result) =>
    result.status === "rejected" ? `${result.reason}` : result.value
  );
  assert.deepEqual(told, ["Error: read", "Error: write", "Error: at once", { value: 1 }]);
});

test("if another server was quicker, change reads and writes again", async () => {
  const store = fixture();
  let quicker = 3;
  const written = await readAndChange(store, "task 1", store.read, (read) => {
    if (quicker-- > 0) store.overtake();
    return store.write(read);
  });
  assert.deepEqual(written, { value: 301 });
  assert.deepEqual(store.counts, { reads: 4, writes: 4 });
});

test("if another server is quicker again and again, change gives up", async () => {
  const store = fixture();
  const overtaken = readAndChange(store, "task 1", store.read, (read) => {
    store.overtake();
    return store.write(read);
  });
  await assert.rejects(overtaken, Unavailable);
  const { writes } = store.counts;
  assert.ok(writes >= 3 && writes <= 10, `${writes} writes`);
  await readAndChange(store, "task 1", store.read, store.write); // the next change need not wait
});
