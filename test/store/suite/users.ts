// What any store promises of accounts.

import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import type { User } from "../../../lib/store/store.ts";
import { add, addUser, all, HASH, type Kind, task } from "../../tools/stores.ts";
import { testNew, testUsers } from "../../tools/stores.ts";

/** Usernames that mean something to JavaScript, SQL or a path, and the longest that may be sent. */
const NAMES = ["A", "-", "a.", "_", "a-b", "0", "1e3", "null", "__proto__", "constructor"];
NAMES.push("x".repeat(64));

const FIRST = [task({ title: "one" }), task({ title: "two", done: true })];

/** Makes tests of a store's accounts. */
export function userPromises(kind: Kind): void {
  testUsers(kind, "a user is read as they were added", async ({ store, a, b }) => {
    const { id, revision } = a;
    assert.ok(typeof id === "string" && id !== "");
    assert.deepEqual(a, { id, username: "a", ...HASH, revision });
    assert.deepEqual(await store.user("a"), a);
    const ids = [id, b.id];
    const texts = ["żółw@example.com", "$:/=", "", "\0", "\ud800", "'--"];
    for (const [i, username] of NAMES.entries()) {
      assert.equal(await store.user(username), undefined, username);
      const fields = { password: texts.at(-i) ?? "", email: texts[i % texts.length] ?? "" };
      const added = await store.addUser(username, fields) ?? assert.fail();
      const { id, revision } = added;
      assert.deepEqual(added, { id, username, ...fields, revision });
      assert.deepEqual([await store.user(username), await store.user("a")], [added, a]);
      const hers = await add(store, id);
      assert.deepEqual(await all(store, id), [hers]);
      ids.push(id);
    }
    assert.equal(new Set(ids).size, ids.length, `${ids}`);
    for (const none of ["c", "", "a/"]) assert.equal(await store.user(none), undefined, none);
  });

  testUsers(kind, "only one user can have a name", async ({ store, a }) => {
    const mine = await add(store, a.id);
    assert.equal(await store.addUser("a", { password: "another", email: "b" }), undefined);
    assert.deepEqual([await store.user("a"), await all(store, a.id)], [a, [mine]]);
    const users = await Promise.all(Array.from({ length: 5 }, () => store.addUser("c", HASH)));
    const [won, ...more] = users.filter((user) => user !== undefined);
    assert.deepEqual(more, []);
    assert.deepEqual(await store.user("c"), won ?? assert.fail());
  });

  testUsers(kind, "an update of a user changes the fields given and no others", async (place) => {
    const { store, a, b } = place;
    const mine = await add(store, a.id);
    let user = a;
    for (const changes of [{ email: "a@example.com" }, { password: "another" }, {}]) {
      const updated = await store.updateUser(user, changes) ?? assert.fail();
      assert.deepEqual(updated, { ...user, ...changes, revision: updated.revision });
      assert.deepEqual([await store.user("a"), await store.user("b")], [updated, b]);
      user = updated;
    }
    assert.deepEqual(await all(store, a.id), [mine]);
  });

  testUsers(kind, "a user who changed since they were read is not changed", async (place) => {
    const { store, a } = place;
    const mine = await add(store, a.id);
    const changed = await store.updateUser(a, { email: "a@example.com" }) ?? assert.fail();
    assert.equal(await store.updateUser(a, { email: "" }), undefined);
    assert.equal(await store.removeUser(a), false);
    assert.deepEqual([await store.user("a"), await all(store, a.id)], [changed, [mine]]);
    assert.equal(await store.removeUser(changed), true);
    for (const gone of [a, changed]) {
      assert.equal(await store.updateUser(gone, { email: "" }), undefined);
      assert.equal(await store.removeUser(gone), false);
    }
    assert.equal(await store.user("a"), undefined);
  });

  testUsers(kind, "of two removals of a user at once, one succeeds", async ({ store, a }) => {
    const removed = await Promise.all([store.removeUser(a), store.removeUser(a)]);
    assert.deepEqual(removed.sort(), [false, true]);
  });

  testUsers(kind, "a change of a task does not change its owner", async ({ store, a }) => {
    await store.remove(a.id, await add(store, a.id));
    assert.deepEqual(await store.user("a"), a);
  });

  testUsers(kind, "a removed user's tasks are gone, and their ids stay used", async (place) => {
    const { store, a, b } = place;
    const kept = await add(store, b.id);
    const newest = await add(store, a.id);
    const { revision } = await store.list(a.id, 1);
    assert.equal(await store.removeUser(a), true);
    const again = await addUser(store, "a");
    for (const owner of [a.id, again.id]) {
      assert.deepEqual(await all(store, owner), []);
      assert.equal(await store.get(owner, newest.id), undefined);
      assert.equal(await store.update(owner, newest, { done: true }), undefined);
      assert.equal(await store.remove(owner, newest), false);
    }
    assert.notEqual((await store.list(again.id, 1)).revision, revision);
    const next = await add(store, again.id);
    assert.equal(next.id, newest.id + 1);
    assert.deepEqual(await all(store, again.id), [next]);
    assert.deepEqual([await store.user("b"), await all(store, b.id)], [b, [kept]]);
  });

  testUsers(kind, "a name that is registered again is a new account", async (place) => {
    const { store, a, b } = place;
    const before: User[] = [];
    let user = b; // the newest account: its number must not come back
    for (let i = 0; i < 3; i++) {
      before.push(user);
      const old = await add(store, user.id);
      assert.equal(await store.removeUser(user), true);
      assert.equal(await store.add(user.id, task()), undefined);
      user = await addUser(store, "b");
      const hers = await add(store, user.id);
      for (const gone of before) {
        assert.notEqual(gone.id, user.id);
        assert.deepEqual(await all(store, gone.id), []);
        assert.equal(await store.add(gone.id, task()), undefined);
        for (const one of [old, hers]) {
          assert.equal(await store.get(gone.id, one.id), undefined);
          assert.equal(await store.update(gone.id, one, { done: true }), undefined);
          assert.equal(await store.remove(gone.id, one), false);
        }
        assert.equal(await store.updateUser(gone, { password: "taken" }), undefined);
        assert.equal(await store.removeUser(gone), false);
      }
      assert.deepEqual([await store.user("b"), await all(store, user.id)], [user, [hers]]);
      assert.deepEqual([await store.user("a"), await all(store, a.id)], [a, []]);
    }
  });

  testNew(kind, "the first user is added with their tasks, and only once", async ({ store }) => {
    const first = await store.addFirst("a", HASH, FIRST) ?? assert.fail();
    const tasks = await all(store, first.id);
    const isThere = async () => {
      assert.deepEqual([await store.user("a"), await all(store, first.id)], [first, tasks]);
    };
    assert.deepEqual(first, { id: first.id, username: "a", ...HASH, revision: first.revision });
    assert.deepEqual(
      tasks,
      FIRST.map((fields, i) => ({ ...fields, id: i + 1, revision: tasks[i]?.revision })),
    );
    await isThere();
    for (const username of ["a", "b"]) {
      assert.equal(await store.addFirst(username, HASH, FIRST), undefined);
      await isThere();
    }
    assert.equal(await store.user("b"), undefined);
    assert.equal(await store.removeUser(first), true);
    for (const username of ["a", "b"]) {
      assert.equal(await store.addFirst(username, HASH, FIRST), undefined);
      assert.equal(await store.user(username), undefined);
    }
    const next = await addUser(store, "a");
    assert.equal((await add(store, next.id)).id, FIRST.length + 1);
  });

  testNew(kind, "the first user may have no tasks", async ({ store }) => {
    const first = await store.addFirst("a", HASH, []) ?? assert.fail();
    assert.deepEqual([await store.user("a"), await all(store, first.id)], [first, []]);
    assert.equal((await add(store, first.id)).id, 1);
  });

  testNew(kind, "a user after another one is not the first", async ({ store }) => {
    const user = await addUser(store, "a");
    assert.equal(await store.addFirst("b", HASH, FIRST), undefined);
    assert.equal(await store.removeUser(user), true);
    assert.equal(await store.addFirst("b", HASH, FIRST), undefined);
    assert.equal(await store.user("b"), undefined);
  });

  testNew(kind, "of several first users at once, one is added, with the tasks", async (place) => {
    const stores = [place.store, kind.shared ? await place.another() : place.store];
    const [one = assert.fail()] = stores;
    // A reader that sees the user sees the tasks, too.
    let done = false;
    const seen: number[] = [];
    const look = async () => {
      while (!done) {
        for (const name of ["a", "b"]) {
          const user = await one.user(name);
          if (user !== undefined) seen.push((await one.list(user.id, 9)).total);
        }
        await setImmediate();
      }
    };
    const looking = look();
    const users = await Promise.all(
      ["a", "a", "b", "b"].map((name, i) => stores[i % 2]?.addFirst(name, HASH, FIRST)),
    );
    done = true;
    await looking;
    const [first = assert.fail(), ...more] = users.filter((user) => user !== undefined);
    assert.deepEqual(more, []);
    assert.deepEqual(await one.user(first.username), first);
    assert.deepEqual((await all(one, first.id)).map(({ id }) => id), [1, 2]);
    assert.equal(await one.user(first.username === "a" ? "b" : "a"), undefined);
    assert.ok(seen.every((total) => total === FIRST.length), `${seen}`);
  });
}
