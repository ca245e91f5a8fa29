// What a lasting store promises: everything is there when it is opened again.

import assert from "node:assert/strict";
import {
  add,
  addUser,
  all,
  HASH,
  type Kind,
  task,
  testNew,
  testUsers,
} from "../../tools/stores.ts";

/** Makes tests of a store that is closed and opened again at the same place. */
export function lastingPromises(kind: Kind): void {
  testUsers(kind, "a store opened again has everything, and numbers go on", async (place) => {
    const { store: before, a, b } = place;
    const tasks = [await add(before, a.id), await add(before, a.id, { title: "\0\ud83d" })];
    const old = await add(before, a.id, { title: "😀", description: "x" });
    tasks.push(await before.update(a.id, old, { done: true }) ?? assert.fail());
    const others = [await add(before, b.id)];
    const user = await before.updateUser(a, { email: "\ud800@\0" }) ?? assert.fail();
    const newest = await add(before, a.id);
    await before.remove(a.id, newest);
    const list = await before.list(a.id, 10);
    assert.deepEqual(list.tasks, tasks);

    const after = await place.reopen();
    assert.deepEqual(await after.list(a.id, 10), list);
    assert.deepEqual([await all(after, a.id), await all(after, b.id)], [tasks, others]);
    assert.deepEqual([await after.user("a"), await after.user("b")], [user, b]);
    const next = await add(after, a.id);
    assert.equal(next.id, newest.id + 1);
    assert.ok(next.revision > list.revision);
    assert.equal(await after.update(a.id, old, {}), undefined);
  });

  testUsers(kind, "no id comes back when it is opened again", async (place) => {
    const { store, a, b } = place;
    const task = await add(store, b.id);
    assert.equal(await store.removeUser(b), true);
    const after = await place.reopen();
    assert.equal(await after.user("b"), undefined);
    assert.deepEqual(await all(after, b.id), []);
    const again = await addUser(after, "b");
    assert.ok(![a.id, b.id].includes(again.id), again.id);
    assert.equal((await add(after, again.id)).id, task.id + 1);
  });

  testNew(kind, "a store has a first user only once", async (place) => {
    const first = await place.store.addFirst("a", HASH, [task()]) ?? assert.fail();
    const again = await place.reopen();
    assert.equal(await again.addFirst("a", HASH, [task()]), undefined);
    assert.deepEqual(await again.user("a"), first);
    assert.equal((await all(again, first.id)).length, 1);
    assert.equal(await again.removeUser(first), true);
    const later = await place.reopen();
    assert.equal(await later.addFirst("a", HASH, [task()]), undefined);
    assert.equal(await later.user("a"), undefined);
  });
}

/** Makes a test of a store that several servers have open. */
export function sharedPromises(kind: Kind): void {
  testUsers(kind, "two servers see each other's changes", async (place) => {
    const { store, a } = place;
    const other = await place.another();
    const added = await add(store, a.id);
    assert.deepEqual(await all(other, a.id), [added]);
    const changed = await other.update(a.id, added, { done: true }) ?? assert.fail();
    assert.deepEqual(await store.get(a.id, added.id), changed);
    assert.equal(await store.update(a.id, added, {}), undefined);
    assert.equal(await other.removeUser(a), true);
    assert.equal(await store.add(a.id, task()), undefined);
    const again = await addUser(other, "a");
    assert.deepEqual(await store.user("a"), again);
    assert.deepEqual(await all(store, a.id), []);
  });
}
