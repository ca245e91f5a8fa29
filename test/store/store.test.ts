// What any store promises, as a suite to be run over each kind of store.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { MemoryStore } from "../../lib/store/memory.ts";
import type { Store, TaskFields } from "../../lib/store/store.ts";

const fields = (title: string): TaskFields => ({ title, description: `${title}?`, done: false });

/** Makes tests of a store that starts empty; what it opens, it closes after the test. */
function suite(name: string, makeStore: (t: TestContext) => Store | Promise<Store>): void {
  const promises = (promise: string, check: (store: Store) => Promise<void>) =>
    test(`${name}: ${promise}`, async (t) => check(await makeStore(t)));

  promises(
    "a list has its tasks in order of creation, with ids that rise by one",
    async (store) => {
      assert.deepEqual(await store.list("a"), []);
      for (const title of ["z", "m", "a"]) await store.add("a", fields(title));
      assert.deepEqual(await store.list("a"), [
        { id: 1, ...fields("z") },
        { id: 2, ...fields("m") },
        { id: 3, ...fields("a") },
      ]);
    },
  );

  promises("a task that was added is what is read", async (store) => {
    for (const title of ["", "'; DROP TABLE tasks; --", "\0", "😀", "\ud800", " a\r\n"]) {
      const task = await store.add("a", { ...fields(title), done: true });
      assert.deepEqual(task, { id: task.id, ...fields(title), done: true });
      assert.deepEqual(await store.get("a", task.id), task);
    }
  });

  promises("another owner's task is not there", async (store) => {
    const task = await store.add("a", fields("mine"));
    for (const owner of ["b", "A", "", "__proto__"]) {
      assert.deepEqual(await store.list(owner), []);
      assert.equal(await store.get(owner, task.id), undefined);
      assert.equal(await store.update(owner, task.id, { title: "theirs" }), undefined);
      assert.equal(await store.remove(owner, task.id), false);
    }
    assert.deepEqual(await store.list("a"), [task]);
  });

  promises("an id is never used again, whoever owns it", async (store) => {
    const add = async (owner: string) => (await store.add(owner, fields("x"))).id;
    assert.deepEqual([await add("a"), await add("b"), await add("a")], [1, 2, 3]);
    await store.remove("a", 3); // the newest
    assert.equal(await add("b"), 4);
    for (const [owner, id] of [["a", 1], ["b", 2], ["b", 4]] as const) {
      assert.equal(await store.remove(owner, id), true);
    }
    assert.deepEqual([...await store.list("a"), ...await store.list("b")], []);
    assert.deepEqual([await add("b"), await add("a")], [5, 6]);
  });

  promises("an update changes the fields given and no others", async (store) => {
    const rows: Partial<TaskFields>[] = [
      { title: "new" },
      { description: "" },
      { done: true },
      { done: false, title: "newer" },
      {},
    ];
    const { id } = await store.add("a", fields("old"));
    const other = await store.add("a", fields("other"));
    for (const changes of rows) {
      const before = await store.get("a", id);
      const expected = { ...before, ...changes };
      assert.deepEqual(await store.update("a", id, changes), expected);
      assert.deepEqual(await store.get("a", id), expected);
      assert.deepEqual(await store.list("a"), [expected, other]);
    }
  });

  promises("an update leaves what was read before as it was", async (store) => {
    const added = await store.add("a", fields("old"));
    const read = await store.get("a", added.id);
    const [listed] = await store.list("a");
    const updated = await store.update("a", added.id, { title: "new" });
    for (const task of [added, read, listed]) {
      assert.notEqual(task, updated);
      assert.deepEqual(task, { id: added.id, ...fields("old") });
    }
  });

  promises("where there is no such task, the answer says so", async (store) => {
    const { id } = await store.add("a", fields("x"));
    assert.equal(await store.remove("a", id), true);
    for (const none of [id, 0, -1, 1.5, 999, 2 ** 53, 1e300, Infinity]) {
      assert.equal(await store.get("a", none), undefined, `${none}`);
      assert.equal(await store.update("a", none, { title: "y" }), undefined, `${none}`);
      assert.equal(await store.remove("a", none), false, `${none}`);
    }
    assert.deepEqual(await store.list("a"), []);
  });

  promises("a list is a snapshot", async (store) => {
    const first = await store.add("a", fields("first"));
    const second = await store.add("a", fields("second"));
    const list = await store.list("a");
    await store.add("a", fields("third"));
    await store.update("a", first.id, { done: true });
    await store.remove("a", second.id);
    assert.deepEqual(list, [first, second]);
  });

  promises("every task is found among 1000 of which many are gone", async (store) => {
    const ids = new Set<number>();
    for (let i = 1; i <= 1000; i++) {
      const { id } = await store.add("a", fields(`${i}`));
      ids.add(id);
      if (i % 7 === 0) await store.add("b", fields("a gap"));
    }
    const all = [...ids];
    let seed = 1; // Park and Miller's: the same ids in every run
    while (ids.size > 400) {
      seed = seed * 48271 % 2147483647;
      const id = all[seed % all.length] ?? 0;
      assert.equal(await store.remove("a", id), ids.delete(id), `${id}`);
    }
    for (const id of all) {
      assert.equal((await store.get("a", id))?.id, ids.has(id) ? id : undefined);
    }
    assert.deepEqual((await store.list("a")).map(({ id }) => id), [...ids]);
  });
}

suite("MemoryStore", () => new MemoryStore());
