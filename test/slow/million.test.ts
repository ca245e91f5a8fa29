// A SQLite file with a million tasks makes no request wait. Time is time on a processor, so that
// other work of the machine does not count.

import assert from "node:assert/strict";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { SqliteStore } from "../../lib/store/sqlite/store.ts";
import { Unavailable } from "../../lib/store/store.ts";
import { newFile, NO_SQLITE } from "../tools/files.ts";

const MANY = 1_000_000;
const PAGE = 20;

/** How long this thread has been on a processor, in milliseconds; before Node 23.9 all threads. */
function worked(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) / 1000;
}

async function withMany(t: TestContext): Promise<SqliteStore> {
  const file = await newFile(t);
  const store = await SqliteStore.open(file);
  t.after(() => store.close());
  await store.addUser("a", { password: "a hash", email: "" });
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(file);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MANY})
    INSERT INTO tasks (owner, done, revision, title, description)
      SELECT 1, i % 2, i, 'Task number ' || i, 'Milk, Cheese, Pizza, Fruit, Tylenol' FROM n;
    UPDATE store SET revision = ${MANY};
    UPDATE users SET tasks = ${MANY}, finished = ${MANY / 2}, listRevision = ${MANY}`);
  db.close();
  return store;
}

/** The longest turn of the event loop until the work is done. */
async function longestTurn(work: Promise<unknown>): Promise<number> {
  let isDone = false;
  let longest = 0;
  work.finally(() => isDone = true);
  for (let before = worked(); !isDone;) {
    await setImmediate();
    const now = worked();
    longest = Math.max(longest, now - before);
    before = now;
  }
  await work;
  return longest;
}

test("SQLite: a million tasks", { skip: NO_SQLITE }, async (t) => {
  const store = await withMany(t);

  await t.test("no page or search keeps others waiting for 20 ms", async (t) => {
    const asked = [
      [{}, MANY / 2],
      [{ done: "true" }, MANY / 4],
      [{ title_prefix: "Task number 99" }, 500],
      [{ q: "none of them" }, 0],
    ] as const;
    for (const [filter, offset] of asked) {
      const turns: number[] = []; // some of them include the garbage collection for others
      for (let i = 0; i < 3; i++) {
        turns.push(await longestTurn(store.list("1", filter, offset, PAGE)));
      }
      const name = `${JSON.stringify(filter)} from ${offset}`;
      t.diagnostic(`${name}: ${Math.min(...turns).toFixed(1)} ms`);
      assert.ok(Math.min(...turns) < 20, `${name}: ${turns} ms`);
    }
  });

  await t.test("60 searches of clients that have gone end at once", async (t) => {
    const by = { until: Infinity, gone: false };
    const searches = Array.from(
      { length: 60 },
      (_, i) =>
        store.list("1", i % 2 === 0 ? { q: "none" } : { title_prefix: "none" }, 0, PAGE, by),
    );
    const ends = Promise.allSettled(searches);
    for (let i = 0; i < 10; i++) await setImmediate();
    by.gone = true;
    const before = worked();
    const { tasks } = await store.list("1", {}, 100_000, PAGE); // waits for its turn
    const waited = worked() - before;
    assert.equal(tasks[0]?.id, 100_001);
    for (const end of await ends) {
      assert.ok(end.status === "rejected" && end.reason instanceof Unavailable);
    }
    t.diagnostic(`${waited.toFixed(1)} ms`);
    assert.ok(waited < 100, `${waited} ms`);
  });

  await t.test("a search ends at its deadline", async () => {
    const by = { until: performance.now() + 20, gone: false };
    await assert.rejects(store.list("1", { q: "none" }, 0, PAGE, by), Unavailable);
  });
});
