// What any store promises of a list's filters.

import assert from "node:assert/strict";
import { type Filter, FILTERS } from "../../../lib/store/filter.ts";
import type { Task, TaskFields } from "../../../lib/store/store.ts";
import { add, all, type Kind, page, testUsers } from "../../tools/stores.ts";

interface Example {
  readonly values: readonly string[];
  /** Whether a task has to pass. */
  passes(task: TaskFields, value: string): boolean;
}

const TITLES = ["", "a", "A", "ab", "aB", "a%b", "a_b", "a*", "[a]", "a\0b", "\0", "a\uffff"];
TITLES.push("é", "e\u0301", "😀 smile", "😁 grin", "\ue000", "\u{10ffff}", "\u{10ffff}z");
TITLES.push("MILK", "Straße", "ΟΔΟΣ", "İ");

/** Values for each filter of lib/store/filter.ts. A new filter needs a row here. */
const EXAMPLES: Readonly<Record<string, Example>> = {
  done: { values: ["true", "false"], passes: ({ done }, value) => done === (value === "true") },
  title_prefix: {
    values: [...TITLES, "ba", "%", "_", "*", "e", "\ud83d", "ab "],
    passes: ({ title }, value) => title.slice(0, value.length) === value,
  },
  q: {
    values: ["", "milk", "Milk", "b", "%", "_", "É", "\0", "\ude00", "STRASSE", "οδος", "i\u0307"],
    passes: ({ title, description }, value) =>
      [title, description].some((text) =>
        text.toLowerCase().split(value.toLowerCase()).length > 1
      ) ||
      value === "",
  },
};

/** All values of a filter, as filters. */
function filtersOf(name: string): [filter: Filter, passes: (task: Task) => boolean][] {
  const { values, passes } = EXAMPLES[name] ?? assert.fail(`${name} has no row of EXAMPLES`);
  return values.map((value) => [
    Object.fromEntries([[name, value]]),
    (task) => passes(task, value),
  ]);
}

/** Makes tests of a store's filters. */
export function filterPromises(kind: Kind): void {
  testUsers(
    kind,
    "each filter works in list, total and page, and so do two together",
    async (place) => {
      const { store, a, b } = place;
      const tasks: Task[] = [];
      for (const [i, title] of TITLES.entries()) {
        for (const done of [false, true]) {
          const description = i % 5 === 0 ? "Milk, eggs" : "";
          tasks.push(await add(store, a.id, { title, done, description }));
        }
        await add(store, b.id, { title });
      }
      assert.deepEqual(await all(store, a.id), tasks);

      const check = async (filter: Filter, passing: readonly Task[]) => {
        const name = JSON.stringify(filter);
        const { tasks: listed, total } = await page(store, a.id, filter);
        assert.deepEqual(listed, passing, name);
        assert.equal(total, passing.length, name);
      };
      for (const name in FILTERS) {
        const seen = new Set<boolean>();
        for (const [filter, passes] of filtersOf(name)) {
          const passing = tasks.filter(passes);
          seen.add(passing.length > 0 && passing.length < tasks.length);
          await check(filter, passing);
          const part = await page(store, a.id, filter, 1, 2);
          assert.deepEqual([part.tasks, part.total], [passing.slice(1, 3), passing.length]);
          for (const other in FILTERS) {
            if (other <= name) continue;
            for (const [more, passesToo] of filtersOf(other)) {
              const both = { ...filter, ...more };
              const { tasks: listed, total } = await page(store, a.id, both);
              assert.deepEqual(listed, passing.filter(passesToo), JSON.stringify(both));
              assert.equal(total, listed.length, JSON.stringify(both));
            }
          }
        }
        assert.ok(seen.has(true), `no example of ${name} lets some tasks pass and others not`);
      }
      await check({ done: undefined, title_prefix: undefined }, tasks);
    },
  );

  testUsers(kind, "a filter judges a task as it is now", async ({ store, a }) => {
    const mine = await add(store, a.id, { title: "x" });
    const other = await add(store, a.id, { title: "y", done: true });
    const updated = await store.update(a.id, mine, { title: "z", done: true }) ?? assert.fail();
    assert.deepEqual(await all(store, a.id, { done: "false" }), []);
    assert.deepEqual(await all(store, a.id, { title_prefix: "x" }), []);
    assert.deepEqual(await all(store, a.id, { title_prefix: "z" }), [updated]);
    assert.deepEqual(await all(store, a.id, { q: "X" }), []);
    assert.deepEqual(await all(store, a.id, { q: "Z" }), [updated]);
    assert.deepEqual(await all(store, a.id, { done: "true" }), [updated, other]);
    await store.remove(a.id, updated);
    assert.deepEqual(await all(store, a.id, { done: "true" }), [other]);
    assert.deepEqual(await all(store, a.id, { q: "z" }), []);
  });
}
