// A hundred full lists, which are a million tasks: a request to one of them takes no longer than if
// it were alone. ACCOUNTS says how many.

import assert from "node:assert/strict";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { MemoryStore } from "../../lib/store/memory.ts";
import { SqliteStore } from "../../lib/store/sqlite/store.ts";
import { ListFull, MOST_IN_LIST, sizeOf, type Store } from "../../lib/store/store.ts";
import { Lists, type Query } from "../../lib/todo/lists.ts";
import { newFile, NO_SQLITE } from "../tools/files.ts";
import { add, addUser, task } from "../tools/stores.ts";

const ACCOUNTS = Number(process.env["ACCOUNTS"] ?? 100);
const EACH = Math.floor(MOST_IN_LIST / sizeOf(task()));
const CLIENT = { address: "", until: Infinity, gone: false };

async function fill(store: Store, owner: string): Promise<void> {
  for (let left = EACH; left > 0; left -= 2000) {
    await Promise.all(Array.from({ length: Math.min(left, 2000) }, () => add(store, owner)));
  }
  await assert.rejects(add(store, owner, { description: "x".repeat(400) }), ListFull);
}

/** Time of the processor, in milliseconds: other programs need it, too. The median of some tries. */
async function time(act: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let tries = 0; tries < 9; tries++) {
    const before = process.cpuUsage();
    await act();
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  return times.sort((a, b) => a - b)[4] ?? Infinity;
}

/** How long requests to an account with a full list take. */
async function costs(store: Store, owner: string): Promise<Record<string, number>> {
  const lists = new Lists(store);
  const whole: Query = { filter: {}, order: "id", offset: 0, limit: Infinity };
  const { tasks } = await lists.read(owner, whole, CLIENT);
  assert.equal(tasks.length, EACH);
  const last = tasks.at(-1) ?? assert.fail();
  return {
    get: await time(() => store.get(owner, last.id)),
    page: await time(() => lists.read(owner, { ...whole, limit: 30 }, CLIENT)),
    list: await time(() => lists.read(owner, whole, CLIENT)),
    search: await time(() => lists.read(owner, { ...whole, filter: { q: "no" } }, CLIENT)),
    change: await time(async () => {
      const now = await store.get(owner, last.id) ?? assert.fail();
      await store.update(owner, now, { done: !now.done });
    }),
  };
}

async function many(t: TestContext, store: Store): Promise<void> {
  const first = await addUser(store, "0");
  await fill(store, first.id);
  const alone = await costs(store, first.id);
  for (let i = 1; i < ACCOUNTS; i++) await fill(store, (await addUser(store, `${i}`)).id);
  const among = await costs(store, first.id);
  t.diagnostic(JSON.stringify({ alone, among }));
  for (const [name, ms] of Object.entries(among)) {
    assert.ok(ms < 3 * (alone[name] ?? 0) + 5, `${name}: ${ms} ms`);
  }
  await store.close();
}

test("a hundred full lists in memory", (t) => many(t, new MemoryStore()));

test(
  "a hundred full lists in SQLite",
  { skip: NO_SQLITE },
  async (t) => many(t, await SqliteStore.open(await newFile(t))),
);
