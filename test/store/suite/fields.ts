// What any store promises of each field of a task, and of fields that are added later.

import assert from "node:assert/strict";
import { INITIAL } from "../../../lib/store/store.ts";
import { FIELDS } from "../../../lib/todo/task.ts";
import { all, type Kind, task, testUsers } from "../../tools/stores.ts";

const DATES = ["2026-11-22", "2026-12-24"];
const VALUES: unknown[] = [true, false, 1, 2, "a", "b", "", ...DATES, null, ["a"], ["b"]];

/** Two values that a field may have, the first other than its initial one. */
export function samplesOf(name: keyof typeof FIELDS): unknown[] {
  const [, is] = FIELDS[name];
  const initial: unknown = INITIAL[name];
  const others = VALUES.filter((value) => is(value) && value !== initial);
  assert.ok(others.length > 0, `VALUES in test/store/suite/fields.ts has no new value for ${name}`);
  return [...others, initial].slice(0, 2);
}

/** Makes a test of each field. */
export function fieldPromises(kind: Kind): void {
  for (const name of Object.keys(FIELDS) as (keyof typeof FIELDS)[]) {
    testUsers(kind, `the field ${name} is kept, as it was added and changed`, async (place) => {
      const { store, a } = place;
      const [first, second] = samplesOf(name);
      const added = await store.add(a.id, task({ [name]: first })) ?? assert.fail();
      const kept = async () => (await store.get(a.id, added.id))?.[name];
      const lost = `${kind.name} does not keep ${name}`;
      assert.deepEqual(added[name], first, lost);
      assert.deepEqual(await kept(), first, lost);
      assert.deepEqual((await all(store, a.id))[0]?.[name], first, lost);
      const changed = await store.update(a.id, added, { [name]: second });
      assert.deepEqual(changed?.[name], second, lost);
      assert.deepEqual(await kept(), second, lost);
    });
  }
}
