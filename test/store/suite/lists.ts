// What any store promises of lists and walks, above all of long ones.

import assert from "node:assert/strict";
import type { Filter } from "../../../lib/store/filter.ts";
import { SLICE, type Task, Unavailable } from "../../../lib/store/store.ts";
import { add, addMany, addUser, all, idsOf, type Kind, LONG } from "../../tools/stores.ts";
import { testUsers, walked } from "../../tools/stores.ts";

const FAR = 1e17; // the offset of the last page that a client may ask for

/** Asserts that a slice is short: without its last task it is within the limit of characters. */
function isSlice(tasks: readonly Task[], name: string): void {
  const characters = tasks.slice(0, -1)
    .reduce((sum, { title, description }) => sum + title.length + description.length, 0);
  assert.ok(tasks.length <= SLICE.tasks, `${name}: ${tasks.length} tasks`);
  assert.ok(characters <= SLICE.characters, `${name}: more than ${characters} characters`);
}

/** Makes tests of a store's lists. */
export function listPromises(kind: Kind): void {
  const { many } = kind;

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
          const { tasks, total } = await store.list(a.id, filter, offset, limit);
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
    const { tasks: part, total } = await store.list(a.id, {}, 190, 20);
    assert.deepEqual(part, [...here.values()].slice(190, 210));
    assert.equal(total, here.size);
    assert.deepEqual(await all(store, a.id), [...here.values()]);
  });

  testUsers(
    kind,
    "a list shows one moment and has its revision, whatever changes",
    async (place) => {
      const { store, a } = place;
      await addMany(store, many, (i) => [a.id, { title: `${i}` }]);
      const changes: ((last: Task) => unknown)[] = [
        (last) => store.update(a.id, last, { description: "changed" }),
        (last) => store.remove(a.id, last),
        () => add(store, a.id, { title: "1 more" }),
      ];
      for (const filter of [{}, { done: "false" }, { title_prefix: "1" }, { q: "1" }]) {
        for (const change of changes) {
          const read = () => store.list(a.id, filter, 0, Infinity);
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

  testUsers(kind, "a walk returns all tasks in order, in slices", async ({ store, a, b }) => {
    await addMany(
      store,
      many,
      (i) => [i % 8 === 0 ? b.id : a.id, { title: `${i}`, done: i % 3 === 0 }],
    );
    let slices = 0;
    const meanwhile = (slice: readonly Task[]) => isSlice(slice, `slice ${++slices}`);
    const tasks = await walked(store, a.id, {}, { meanwhile });
    assert.ok(slices > 1);
    assert.deepEqual(tasks, await all(store, a.id));
    const filter = { done: "true", title_prefix: "1" };
    const passing = await walked(store, a.id, filter);
    assert.deepEqual(passing, tasks.filter((task) => task.done && /^1/.test(task.title)));
    for await (const _ of store.walk(a.id, {}, 0)) break; // a reader that goes away
    for (const after of [-1, 0, 1, 2, many / 2, many - 1, many, many + 1, FAR]) {
      const rest = (tasks: Task[]) => tasks.filter(({ id }) => id > after);
      assert.deepEqual(await walked(store, a.id, {}, { after }), rest(tasks), `${after}`);
      assert.deepEqual(await walked(store, a.id, filter, { after }), rest(passing), `${after}`);
    }
  });

  testUsers(kind, "a walk sees what exists from its start to its end, once", async (place) => {
    const { store, a } = place;
    for (const filter of [{}, { done: "false" }]) {
      const states = new Map<number, Task>(); // by revision, every state that a task was in
      const note = (task: Task | undefined) => task && states.set(task.revision, task);
      (await addMany(store, many, (i) => [a.id, { title: `${i}` }])).forEach(note);
      const here = new Map((await all(store, a.id, filter)).map((task) => [task.id, task]));
      here.forEach(note);
      let added = 0;
      let seed = 1;
      const meanwhile = async () => {
        for (let i = 0; i < 60; i++) {
          seed = seed * 48271 % 2147483647;
          const task = [...here.values()][seed % here.size] ?? assert.fail();
          const current = await store.get(a.id, task.id) ?? assert.fail();
          const kind = seed % 3;
          if (kind === 0 && added++ < 200) note(await add(store, a.id, { title: "added" }));
          if (kind === 1) {
            const changes = { title: "changed", description: "too", done: i % 4 === 0 };
            note(await store.update(a.id, current, changes));
            if (filter.done !== undefined && changes.done) here.delete(task.id);
          }
          if (kind === 2) {
            assert.equal(await store.remove(a.id, current), true);
            here.delete(task.id);
          }
        }
      };
      const seen = await walked(store, a.id, filter, { meanwhile });
      const ids = idsOf(seen);
      assert.deepEqual(ids, [...new Set(ids)].sort((a, b) => a - b));
      assert.deepEqual([...here.keys()].filter((id) => !ids.includes(id)), []);
      for (const task of seen) {
        assert.deepEqual(task, states.get(task.revision));
        assert.equal(`${task.done}`, filter.done ?? `${task.done}`);
      }
    }
  });

  testUsers(kind, "a walk ends with its owner, even if the name is used again", async (place) => {
    const { store, a } = place;
    const tasks = await addMany(store, many, () => [a.id]);
    let slices = 0;
    const seen = await walked(store, a.id, {}, {
      async meanwhile() {
        if (++slices > 1) return;
        assert.equal(await store.removeUser(a), true);
        const next = await addUser(store, "a");
        await addMany(store, 20, () => [next.id]);
      },
    });
    assert.ok(seen.length < many, `${seen.length} tasks`);
    assert.deepEqual(seen, tasks.slice(0, seen.length));
  });

  testUsers(kind, "slices of long texts are short", async ({ store, a }) => {
    const description = "é".repeat(LONG - 2);
    const tasks = await addMany(store, 14, (i) => [
      a.id,
      { title: `a${i % 2}`, description, done: i % 4 === 0 },
    ]);
    const filters = [{}, { title_prefix: "a" }, { q: "É" }, { done: "true" }, {
      title_prefix: "a1",
    }];
    for (const filter of filters) {
      const name = JSON.stringify(filter);
      const passing = tasks.filter(({ title, done }) =>
        ("done" in filter ? done : true) && title.startsWith(filter.title_prefix ?? "")
      );
      for (let offset = 0; offset < passing.length;) {
        const { tasks: slice, total } = await store.list(a.id, filter, offset, Infinity);
        isSlice(slice, name);
        assert.ok(slice.length > 0, name);
        assert.deepEqual(slice, passing.slice(offset, offset + slice.length), name);
        assert.equal(total, passing.length);
        offset += slice.length;
      }
      const meanwhile = (slice: readonly Task[]) => isSlice(slice, name);
      assert.deepEqual(await walked(store, a.id, filter, { meanwhile }), passing, name);
    }
  });

  testUsers(kind, "a search ends early if its client goes away", async ({ store, a }) => {
    const description = "é".repeat(LONG - 2);
    await addMany(store, 40, () => [a.id, { description }]);
    for (const filter of [{ q: "É" }, { title_prefix: "Buy" }, { q: "É", done: "false" }]) {
      let asked = 0;
      const by = {
        until: Infinity,
        get gone() {
          return ++asked > 2;
        },
      };
      const total = await store.list(a.id, filter, 0, 1, by).then(
        (part) => part.total,
        (error) => assert.ok(error instanceof Unavailable),
      );
      assert.ok(total === undefined || total < 40, `${JSON.stringify(filter)}: ${total} tasks`);
    }
  });

  testUsers(kind, "a walk ends early if its client goes away", async ({ store, a }) => {
    const description = "é".repeat(LONG - 2);
    await addMany(store, 40, () => [a.id, { description }]);
    for (const filter of [{}, { done: "false" }, { q: "É" }, { q: "none" }]) {
      const by = { until: Infinity, gone: false };
      let seen = 0;
      let slices = 0;
      try {
        for await (const slice of store.walk(a.id, filter, 0, by)) {
          seen += slice.length;
          slices++;
          by.gone = true;
        }
      } catch (error) {
        assert.ok(error instanceof Unavailable);
      }
      assert.ok(seen < 40 && slices <= 2, `${JSON.stringify(filter)}: ${seen}, ${slices} slices`);
    }
  });
}
