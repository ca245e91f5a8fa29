// What a SQLite file promises beyond the suite for all stores: it stays when its server ends.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { chmod, copyFile, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { SqliteStore } from "../../lib/store/sqlite/store.ts";
import { INITIAL, Unavailable } from "../../lib/store/store.ts";
import { newFile, NO_SQLITE } from "../tools/files.ts";

const HASH = { password: "a hash", email: "\ud800@\0" };
const LONG = 25_000; // tasks, more than any list compares at once

/** A store in this file, closed after the test at the latest. */
async function open(t: TestContext, file: string): Promise<SqliteStore> {
  const store = await SqliteStore.open(file);
  t.after(async () => {
    try {
      await store.close();
    } catch { /* the test has closed it */ }
  });
  return store;
}

/** The file, opened without the store. */
async function look(t: TestContext, file: string) {
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(file);
  t.after(() => db.isOpen && db.close());
  return db;
}

function promises(promise: string, check: (t: TestContext, file: string) => Promise<void>): void {
  test(`SqliteStore: ${promise}`, { skip: NO_SQLITE }, async (t) => check(t, await newFile(t)));
}

const add = async (store: SqliteStore, title: string) =>
  await store.add("1", { ...INITIAL, title }) ?? assert.fail();

promises("a file that is opened again has everything, and tags and ids go on", async (t, file) => {
  const before = await open(t, file);
  const user = await before.addUser("a", HASH) ?? assert.fail();
  const tasks = [await add(before, "one"), await add(before, "\0\ud83d"), await add(before, "😀")];
  const newest = tasks.pop() ?? assert.fail();
  await before.remove("1", newest);
  const list = await before.list("1", {}, 0, 10);
  assert.deepEqual(list.tasks, tasks);
  await before.close();
  const after = await open(t, file);
  assert.equal(after.epoch, before.epoch);
  assert.deepEqual(await after.list("1", {}, 0, 10), list);
  assert.deepEqual(await after.user("a"), user);
  const next = await add(after, "next");
  assert.equal(next.id, newest.id + 1);
  assert.equal(next.revision, list.revision + 1);
});

/** Resolves when the file has so many tasks and users, which a store is still clearing away. */
async function leftAre(t: TestContext, file: string, tasks: number, users: number) {
  const db = await look(t, file);
  const counts = db.prepare("SELECT (SELECT count(*) FROM tasks) AS t, count(*) AS u FROM users");
  for (;; await setImmediate()) {
    const row = counts.get();
    if (row?.["t"] === tasks && row?.["u"] === users) return;
  }
}

promises("no id comes back with a user's name, nor after every task is gone", async (t, file) => {
  const before = await open(t, file);
  const user = await before.addUser("a", HASH) ?? assert.fail();
  await add(before, "one");
  assert.equal(await before.removeUser(user), true);
  await leftAre(t, file, 0, 0);
  await before.close();
  const after = await open(t, file);
  const again = await after.addUser("a", HASH) ?? assert.fail();
  assert.notEqual(again.id, user.id);
  const task = await after.add(again.id, { ...INITIAL, title: "two" });
  assert.equal(task?.id, 2);
});

promises("a start deletes what the last server left of removed users", async (t, file) => {
  const before = await open(t, file);
  await before.addUser("a", HASH);
  await before.addUser("b", HASH);
  for (let i = 0; i < 3; i++) await add(before, "x");
  await before.add("2", { ...INITIAL, title: "kept" });
  await before.close();
  (await look(t, file)).exec("UPDATE users SET username = NULL WHERE tasks = 3");
  const after = await open(t, file);
  await leftAre(t, file, 1, 1);
  assert.equal((await after.list("2", {}, 0, 1)).total, 1);
});

promises("clearing does not delete tasks of a user who exists", async (t, file) => {
  const before = await withLongList(t, file);
  await before.close();
  const db = await look(t, file);
  db.exec("UPDATE users SET username = NULL");
  const after = await open(t, file);
  const count = () => Number(db.prepare("SELECT count(*) AS n FROM tasks").get()?.["n"]);
  assert.ok(count() > 0, "a start waited for it");
  while (count() === LONG) await setImmediate();
  const left = count();
  db.exec("UPDATE users SET username = 'b'"); // as if the id were given again
  assert.ok(left > 0);
  for (let i = 0; i < 5; i++) await after.addUser(`${i}`, HASH); // each waits for a commit
  assert.equal(count(), left);
  assert.equal((await after.user("b"))?.id, "1");
});

promises("closing ends the clearing", async (t, file) => {
  const before = await withLongList(t, file);
  await before.removeUser(await before.user("a") ?? assert.fail());
  await before.close();
  const left = (await look(t, file)).prepare("SELECT count(*) AS n FROM tasks").get()?.["n"];
  assert.ok(Number(left) > LONG / 2, `${left}`);
});

promises("other users of the machine can read neither tasks nor hashes", async (t, file) => {
  await add((await withUser(t, file)).store, "x");
  for (const name of [file, `${file}-wal`]) assert.equal((await stat(name)).mode & 0o777, 0o600);
});

promises("any other tool can read the text", async (t, file) => {
  await add((await withUser(t, file)).store, "żółw 😀");
  const row = (await look(t, file)).prepare("SELECT username, title FROM tasks, users").get();
  assert.deepEqual({ ...row }, { username: "a", title: "żółw 😀" });
});

/** A copy of a file with version 1 of the tables. */
async function copyOf(file: string, name: string): Promise<string> {
  await copyFile(new URL(name, import.meta.url), file);
  return file;
}

promises("a file of version 1 is updated, with all of its text", async (t, file) => {
  const store = await open(t, await copyOf(file, "version1.sqlite"));
  const { id = "", email } = await store.user("susan") ?? assert.fail();
  assert.equal(email, "żółw\\@\0\ud800");
  assert.deepEqual((await store.list(id, {}, 0, 10)).tasks.map(({ title }) => title), ["hers"]);
  const miguel = await store.user("miguel") ?? assert.fail();
  const { tasks, total, revision } = await store.list(miguel.id, {}, 0, 100);
  const titles = [
    "Buy groceries",
    "naïve café",
    "\\005c",
    "C:\\Users\\u0041",
    "\0",
    "\ud83d",
    "😀",
  ];
  titles.push("\uffff\ufffe\ufeff", "", "'; DROP TABLE tasks; --");
  assert.deepEqual(tasks.map(({ title }) => title), titles);
  for (const { title, description } of tasks) assert.equal(description, `${title}?`);
  assert.deepEqual(tasks.map(({ done }) => done), titles.map((_, i) => i % 2 === 1));
  assert.deepEqual([total, revision, store.epoch], [10, 24, "25d190e2"]); // old tags hold
  const added = await store.add(miguel.id, { ...INITIAL, title: "next" });
  assert.equal(added?.id, 16); // 15 was deleted
  await store.close();
  const again = await open(t, file);
  assert.deepEqual((await again.list(miguel.id, {}, 0, 10)).tasks, tasks);
});

promises("a new file has the same tables as an updated one", async (t, file) => {
  const schemas = [];
  for (const name of [file, await copyOf(`${file}.1`, "version1.sqlite")]) {
    await (await open(t, name)).close();
    const rows = (await look(t, name)).prepare("SELECT sql FROM sqlite_schema ORDER BY name").all();
    schemas.push(rows.map(({ sql }) => `${sql}`.replace(/\s+/g, " ")));
  }
  assert.deepEqual(schemas[0], schemas[1]);
});

promises("a file whose text was garbled is refused, and not changed", async (t, file) => {
  const rows: [name: string, sql: string, line: RegExp][] = [
    [
      "version1-garbled",
      "",
      /^Error: cannot use .*: an older Node has garbled its text; .*backup.*$/,
    ],
    [
      "version1",
      "UPDATE store SET proof = 'naïve'",
      /^Error: cannot use .*: this Node reads its text wrong/,
    ],
  ];
  for (const [name, sql, line] of rows) {
    await copyOf(file, `${name}.sqlite`);
    if (sql !== "") await (await open(t, file)).close();
    const db = await look(t, file);
    db.exec(sql);
    const sum = () => JSON.stringify(db.prepare("SELECT title, length(title) FROM tasks").all());
    const before = sum();
    for (let i = 0; i < 2; i++) await assert.rejects(SqliteStore.open(file), line);
    assert.equal(sum(), before);
  }
});

async function withUser(t: TestContext, file: string) {
  const store = await open(t, file);
  return { store, user: await store.addUser("a", HASH) ?? assert.fail() };
}

/** A store with a long list, whose titles are numbers. */
async function withLongList(t: TestContext, file: string): Promise<SqliteStore> {
  const { store } = await withUser(t, file);
  const db = await look(t, file);
  db.exec(`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${LONG})
    INSERT INTO tasks (owner, done, revision, title, description)
      SELECT 1, i % 10 = 0, i, CAST(i AS TEXT), '' FROM n;
    UPDATE store SET revision = ${LONG};
    UPDATE users SET tasks = ${LONG}, finished = ${LONG / 10}, listRevision = ${LONG}`);
  db.close();
  return store;
}

promises(
  "a search by title in a long list lets other requests run, and sees one moment",
  async (t, file) => {
    const store = await withLongList(t, file);
    let turns = 0;
    let over = false;
    const counting = (async () => {
      for (; !over; turns++) await setImmediate();
    })();
    const looking = store.list("1", { title_prefix: "24" }, 1, 1000);
    await setImmediate();
    const adding = add(store, "24 and later");
    const found = await looking;
    over = true;
    await Promise.all([adding, counting]);
    assert.ok(turns >= 2, `${turns} turns`);
    assert.equal(found.total, 1111); // 24, 240 to 249, 2400 to 2499, 24000 to 24999
    assert.deepEqual(found.tasks.slice(0, 2).map(({ title }) => title), ["240", "241"]);
    assert.equal(found.revision, LONG);
    const later = await store.list("1", { done: "false", title_prefix: "24" }, 998, 5);
    assert.deepEqual(later.tasks.map(({ title }) => title), ["24998", "24999", "24 and later"]);
    assert.equal(later.total, 1001);
  },
);

promises("a page of a long list is the same from either end", async (t, file) => {
  const store = await withLongList(t, file);
  for (const offset of [0, 12_498, 12_499, 12_500, 12_501, 24_990]) {
    const { tasks, total } = await store.list("1", {}, offset, 20);
    const titles = Array.from({ length: Math.min(20, LONG - offset) }, (_, i) => offset + i + 1);
    assert.deepEqual(tasks.map(({ title }) => Number(title)), titles);
    assert.equal(total, LONG);
  }
  const { tasks, total } = await store.list("1", { done: "true" }, 2498, 20);
  assert.deepEqual(tasks.map(({ title }) => title), ["24990", "25000"]);
  assert.equal(total, LONG / 10);
});

promises("a write that fails has no effect, and says so", async (t, file) => {
  const { store } = await withUser(t, file);
  const task = await add(store, "x");
  const db = await look(t, file);
  db.exec("BEGIN IMMEDIATE");
  const writes = [
    add(store, "y"),
    store.update("1", task, { title: "z" }),
    store.addUser("b", HASH),
  ];
  for (const { status, ...rest } of await Promise.allSettled(writes)) {
    assert.equal(status, "rejected");
    assert.ok("reason" in rest && rest.reason instanceof Unavailable);
    assert.match(rest.reason.message, /locked/);
  }
  assert.deepEqual((await store.list("1", {}, 0, 10)).tasks, [task]);
  db.exec("COMMIT");
  assert.equal((await add(store, "y")).id, task.id + 1);
  assert.equal(await store.user("b"), undefined);
});

promises("each write has its own deadline, whatever happens to the clock", async (t, file) => {
  const { store } = await withUser(t, file);
  const db = await look(t, file);
  db.exec("BEGIN IMMEDIATE");
  const gone = { until: Infinity, gone: false };
  const soon = { until: performance.now() + 200, gone: false };
  const fields = { ...INITIAL, title: "x" };
  const later = add(store, "later");
  const refused = [store.add("1", fields, gone), store.add("1", fields, soon)];
  const now = Date.now;
  t.mock.method(Date, "now", () => now() + 3_600_000); // as if the clock were set
  gone.gone = true;
  for (const write of refused) await assert.rejects(write, Unavailable);
  db.exec("COMMIT");
  assert.equal((await later).id, 1);
});

promises("a write waits for another server's", async (t, file) => {
  const { store } = await withUser(t, file);
  const db = await look(t, file);
  db.exec("BEGIN IMMEDIATE");
  const writing = add(store, "x");
  for (let i = 0; i < 10; i++) await setImmediate();
  assert.equal((await store.list("1", {}, 0, 1)).total, 0); // nobody else waits
  db.exec("COMMIT");
  assert.equal((await writing).id, 1);
});

promises("another program's file is not changed", async (t, file) => {
  const other = await look(t, file);
  other.exec("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
  await assert.rejects(SqliteStore.open(file), /^Error: cannot use .*another program's database/);
  assert.equal(other.prepare("PRAGMA journal_mode").get()?.["journal_mode"], "delete");
  other.exec("DROP TABLE theirs; VACUUM"); // there is nothing in it, but it is theirs
  await assert.rejects(SqliteStore.open(file), /^Error: cannot use .*another program's database/);
});

promises("the message about a bad file is one line that names the fix", async (t, file) => {
  const folder = dirname(file);
  const newer = `${folder}/newer.sqlite`;
  await (await open(t, newer)).close();
  (await look(t, newer)).exec("PRAGMA user_version = 99");
  await writeFile(`${folder}/text`, "This is no database.".repeat(100));
  const rows: [file: string, line: RegExp][] = [
    [newer, /^Error: cannot use .*newer.sqlite: a newer version of this server made it; .*$/],
    [folder, /^Error: cannot use .*: it must be a file in a folder .*$/],
    [`${folder}/none/x`, /^Error: cannot use .*none\/x: it must be a file in a folder .*$/],
    [`${folder}/text`, /^Error: cannot use .*text: it is no SQLite database; .*$/],
  ];
  for (const [file, line] of rows) await assert.rejects(SqliteStore.open(file), line);
});

promises("a file that cannot be written is refused", async (t, file) => {
  await (await open(t, file)).close();
  await chmod(file, 0o444);
  await chmod(dirname(file), 0o777);
  const root = process.geteuid?.() === 0; // root may do everything
  if (root) process.seteuid?.(65534);
  try {
    await assert.rejects(SqliteStore.open(file), /^Error: cannot use .*can be written$/);
  } finally {
    if (root) process.seteuid?.(0);
  }
});

promises("a name that is not a file's is refused, with a suggestion", async (_, file) => {
  const rows: [name: string, fix: RegExp][] = [
    [":memory:", /leave --db out/],
    ["file:tasks.sqlite?mode=memory", /the path alone/],
    ["~/tasks.sqlite", /the whole path/],
    ["postgres://me@localhost/tasks", /--db tasks.sqlite, .*etcd:/],
    ["json:tasks", /--db tasks.sqlite/],
    ["http://127.0.0.1:2379", /as etcd:\/\/host:2379/],
  ];
  const before = process.cwd();
  process.chdir(dirname(file));
  try {
    for (const [name, fix] of rows) {
      await assert.rejects(SqliteStore.open(name), (error: Error) => {
        assert.ok(error.message.startsWith(`cannot use ${name}: that is no file; `), error.message);
        assert.match(error.message, fix);
        return !error.message.includes("\n") && !(error instanceof Unavailable);
      });
    }
    assert.deepEqual(await readdir("."), []);
    await (await SqliteStore.open("./:memory:")).close(); // a path is a file
    assert.deepEqual(await readdir("."), [":memory:"]);
  } finally {
    process.chdir(before);
  }
});

promises("a copy without its log is refused, and stays as it is", async (t, file) => {
  const { store } = await withUser(t, file);
  for (let i = 0; i < 3; i++) await add(store, "x");
  const copy = `${file}.copy`;
  await copyFile(file, copy);
  const bytes = await readFile(copy);
  for (let i = 0; i < 2; i++) {
    await assert.rejects(
      SqliteStore.open(copy),
      /^Error: cannot use .*copy: it is a copy without its -wal file, .*; restore a backup$/,
    );
  }
  assert.deepEqual(await readFile(copy), bytes);
  await copyFile(`${file}-wal`, `${copy}-wal`); // with its log, it is whole
  assert.equal((await (await open(t, copy)).list("1", {}, 0, 1)).total, 3);
  const old = `${file}.old`; // version 1 had even its tables in the log
  const db = await look(t, old);
  db.exec("PRAGMA journal_mode = WAL");
  db.close();
  await assert.rejects(SqliteStore.open(old), /it is a copy without its -wal file/);
});

promises("a store that was never written to is new at its next start", async (t, file) => {
  for (let i = 0; i < 2; i++) await (await open(t, file)).close();
  const store = await open(t, file);
  const [first, second] = await Promise.all(
    ["a", "b"].map((name) => store.addFirst(name, HASH, [])),
  );
  assert.equal(first?.username, "a");
  assert.equal(second, undefined);
});

promises("two stores that create the same file at the same time share it", async (t, file) => {
  const stores = await Promise.all([1, 2, 3].map(() => open(t, file)));
  const firsts = await Promise.all(stores.map((store) => store.addFirst("a", HASH, [])));
  assert.equal(firsts.filter((user) => user !== undefined).length, 1);
});

promises("a damaged file is refused, and noticed while it is in use", async (t, file) => {
  const store = await withLongList(t, file);
  await store.close();
  const whole = await readFile(file);
  const page = 4096;
  const damages: [what: string, bytes: Buffer][] = [
    ["cut", whole.subarray(0, 20 * page)],
    [
      "noise",
      Buffer.concat([whole.subarray(0, 9 * page), randomBytes(page), whole.subarray(10 * page)]),
    ],
  ];
  for (const [what, bytes] of damages) {
    await writeFile(file, bytes);
    const line = /^Error: cannot use .*: it is damaged; restore a backup$/;
    await assert.rejects(SqliteStore.open(file), line, what);
    assert.deepEqual(await readFile(file), bytes, what);
  }
  await writeFile(file, whole);
  const inUse = await open(t, file);
  await writeFile(
    file,
    Buffer.concat([whole.subarray(0, 4 * page), randomBytes(whole.length - 4 * page)]),
  );
  await assert.rejects(inUse.list("1", { q: "x" }, 0, 1), (error) => {
    assert.ok(error instanceof Unavailable);
    assert.match(error.message, /^cannot use .*: it is damaged; restore a backup$/);
    return true;
  });
});

promises(
  "a file that was removed or replaced takes no write, and none takes its place",
  async (t, file) => {
    const store = await withLongList(t, file);
    await rename(file, `${file}.away`);
    for (const isReplaced of [false, true]) {
      if (isReplaced) await copyFile(`${file}.away`, file);
      const before = await readdir(dirname(file));
      for (const attempt of [() => add(store, "x"), () => store.list("1", { q: "1" }, 0, 1)]) {
        await assert.rejects(attempt, (error) => {
          assert.ok(error instanceof Unavailable);
          assert.match(
            error.message,
            /^cannot use .*: it was removed or replaced; put it back .*$/,
          );
          return true;
        });
      }
      assert.deepEqual(await readdir(dirname(file)), before);
    }
    await rm(file);
    await rename(`${file}.away`, file); // it is back
    await add(store, "x");
    assert.equal((await store.list("1", {}, 0, 1)).total, LONG + 1);
  },
);
