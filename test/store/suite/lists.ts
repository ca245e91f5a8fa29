// What any store promises of lists: their parts, their orders, and how large they may become.

import assert from "node:assert/strict";
import { ListFull, MOST_IN_LIST, sizeOf, type Task } from "../../../lib/store/store.ts";
import { add, addMany, all, idsOf, type Kind, LONG } from "../../tools/stores.ts";
import { task, testUsers } from "../../tools/stores.ts";

const FAR = 1e17; // beyond every id and every count

/** Makes tests of a store's lists. */
export function listPromises(kind: Kind): void {
  testUsers(
    kind,
    "a list is whole, or its first tasks, and tells how many there are",
    async (place) => {
      const { store, a, b } = place;
      const tasks = await addMany(store, 9, () => [a.id]);
      await add(store, b.id);
      for (const most of [undefined, 1, 2, 8, 9, 10, FAR]) {
        const { tasks: first, total } = await store.list(a.id, most);
        assert.deepEqual([first, total], [tasks.slice(0, most), 9], `${most}`);
      }
      assert.deepEqual(await store.list("nobody", 5), { tasks: [], total: 0, revision: 0 });
    },
  );

  testUsers(kind, "every task is found among 1000, after many were removed", async (place) => {
    const { store, a, b } = place;
    const added = await addMany(
      store,
      1200,
      (i) => [i % 6 === 0 ? b.id : a.id, { title: `${i}` }],
    );
    const tasks = added.filter(({ title }) => Number(title) % 6 !== 0);
    const here = new Map(tasks.map((task) => [task.id, task]));
    let seed = 1; // Park and Miller's: the same tasks in every run
    while (here.size > 400) {
      const some = Array.from({ length: 20 }, () => {
        seed = seed * 48271 % 2147483647;
        return tasks[seed % tasks.length] ?? assert.fail();
      });
      const removals = [...new Set(some)].map(async (task) => {
        assert.equal(await store.remove(a.id, task), here.delete(task.id), `${task.id}`);
      });
      await Promise.all(removals);
    }
    for (let i = 0; i < tasks.length; i += 20) {
      const some = tasks.slice(i, i + 20);
      const read = await Promise.all(some.map(({ id }) => store.get(a.id, id)));
      assert.deepEqual(read, some.map(({ id }) => here.get(id)));
    }
    const { tasks: first, total } = await store.list(a.id, 210);
    assert.deepEqual([first, total], [[...here.values()].slice(0, 210), here.size]);
    assert.deepEqual(await all(store, a.id), [...here.values()]);
  });

  testUsers(
    kind,
    "a list shows one moment and has its revision, whatever changes",
    async (place) => {
      const { store, a } = place;
      await addMany(store, 600, (i) => [a.id, { title: `${i}` }]);
      const changes: ((last: Task) => unknown)[] = [
        (last) => store.update(a.id, last, { description: "changed" }),
        (last) => store.remove(a.id, last),
        () => add(store, a.id, { title: "1 more" }),
      ];
      for (const most of [undefined, 300]) {
        for (const change of changes) {
          const before = await store.list(a.id, most);
          const underWay = store.list(a.id, most);
          await change(before.tasks.at(-1) ?? assert.fail());
          const after = await store.list(a.id, most);
          assert.notDeepEqual(after, before);
          const got = await underWay;
          assert.deepEqual(got, got.revision === before.revision ? before : after);
        }
      }
    },
  );

  testUsers(kind, "tasks are read again in the order of ids, if they are there", async (place) => {
    const { store, a, b } = place;
    const tasks = await addMany(store, 400, (i) => [a.id, { title: `${i}` }]);
    const theirs = await add(store, b.id);
    const [first = assert.fail(), second = assert.fail(), ...rest] = tasks;
    const changed = await store.update(a.id, first, { description: "changed" });
    assert.equal(await store.remove(a.id, second), true);
    const ids = [theirs.id, ...idsOf(tasks).reverse(), FAR];
    assert.deepEqual(await store.read(a.id, ids), [...rest.toReversed(), changed]);
    assert.deepEqual(await store.read(a.id, []), []);
    assert.deepEqual(await store.read("nobody", ids), []);
  });

  testUsers(kind, "a list takes 4 MiB, and then nothing more", async (place) => {
    const { store, a, b } = place;
    const description = "é".repeat(LONG - 400 - "Buy milk".length); // in all, LONG
    const most = MOST_IN_LIST / LONG;
    const [first = assert.fail()] = await addMany(store, most - 1, () => [a.id, { description }]);
    await assert.rejects(add(store, a.id, { description: `${description}.` }), ListFull);
    const last = await add(store, a.id, { description });
    const before = await store.list(a.id);
    assert.equal(before.tasks.reduce((sum, task) => sum + sizeOf(task), 0), MOST_IN_LIST);

    const full = { name: "Error", message: "your list is full: delete tasks first" };
    await assert.rejects(add(store, a.id, { title: "" }), full);
    await assert.rejects(store.update(a.id, last, { title: "Buy milk." }), full);
    assert.deepEqual(await store.list(a.id), before);
    // Others' lists have room, and in this one whatever does not grow may change.
    const together = await Promise.allSettled([
      add(store, b.id),
      add(store, a.id),
      store.update(a.id, last, { title: "Bye milk", done: true }),
    ]);
    assert.deepEqual(together.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    const shorter = await store.update(a.id, first, { title: "", done: true }) ?? assert.fail();
    const longer = await store.update(a.id, shorter, { title: "Buy milk" }) ?? assert.fail();
    await assert.rejects(store.update(a.id, longer, { title: "Buy milk." }), full);
    assert.equal(await store.remove(a.id, longer), true);
    await add(store, a.id, { description });
    await assert.rejects(add(store, a.id, { title: "" }), full);
  });

  testUsers(kind, "a list is not made too large by many at once", async ({ store, a }) => {
    const description = "x".repeat(LONG - 400 - "Buy milk".length);
    await addMany(store, MOST_IN_LIST / LONG - 3, () => [a.id, { description }]);
    const adds = Array.from({ length: 10 }, () => store.add(a.id, task({ description })));
    const done = (await Promise.allSettled(adds)).filter(({ status }) => status === "fulfilled");
    assert.ok(done.length >= 3, `${done.length}`);
    const size = (await all(store, a.id)).reduce((sum, task) => sum + sizeOf(task), 0);
    assert.ok(size <= MOST_IN_LIST + kind.over * LONG, `${size}`);
    assert.equal(size, MOST_IN_LIST + (done.length - 3) * LONG);
  });
}
