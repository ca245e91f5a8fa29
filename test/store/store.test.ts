// What any store promises, as a suite that is run over each kind of store.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test, type TestContext } from "node:test";
import { EtcdStore } from "../../lib/store/etcd/store.ts";
import { MemoryStore } from "../../lib/store/memory.ts";
import { SqliteStore } from "../../lib/store/sqlite/store.ts";
import type { Filter, Store, Task, TaskFields, User } from "../../lib/store/store.ts";
import { type Cluster, NO_ETCD, startCluster } from "../tools/etcd.ts";
import { newFile, NO_SQLITE } from "../tools/files.ts";

const fields = (title: string, done = false): TaskFields => ({
  title,
  description: `${title}?`,
  done,
});
const HASH = { password: "a hash", email: "" };
const FAR = 1e17; // where the greatest page that may be asked for begins

const idsOf = (tasks: readonly Task[]) => tasks.map(({ id }) => id);

async function add(store: Store, owner: string, title: string, done = false): Promise<Task> {
  const task = await store.add(owner, fields(title, done));
  assert.ok(task, `there is no ${owner}`);
  return task;
}

/** Adds many, some at the same time, so that a disk is waited for less often; in order of their ids. */
async function addMany(
  store: Store,
  count: number,
  what: (i: number) => [owner: string, title: string, done?: boolean],
): Promise<Task[]> {
  const tasks: Task[] = [];
  for (let i = 0; i < count; i += 20) {
    const some = Array.from({ length: Math.min(20, count - i) }, (_, j) => what(i + j));
    tasks.push(...await Promise.all(some.map((task) => add(store, ...task))));
  }
  return tasks.sort((x, y) => x.id - y.id);
}

async function addUser(store: Store, username: string): Promise<User> {
  const user = await store.addUser(username, HASH);
  assert.ok(user, `there is a ${username}`);
  return user;
}

/** Everything that passes, in one piece. */
async function all(store: Store, owner: string, filter: Filter = {}): Promise<readonly Task[]> {
  return (await store.list(owner, filter, 0, 100_000)).tasks;
}

/** Everything that a walk gives; between two slices, `meanwhile` has its turn. */
async function walked(
  store: Store,
  filter: Filter = {},
  meanwhile = async (_: number) => {},
): Promise<Task[]> {
  const tasks: Task[] = [];
  let slices = 0;
  for await (const slice of store.walk("a", filter)) {
    tasks.push(...slice);
    await meanwhile(++slices);
  }
  return tasks;
}

/** A kind of store: how an empty one is made, whose place goes with the test, or why it cannot be. */
interface Kind {
  readonly name: string;
  readonly skip?: string | false;
  /** More tasks than it reads in one slice. */
  readonly many?: number;
  make(t: TestContext): Store | Promise<Store>;
}
let cluster: Cluster | undefined;
before(async () => NO_ETCD || (cluster = await startCluster(3)));
after(() => cluster?.stop());

const KINDS: Kind[] = [
  { name: "MemoryStore", make: () => new MemoryStore() },
  {
    name: "SqliteStore",
    skip: NO_SQLITE,
    make: async (t) => await SqliteStore.open(await newFile(t)),
  },
  {
    name: "EtcdStore",
    skip: NO_ETCD,
    many: 250,
    make: () => EtcdStore.open(cluster?.url ?? "", `${randomUUID()}/`),
  },
];

/** Makes tests of a store that has the users a and b. */
function suite({ name, make: makeStore, skip = false, many = 1500 }: Kind): void {
  const promises = (
    promise: string,
    check: (store: Store, a: User, b: User) => Promise<void>,
  ) =>
    test(`${name}: ${promise}`, { skip }, async (t) => {
      const store = await makeStore(t);
      t.after(() => store.close());
      await check(store, await addUser(store, "a"), await addUser(store, "b"));
    });

  promises("a list has its tasks in order of creation, ids rising by one", async (store) => {
    assert.deepEqual(await all(store, "a"), []);
    const tasks: Task[] = [];
    for (const title of ["z", "m", "a"]) tasks.push(await add(store, "a", title));
    assert.deepEqual(idsOf(tasks), [1, 2, 3]);
    assert.deepEqual(await all(store, "a"), tasks);
  });

  promises("a task that was added is what is read", async (store) => {
    for (const title of ["", "'; DROP TABLE tasks; --", "\0", "😀", "\ud800", " a\r\n", "\uffff"]) {
      const task = await add(store, "a", title, true);
      assert.deepEqual(task, { ...fields(title, true), id: task.id, revision: task.revision });
      assert.deepEqual(await store.get("a", task.id), task);
      assert.deepEqual((await all(store, "a")).at(-1), task);
    }
  });

  promises("another owner's task is not there", async (store) => {
    const task = await add(store, "a", "mine");
    for (const owner of ["b", "A", "", "a/", "__proto__"]) {
      assert.deepEqual(await all(store, owner), []);
      assert.equal((await store.list(owner, {}, 0, 1)).total, 0);
      for await (const slice of store.walk(owner, {})) assert.deepEqual(slice, []);
      assert.equal(await store.get(owner, task.id), undefined);
      assert.equal(await store.update(owner, task, { title: "theirs" }), undefined);
      assert.equal(await store.remove(owner, task), false);
    }
    assert.deepEqual(await all(store, "a"), [task]);
  });

  promises("who is no user has no list to add to, and uses up no id", async (store) => {
    for (const owner of ["c", "A", "", "__proto__"]) {
      assert.equal(await store.add(owner, fields("x")), undefined);
      assert.deepEqual(await all(store, owner), []);
    }
    assert.equal((await add(store, "a", "x")).id, 1);
  });

  promises("an id is never used again, whoever owns it", async (store) => {
    const tasks: [owner: string, task: Task][] = [];
    for (const owner of ["a", "b", "a"]) tasks.push([owner, await add(store, owner, "x")]);
    const [, newest = assert.fail()] = tasks.pop() ?? [];
    assert.equal(newest.id, 3);
    assert.equal(await store.remove("a", newest), true);
    tasks.push(["b", await add(store, "b", "x")]);
    for (const [owner, task] of tasks) assert.equal(await store.remove(owner, task), true);
    assert.deepEqual([...await all(store, "a"), ...await all(store, "b")], []);
    const later = [await add(store, "b", "x"), await add(store, "a", "x")];
    assert.deepEqual([...idsOf(tasks.map(([, task]) => task)), ...idsOf(later)], [1, 2, 4, 5, 6]);
  });

  promises("what is added at the same time gets an id each", async (store) => {
    const titles = Array.from({ length: 20 }, (_, i) => `${i}`);
    const tasks = await Promise.all(titles.map((title) => add(store, "a", title)));
    assert.deepEqual(idsOf(tasks).sort((x, y) => x - y), titles.map((title) => Number(title) + 1));
    assert.deepEqual(await all(store, "a"), tasks.sort((x, y) => x.id - y.id));
  });

  promises("an update changes the fields given and no others", async (store) => {
    const rows: Partial<TaskFields>[] = [
      { title: "new" },
      { description: "" },
      { done: true },
      { done: false, title: "newer" },
      {},
    ];
    let task = await add(store, "a", "old");
    const other = await add(store, "a", "other");
    for (const changes of rows) {
      const updated = await store.update("a", task, changes) ?? assert.fail();
      assert.deepEqual(updated, { ...task, ...changes, revision: updated.revision });
      assert.deepEqual(await store.get("a", task.id), updated);
      assert.deepEqual(await all(store, "a"), [updated, other]);
      task = updated;
    }
  });

  promises("what was read stays as it was", async (store) => {
    const old = { ...await add(store, "a", "old") };
    const read = await store.get("a", old.id);
    const { tasks, total } = await store.list("a", {}, 0, 10);
    await add(store, "a", "another");
    const updated = await store.update("a", old, { title: "new" }) ?? assert.fail();
    assert.deepEqual([read, ...tasks], [old, old]);
    await store.remove("a", updated);
    assert.deepEqual([read, ...tasks], [old, old]);
    assert.equal(total, 1);
  });

  promises("who has read a task before its last change changes nothing", async (store) => {
    const read = await add(store, "a", "x");
    const changed = await store.update("a", read, { done: true }) ?? assert.fail();
    const back = await store.update("a", changed, { done: false }) ?? assert.fail();
    assert.deepEqual({ ...back, revision: read.revision }, read);
    for (const stale of [read, changed]) {
      assert.equal(await store.update("a", stale, { title: "y" }), undefined);
      assert.equal(await store.remove("a", stale), false);
    }
    assert.deepEqual(await all(store, "a"), [back]);
    assert.equal(await store.remove("a", back), true);
    for (const gone of [read, changed, back]) {
      assert.equal(await store.update("a", gone, { title: "y" }), undefined);
      assert.equal(await store.remove("a", gone), false);
    }
    assert.deepEqual(await all(store, "a"), []);
  });

  promises("of those who change one task at the same time, one does", async (store) => {
    const task = await add(store, "a", "x");
    const titles = Array.from({ length: 10 }, (_, i) => `${i}`);
    const updates = await Promise.all(
      titles.map((title) => store.update("a", task, { title })),
    );
    const [won = assert.fail(), ...more] = updates.filter((updated) => updated !== undefined);
    assert.deepEqual(more, []);
    assert.deepEqual(await store.get("a", task.id), won);
    const removals = await Promise.all(titles.map(() => store.remove("a", won)));
    assert.deepEqual(removals.filter((removed) => removed), [true]);
  });

  promises("where there is no such task, the answer says so", async (store) => {
    const task = await add(store, "a", "x");
    for (const id of [0, -1, 1.5, 2, 999, 2 ** 53, 1e300, Infinity]) {
      assert.equal(await store.get("a", id), undefined, `${id}`);
      assert.equal(await store.update("a", { ...task, id }, { title: "y" }), undefined, `${id}`);
      assert.equal(await store.remove("a", { ...task, id }), false, `${id}`);
    }
    assert.deepEqual(await all(store, "a"), [task]);
  });

  promises("a filter lets those pass whose done and whose title's beginning fit", async (store) => {
    const titles = ["", "a", "A", "ab", "aB", "a%b", "a_b", "a*", "[a]", "a\0b", "\0", "a\uffff"];
    titles.push("é", "e\u0301", "😀 smile", "😁 grin", "\ue000", "\u{10ffff}", "\u{10ffff}z");
    const tasks: Task[] = [];
    for (const title of titles) {
      for (const done of [false, true]) tasks.push(await add(store, "a", title, done));
      await add(store, "b", title);
    }
    for (const titlePrefix of [...titles, "ba", "%", "_", "*", "e", "😀", "ab ", undefined]) {
      for (const done of [false, true, undefined]) {
        const filter = { done, titlePrefix };
        const passing = tasks.filter((task) =>
          (done === undefined || task.done === done) && task.title.startsWith(titlePrefix ?? "")
        );
        const { tasks: listed, total } = await store.list("a", filter, 0, 100);
        assert.deepEqual(listed, passing, JSON.stringify(filter));
        assert.equal(total, passing.length, JSON.stringify(filter));
        assert.deepEqual(await walked(store, filter), passing, JSON.stringify(filter));
      }
    }
    assert.deepEqual(await all(store, "a", {}), tasks);
  });

  promises("a filter judges a task as it is now", async (store) => {
    const task = await add(store, "a", "x");
    const other = await add(store, "a", "y", true);
    const updated = await store.update("a", task, { title: "z", done: true }) ?? assert.fail();
    assert.deepEqual(await all(store, "a", { done: false }), []);
    assert.deepEqual(await all(store, "a", { titlePrefix: "x" }), []);
    assert.deepEqual(await all(store, "a", { titlePrefix: "z" }), [updated]);
    assert.deepEqual(await all(store, "a", { done: true }), [updated, other]);
    await store.remove("a", updated);
    assert.deepEqual(await all(store, "a", { done: true }), [other]);
  });

  promises("a part is so many tasks after so many, of all that pass", async (store) => {
    for (let i = 0; i < 9; i++) await add(store, "a", i % 3 === 0 ? "x" : "y", i % 2 === 0);
    for (const filter of [{}, { done: true }, { titlePrefix: "y" }, { titlePrefix: "no" }]) {
      const passing = await all(store, "a", filter);
      for (const offset of [0, 1, 2, 4, 8, 9, 10, FAR]) {
        for (const limit of [1, 2, 5, 9, 10, 100]) {
          const { tasks, total } = await store.list("a", filter, offset, limit);
          const place = `${JSON.stringify(filter)}: ${limit} after ${offset}`;
          assert.deepEqual(tasks, passing.slice(offset, offset + limit), place);
          assert.equal(total, passing.length, place);
        }
      }
    }
  });

  promises("every task is found among 1000 of which many are gone", async (store) => {
    const added = await addMany(store, 1200, (i) => [i % 6 === 0 ? "b" : "a", `${i}`]);
    const tasks = added.filter(({ title }) => Number(title) % 6 !== 0);
    const here = new Map(tasks.map((task) => [task.id, task]));
    let seed = 1; // Park and Miller's: the same tasks in every run
    while (here.size > 400) {
      seed = seed * 48271 % 2147483647;
      const task = tasks[seed % tasks.length] ?? assert.fail();
      assert.equal(await store.remove("a", task), here.delete(task.id), `${task.id}`);
    }
    for (const { id } of tasks) assert.deepEqual(await store.get("a", id), here.get(id));
    const { tasks: part, total } = await store.list("a", {}, 190, 20);
    assert.deepEqual(part, [...here.values()].slice(190, 210));
    assert.equal(total, 400);
    assert.deepEqual(await all(store, "a"), [...here.values()]);
  });

  promises("a list is of one moment and has its revision, whatever changes", async (store) => {
    await addMany(store, many, (i) => ["a", `${i}`]);
    const changes: ((last: Task) => unknown)[] = [
      (last) => store.update("a", last, { description: "changed" }),
      (last) => store.remove("a", last),
      () => add(store, "a", "1 more"),
    ];
    for (const filter of [{}, { done: false }, { titlePrefix: "1" }]) {
      for (const change of changes) {
        const read = () => store.list("a", filter, 0, 2 * many);
        const before = await read();
        const underWay = read();
        await change(before.tasks.at(-1) ?? assert.fail());
        const after = await read();
        assert.notDeepEqual(after, before);
        const got = await underWay;
        assert.deepEqual(got, got.revision === before.revision ? before : after);
      }
    }
  });

  promises("a walk goes through all in order, in slices", async (store) => {
    await addMany(store, many, (i) => [i % 4 === 0 ? "b" : "a", `${i}`, i % 3 === 0]);
    let slices = 0;
    const count = (n: number) => Promise.resolve(void (slices = n));
    assert.deepEqual(await walked(store, {}, count), await all(store, "a"));
    assert.ok(slices > 1);
    const filter = { done: true, titlePrefix: "1" };
    assert.deepEqual(await walked(store, filter), await all(store, "a", filter));
    for await (const _ of store.walk("a", {})) break; // a reader that goes away
    assert.deepEqual(await walked(store), await all(store, "a"));
  });

  promises("a walk sees what is there from its start to its end, once and whole", async (store) => {
    for (const filter of [{}, { done: false }]) {
      const states = new Map<number, Task>(); // by revision, every state that a task was in
      const note = (task: Task | undefined) => task && states.set(task.revision, task);
      (await addMany(store, many, (i) => ["a", `${i}`])).forEach(note);
      const here = new Map((await all(store, "a", filter)).map((task) => [task.id, task]));
      here.forEach(note);
      let added = 0;
      let seed = 1;
      const seen = await walked(store, filter, async () => {
        for (let i = 0; i < 60; i++) {
          seed = seed * 48271 % 2147483647;
          const task = [...here.values()][seed % here.size] ?? assert.fail();
          const current = await store.get("a", task.id) ?? assert.fail();
          const kind = seed % 3;
          if (kind === 0 && added++ < 200) note(await add(store, "a", "added"));
          if (kind === 1) {
            const changes = { title: "changed", description: "too", done: i % 4 === 0 };
            note(await store.update("a", current, changes));
            if (filter.done !== undefined && changes.done) here.delete(task.id);
          }
          if (kind === 2) {
            assert.equal(await store.remove("a", current), true);
            here.delete(task.id);
          }
        }
      });
      const ids = idsOf(seen);
      assert.deepEqual(ids, [...new Set(ids)].sort((a, b) => a - b));
      assert.deepEqual([...here.keys()].filter((id) => !ids.includes(id)), []);
      for (const task of seen) {
        assert.deepEqual(task, states.get(task.revision));
        assert.equal(task.done, filter.done ?? task.done);
      }
    }
  });

  promises("a walk ends when the owner is removed", async (store, a) => {
    await addMany(store, many, (i) => ["a", `${i}`]);
    const seen = await walked(store, {}, async (slice) => {
      if (slice === 1) assert.equal(await store.removeUser(a), true);
    });
    assert.ok(seen.length < many, `${seen.length} tasks`);
  });

  promises("every write gives a revision that never was before", async (store, a, b) => {
    const revisions = [a.revision, b.revision];
    let user = a;
    for (let i = 0; i < 5; i++) {
      const task = await add(store, i % 2 === 0 ? "a" : "b", "x");
      const owner = i % 2 === 0 ? "a" : "b";
      const same = await store.update(owner, task, {}) ?? assert.fail();
      user = await store.updateUser(user, {}) ?? assert.fail();
      revisions.push(task.revision, same.revision, user.revision);
      await store.remove(owner, same);
    }
    const registered = await addUser(store, "c");
    assert.equal(await store.removeUser(registered), true);
    revisions.push(registered.revision, (await addUser(store, "c")).revision);
    assert.equal(new Set(revisions).size, revisions.length, `${revisions}`);
  });

  promises("the list's revision is renewed by the owner's changes alone", async (store, a, b) => {
    const task = await add(store, "a", "x");
    const other = await add(store, "b", "x");
    const changed = async () => await store.get("a", task.id) ?? assert.fail();
    const rows: [name: string, act: () => unknown, renews: boolean][] = [
      ["add", () => store.add("a", fields("y")), true],
      ["update", () => store.update("a", task, { done: true }), true],
      ["stale update", () => store.update("a", task, { done: false }), false],
      ["update with nothing", async () => store.update("a", await changed(), {}), true],
      ["stale remove", () => store.remove("a", task), false],
      ["get", () => store.get("a", task.id), false],
      ["list", () => store.list("a", { done: true }, 0, 1), false],
      ["walk", () => walked(store), false],
      ["another's add", () => store.add("b", fields("y")), false],
      ["another's update", () => store.update("b", other, { done: true }), false],
      ["nobody's add", () => store.add("c", fields("y")), false],
      ["addUser", () => store.addUser("d", HASH), false],
      ["updateUser", () => store.updateUser(a, { email: "a@example.com" }), false],
      ["another's removeUser", () => store.removeUser(b), false],
      ["remove", async () => store.remove("a", await changed()), true],
    ];
    const seen = new Set<number>();
    for (const [name, act, renews] of rows) {
      const { revision: before } = await store.list("a", {}, 0, 1);
      seen.add(before);
      await act();
      const { revision: after } = await store.list("a", {}, 0, 1);
      assert.equal(seen.has(after), !renews, name);
      assert.equal(after === before, !renews, name);
      for (const filter of [{ done: true }, { titlePrefix: "no" }]) {
        assert.equal((await store.list("a", filter, 0, 1)).revision, after, name);
      }
    }
  });

  test(`${name}: two stores never share an epoch`, { skip }, async (t) => {
    const [one, two] = [await makeStore(t), await makeStore(t)];
    t.after(() => Promise.all([one.close(), two.close()]));
    assert.notEqual(one.epoch, two.epoch);
    for (const { epoch } of [one, two]) assert.match(epoch, /^[\w-]+$/); // it stands in a tag
  });

  promises("a user that was added is what is read", async (store, a) => {
    assert.deepEqual(a, { username: "a", ...HASH, revision: a.revision });
    assert.deepEqual(await store.user("a"), a);
    const email = "żółw@example.com";
    const added = await store.addUser("A", { password: "$:/=", email }) ?? assert.fail();
    const { revision } = added;
    assert.deepEqual(added, { username: "A", password: "$:/=", email, revision });
    assert.deepEqual([await store.user("A"), await store.user("a")], [added, a]);
    for (const none of ["c", "", "a/", "__proto__"]) {
      assert.equal(await store.user(none), undefined, none);
    }
  });

  promises("a name is one user's only", async (store, a) => {
    const task = await add(store, "a", "x");
    assert.equal(await store.addUser("a", { password: "another", email: "b" }), undefined);
    assert.deepEqual([await store.user("a"), await all(store, "a")], [a, [task]]);
    const users = await Promise.all(Array.from({ length: 5 }, () => store.addUser("c", HASH)));
    const [won, ...more] = users.filter((user) => user !== undefined);
    assert.deepEqual(more, []);
    assert.deepEqual(await store.user("c"), won ?? assert.fail());
  });

  promises("an update of a user changes the fields given and no others", async (store, a, b) => {
    const task = await add(store, "a", "x");
    let user = a;
    for (const changes of [{ email: "a@example.com" }, { password: "another" }, {}]) {
      const updated = await store.updateUser(user, changes) ?? assert.fail();
      assert.deepEqual(updated, { ...user, ...changes, revision: updated.revision });
      assert.deepEqual([await store.user("a"), await store.user("b")], [updated, b]);
      user = updated;
    }
    assert.deepEqual(await all(store, "a"), [task]);
  });

  promises("who has read a user before the last change changes nothing", async (store, a) => {
    const task = await add(store, "a", "x");
    const changed = await store.updateUser(a, { email: "a@example.com" }) ?? assert.fail();
    assert.equal(await store.updateUser(a, { email: "" }), undefined);
    assert.equal(await store.removeUser(a), false);
    assert.deepEqual([await store.user("a"), await all(store, "a")], [changed, [task]]);
    assert.equal(await store.removeUser(changed), true);
    for (const gone of [a, changed]) {
      assert.equal(await store.updateUser(gone, { email: "" }), undefined);
      assert.equal(await store.removeUser(gone), false);
    }
    assert.equal(await store.user("a"), undefined);
  });

  promises("who changes a task changes nothing of its owner", async (store, a) => {
    await store.remove("a", await add(store, "a", "x"));
    assert.deepEqual(await store.user("a"), a);
  });

  promises("a user takes the tasks along and leaves the ids behind", async (store, a, b) => {
    const kept = await add(store, "b", "x");
    const newest = await add(store, "a", "x");
    const { revision } = await store.list("a", {}, 0, 1);
    assert.equal(await store.removeUser(a), true);
    const isGone = async () => {
      assert.deepEqual([await all(store, "a"), await walked(store)], [[], []]);
      assert.equal(await store.get("a", newest.id), undefined);
      assert.equal(await store.update("a", newest, { done: true }), undefined);
      assert.equal(await store.remove("a", newest), false);
    };
    await isGone();
    assert.equal(await store.add("a", fields("y")), undefined);
    const again = await addUser(store, "a");
    await isGone();
    assert.equal(await store.removeUser(a), false); // who had the name before
    assert.deepEqual(await store.user("a"), again);
    assert.notEqual((await store.list("a", {}, 0, 1)).revision, revision);
    const task = await add(store, "a", "y");
    assert.equal(task.id, newest.id + 1);
    assert.deepEqual(await all(store, "a"), [task]);
    assert.deepEqual([await store.user("b"), await all(store, "b")], [b, [kept]]);
  });
}

KINDS.forEach(suite);
