// What any store promises of a task.

import assert from "node:assert/strict";
import { type Task, type TaskFields, Unavailable } from "../../../lib/store/store.ts";
import { add, addUser, all, HASH, idsOf, type Kind, LONG } from "../../tools/stores.ts";
import { readAndChange, task, testNew, testUsers } from "../../tools/stores.ts";

/** Strings that a store may not take as they are: quotes, NUL, halves of a pair, ends of Unicode. */
const STRINGS = [
  ..."\0 \ud800 \udfff \uffff \ufeff é e\u0301 ' \" \\ % _ ` $ 0 1e3 null undefined".split(" "),
  ...["", " a\r\n", "\ud83d", "\ude00\ud83d", "a\0b", "\u2028\u2029", "'; DROP TABLE tasks; --"],
  ...["😀", "x".repeat(LONG), "€".repeat(LONG)],
  String.fromCharCode(...Array.from({ length: 32768 }, (_, unit) => unit)),
  String.fromCharCode(...Array.from({ length: 32768 }, (_, unit) => 65535 - unit)),
];

/** Ids that no owner has, whatever the ids of a store look like. */
const NOBODY = ["a", "A", "", "a/", "-1", "__proto__", "toString"];

/** Makes tests of a store's tasks. */
export function taskPromises(kind: Kind): void {
  testUsers(kind, "a list has its tasks in order of creation, ids rising by one", async (place) => {
    const { store, a } = place;
    assert.deepEqual(await all(store, a.id), []);
    const tasks: Task[] = [];
    for (const title of ["z", "m", "a"]) tasks.push(await add(store, a.id, { title }));
    assert.deepEqual(idsOf(tasks), [1, 2, 3]);
    assert.deepEqual(await all(store, a.id), tasks);
  });

  testUsers(kind, "a task is read as it was added, whatever its texts", async (place) => {
    const { store, a } = place;
    for (const [i, text] of STRINGS.entries()) {
      const fields = task({ title: text, description: STRINGS.at(-i) ?? "", done: i % 2 === 0 });
      const added = await add(store, a.id, fields);
      assert.deepEqual(added, { ...fields, id: added.id, revision: added.revision });
      assert.deepEqual(await store.get(a.id, added.id), added);
      assert.deepEqual((await store.list(a.id)).tasks.slice(i), [added]);
      const changes = { title: fields.description, description: text };
      const changed = await store.update(a.id, added, changes) ?? assert.fail();
      assert.deepEqual(changed, { ...added, ...changes, revision: changed.revision });
      assert.deepEqual(await store.read(a.id, [added.id]), [changed]);
    }
  });

  testUsers(kind, "another owner's task is not there", async ({ store, a, b }) => {
    const mine = await add(store, a.id);
    for (const owner of [b.id, ...NOBODY]) {
      assert.deepEqual([await all(store, owner), await store.read(owner, [mine.id])], [[], []]);
      assert.equal((await store.list(owner)).total, 0);
      assert.equal(await store.get(owner, mine.id), undefined);
      assert.equal(await store.update(owner, mine, { title: "theirs" }), undefined);
      assert.equal(await store.remove(owner, mine), false);
    }
    assert.deepEqual(await all(store, a.id), [mine]);
  });

  testUsers(kind, "an owner who does not exist gets no task, and uses up no id", async (place) => {
    const { store, a } = place;
    for (const owner of NOBODY) {
      assert.equal(await store.add(owner, task()), undefined, owner);
      assert.deepEqual(await all(store, owner), []);
    }
    assert.equal((await add(store, a.id)).id, 1);
  });

  testUsers(kind, "an id is never used again, whoever owns it", async ({ store, a, b }) => {
    const tasks: [owner: string, task: Task][] = [];
    for (const { id } of [a, b, a]) tasks.push([id, await add(store, id)]);
    const [, newest = assert.fail()] = tasks.pop() ?? [];
    assert.equal(newest.id, 3);
    assert.equal(await store.remove(a.id, newest), true);
    tasks.push([b.id, await add(store, b.id)]);
    for (const [owner, task] of tasks) assert.equal(await store.remove(owner, task), true);
    assert.deepEqual([...await all(store, a.id), ...await all(store, b.id)], []);
    const later = [await add(store, b.id), await add(store, a.id)];
    assert.deepEqual([...idsOf(tasks.map(([, task]) => task)), ...idsOf(later)], [1, 2, 4, 5, 6]);
  });

  testUsers(kind, "tasks added at the same time get different ids", async ({ store, a }) => {
    const titles = Array.from({ length: 20 }, (_, i) => `${i}`);
    const tasks = await Promise.all(titles.map((title) => add(store, a.id, { title })));
    assert.deepEqual(idsOf(tasks).sort((x, y) => x - y), titles.map((title) => Number(title) + 1));
    assert.deepEqual(await all(store, a.id), tasks.sort((x, y) => x.id - y.id));
  });

  testUsers(kind, "an update changes the fields given and no others", async ({ store, a }) => {
    const rows: Partial<TaskFields>[] = [
      { title: "new" },
      { description: "" },
      { done: true },
      { done: false, title: "newer" },
      {},
    ];
    let mine = await add(store, a.id, { title: "old", description: "old" });
    const other = await add(store, a.id);
    for (const changes of rows) {
      const updated = await store.update(a.id, mine, changes) ?? assert.fail();
      assert.deepEqual(updated, { ...mine, ...changes, revision: updated.revision });
      assert.deepEqual(await store.get(a.id, mine.id), updated);
      assert.deepEqual(await all(store, a.id), [updated, other]);
      mine = updated;
    }
  });

  testUsers(kind, "a task object that was read stays as it was", async ({ store, a }) => {
    const old = { ...await add(store, a.id, { title: "old" }) };
    const read = await store.get(a.id, old.id);
    const { tasks, total } = await store.list(a.id, 10);
    await add(store, a.id);
    const updated = await store.update(a.id, old, { title: "new" }) ?? assert.fail();
    assert.deepEqual([read, ...tasks], [old, old]);
    await store.remove(a.id, updated);
    assert.deepEqual([read, ...tasks], [old, old]);
    assert.equal(total, 1);
  });

  testUsers(kind, "a task that changed since it was read is not changed", async ({ store, a }) => {
    const read = await add(store, a.id);
    const changed = await store.update(a.id, read, { done: true }) ?? assert.fail();
    const back = await store.update(a.id, changed, { done: false }) ?? assert.fail();
    assert.deepEqual({ ...back, revision: read.revision }, read);
    for (const stale of [read, changed]) {
      assert.equal(await store.update(a.id, stale, { title: "y" }), undefined);
      assert.equal(await store.remove(a.id, stale), false);
    }
    assert.deepEqual(await all(store, a.id), [back]);
    assert.equal(await store.remove(a.id, back), true);
    for (const gone of [read, changed, back]) {
      assert.equal(await store.update(a.id, gone, { title: "y" }), undefined);
      assert.equal(await store.remove(a.id, gone), false);
    }
    assert.deepEqual(await all(store, a.id), []);
  });

  testUsers(kind, "of several changes of one task at once, one is made", async ({ store, a }) => {
    const mine = await add(store, a.id);
    const titles = Array.from({ length: 10 }, (_, i) => `${i}`);
    const updates = await Promise.all(titles.map((title) => store.update(a.id, mine, { title })));
    const [won = assert.fail(), ...more] = updates.filter((updated) => updated !== undefined);
    assert.deepEqual(more, []);
    assert.deepEqual(await store.get(a.id, mine.id), won);
    const removals = await Promise.all(titles.map(() => store.remove(a.id, won)));
    assert.deepEqual(removals.filter((removed) => removed), [true]);
  });

  testUsers(kind, "changes of one task at once are all made", async ({ store, a }) => {
    const { id } = await add(store, a.id, { description: "" });
    const append = (text: string) =>
      readAndChange(
        async () => await store.get(a.id, id) ?? assert.fail(),
        (task) => store.update(a.id, task, { description: task.description + text }),
      );
    await Promise.all("abcdefghij".split("").map(append));
    const { description } = await store.get(a.id, id) ?? assert.fail();
    assert.equal(description.split("").sort().join(""), "abcdefghij");
  });

  testUsers(
    kind,
    "a change gives up if others are quicker until its time is over",
    async (place) => {
      const { store, a } = place;
      const other = kind.shared ? await place.another() : store;
      const { id } = await add(store, a.id);
      const read = async () => await store.get(a.id, id) ?? assert.fail();
      const client = { until: Infinity, gone: false };
      let tries = 0;
      let quicker = 2;
      const rename = () =>
        readAndChange(
          read,
          async (task) => {
            tries++;
            if (quicker-- > 0) {
              assert.ok(await other.update(a.id, await read(), { done: tries % 2 > 0 }));
            }
            return await store.update(a.id, task, { title: "mine" });
          },
          client,
        );
      assert.equal((await rename()).title, "mine");
      assert.equal(tries, 3);
      assert.deepEqual(await read(), { ...await read(), title: "mine", done: false });
      for (const [isLate, until] of [[true, 0], [false, Infinity]] as const) {
        [tries, quicker] = [0, Infinity];
        Object.assign(client, { until, gone: !isLate });
        await assert.rejects(rename, Unavailable);
        assert.equal(tries, 1);
      }
    },
  );

  testUsers(kind, "if there is no such task, the result says so", async ({ store, a }) => {
    const mine = await add(store, a.id);
    for (const id of [0, -1, 1.5, 2, 999, 2 ** 53, 1e300, Infinity]) {
      assert.equal(await store.get(a.id, id), undefined, `${id}`);
      assert.equal(await store.update(a.id, { ...mine, id }, { title: "y" }), undefined, `${id}`);
      assert.equal(await store.remove(a.id, { ...mine, id }), false, `${id}`);
    }
    assert.deepEqual(await all(store, a.id), [mine]);
  });

  testUsers(kind, "every write makes a new revision", async (place) => {
    const { store, a, b } = place;
    const revisions = [a.revision, b.revision];
    let user = a;
    for (const owner of [a.id, b.id, a.id, b.id, a.id]) {
      const added = await add(store, owner);
      const same = await store.update(owner, added, {}) ?? assert.fail();
      user = await store.updateUser(user, {}) ?? assert.fail();
      revisions.push(added.revision, same.revision, user.revision);
      await store.remove(owner, same);
    }
    const registered = await addUser(store, "c");
    assert.equal(await store.removeUser(registered), true);
    revisions.push(registered.revision, (await addUser(store, "c")).revision);
    assert.equal(new Set(revisions).size, revisions.length, `${revisions}`);
  });

  testUsers(kind, "only changes of its owner renew a list's revision", async (place) => {
    const { store, a, b } = place;
    const mine = await add(store, a.id);
    const other = await add(store, b.id);
    const changed = async () => await store.get(a.id, mine.id) ?? assert.fail();
    const rows: [name: string, act: () => unknown, renews: boolean][] = [
      ["add", () => store.add(a.id, task()), true],
      ["update", () => store.update(a.id, mine, { done: true }), true],
      ["stale update", () => store.update(a.id, mine, { done: false }), false],
      ["update with nothing", async () => store.update(a.id, await changed(), {}), true],
      ["stale remove", () => store.remove(a.id, mine), false],
      ["get", () => store.get(a.id, mine.id), false],
      ["list", () => store.list(a.id, 1), false],
      ["read", () => store.read(a.id, [mine.id]), false],
      ["another's add", () => store.add(b.id, task()), false],
      ["another's update", () => store.update(b.id, other, { done: true }), false],
      ["nobody's add", () => store.add("nobody", task()), false],
      ["addUser", () => store.addUser("d", HASH), false],
      ["updateUser", () => store.updateUser(a, { email: "a@example.com" }), false],
      ["another's removeUser", () => store.removeUser(b), false],
      ["remove", async () => store.remove(a.id, await changed()), true],
    ];
    const seen = new Set<number>();
    for (const [name, act, renews] of rows) {
      const { revision: before } = await store.list(a.id, 1);
      seen.add(before);
      await act();
      const { revision: after } = await store.list(a.id, 1);
      assert.equal(seen.has(after), !renews, name);
      assert.equal(after === before, !renews, name);
      assert.equal((await store.list(a.id)).revision, after, name);
    }
  });

  testNew(kind, "two stores never share an epoch", async ({ store, elsewhere }) => {
    const epochs = [store.epoch, (await elsewhere()).epoch];
    assert.equal(new Set(epochs).size, 2);
    for (const epoch of epochs) assert.match(epoch, /^[\w-]+$/); // it stands in an entity tag
  });
}
