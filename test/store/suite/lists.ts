// What any store promises of lists: their parts, their orders, and how large they may become.

import assert from "node:assert/strict";
import type { Filter } from "../../../lib/store/filter.ts";
import type { Order } from "../../../lib/store/select.ts";
import { ListFull, MOST_IN_LIST, sizeOf, type Task } from "../../../lib/store/store.ts";
import { add, addMany, all, idsOf, type Kind, LONG, page } from "../../tools/stores.ts";
import { task, testUsers } from "../../tools/stores.ts";

const FAR = 1e17; // the offset of the last page that a client may ask for

/** Makes tests of a store's lists. */
export function listPromises(kind: Kind): void {
  testUsers(kind, "a part is the next `limit` tasks that pass, after `offset`", async (place) => {
    const { store, a } = place;
    for (let i = 0; i < 9; i++) {
      await add(store, a.id, { title: i % 3 === 0 ? "x" : "y", done: i % 2 === 0 });
    }
    const filters: Filter[] = [{}, { done: "true" }, { title_prefix: "y" }];
    filters.push({ title_prefix: "no" }, { q: "Y", done: "false" });
    for (const filter of filters) {
      const passing = await all(store, a.id, filter);
      for (const offset of [0, 1, 2, 4, 8, 9, 10, FAR]) {
        for (const limit of [1, 2, 5, 9, 10, 100, Infinity]) {
          const { tasks, total } = await page(store, a.id, filter, offset, limit);
          const name = `${JSON.stringify(filter)}: ${limit} after ${offset}`;
          assert.deepEqual(tasks, passing.slice(offset, offset + limit), name);
          assert.equal(total, passing.length, name);
        }
      }
    }
  });

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
    const { tasks: part, total } = await page(store, a.id, {}, 190, 20);
    assert.deepEqual(part, [...here.values()].slice(190, 210));
    assert.equal(total, here.size);
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
      for (const filter of [{}, { done: "false" }, { title_prefix: "1" }, { q: "1" }]) {
        for (const change of changes) {
          const read = () => page(store, a.id, filter);
          const before = await read();
          const underWay = read();
          await change(before.tasks.at(-1) ?? assert.fail());
          const after = await read();
          assert.notDeepEqual(after, before);
          const got = await underWay;
          assert.deepEqual(got, got.revision === before.revision ? before : after);
        }
      }
    },
  );

  testUsers(kind, "a list comes in the order asked for", async ({ store, a, b }) => {
    const titles = ["b", "a", "B", "", "é", "a", "😀", "\uffff", "a\0"];
    for (const title of titles) {
      await add(store, a.id, { title });
      await add(store, b.id, { title });
    }
    const rows: [order: Order, titles: string[]][] = [
      ["id", titles],
      ["-id", titles.toReversed()],
      ["title", titles.toSorted()], // by UTF-16 code units
      ["-title", titles.toSorted().toReversed()],
    ];
    for (const [order, expected] of rows) {
      const { tasks } = await page(store, a.id, {}, 0, Infinity, order);
      assert.deepEqual(tasks.map(({ title }) => title), expected, order);
      const part = await page(store, a.id, {}, 2, 3, order);
      assert.deepEqual(part, { ...part, tasks: tasks.slice(2, 5), total: titles.length });
      const ids = idsOf(tasks.filter(({ title }) => title === "a"));
      assert.deepEqual(
        ids,
        ids.toSorted((x, y) => order === "title" || order === "id" ? x - y : y - x),
      );
      const found = await page(store, a.id, { q: "A" }, 0, Infinity, order);
      assert.deepEqual(found.tasks, tasks.filter(({ title }) => title.startsWith("a")));
    }
  });

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
    const before = await page(store, a.id);
    assert.equal(before.tasks.reduce((sum, task) => sum + sizeOf(task), 0), MOST_IN_LIST);

    const full = { name: "Error", message: "your list is full: delete tasks first" };
    await assert.rejects(add(store, a.id, { title: "" }), full);
    await assert.rejects(store.update(a.id, last, { title: "Buy milk." }), full);
    assert.deepEqual(await page(store, a.id), before);
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
