// What a SQLite file promises beyond the suite for all stores: how it is written, and what it says.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { dirname } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { SqliteStore } from "../../lib/store/sqlite/store.ts";
import { Unavailable } from "../../lib/store/store.ts";
import { newFile, NO_SQLITE } from "../tools/files.ts";
import { ON_NODE } from "../tools/start.ts";
import { add, addMany, addUser, HASH } from "../tools/stores.ts";

/** The file, opened without the store. */
async function look(t: TestContext, file: string) {
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(file);
  t.after(() => db.isOpen && db.close());
  return db;
}

function promises(
  promise: string,
  check: (t: TestContext, file: string) => Promise<void>,
  skip: string | false = NO_SQLITE,
): void {
  test(`SqliteStore: ${promise}`, { skip }, async (t) => check(t, await newFile(t)));
}

const NODE_ONLY = NO_SQLITE || (!ON_NODE && "it runs a script on Node");

/** A store in a new file, with an owner. */
async function withOwner(t: TestContext, file: string) {
  const store = await SqliteStore.open(file);
  t.after(() => store.close());
  return { store, owner: (await addUser(store, "a")).id };
}

promises("any other tool can read the text", async (t, file) => {
  const { store, owner } = await withOwner(t, file);
  await add(store, owner, { title: "żółw 😀" });
  const row = (await look(t, file)).prepare("SELECT username, title FROM tasks, users").get();
  assert.deepEqual({ ...row }, { username: "a", title: "żółw 😀" });
});

promises("a write that fails has no effect, and says so", async (t, file) => {
  const { store, owner } = await withOwner(t, file);
  const task = await add(store, owner);
  const db = await look(t, file);
  db.exec("BEGIN IMMEDIATE");
  const began = performance.now();
  const writes = [
    add(store, owner),
    store.update(owner, task, { title: "z" }),
    store.addUser("b", HASH),
  ];
  for (const { status, ...rest } of await Promise.allSettled(writes)) {
    assert.equal(status, "rejected");
    assert.ok("reason" in rest && rest.reason instanceof Unavailable);
    assert.match(rest.reason.message, /locked/);
  }
  const waited = performance.now() - began;
  assert.ok(waited > 4900 && waited < 8000, `${waited} ms`);
  assert.deepEqual((await store.list(owner)).tasks, [task]);
  db.exec("COMMIT");
  assert.equal((await add(store, owner)).id, task.id + 1);
  assert.equal(await store.user("b"), undefined);
});

promises("a write waits for another server's, whatever happens to the clock", async (t, file) => {
  const { store, owner } = await withOwner(t, file);
  const db = await look(t, file);
  db.exec("BEGIN IMMEDIATE");
  const writing = add(store, owner);
  const now = Date.now;
  t.mock.method(Date, "now", () => now() + 3_600_000); // as if the clock were set
  for (let i = 0; i < 10; i++) await setImmediate();
  assert.equal((await store.list(owner)).total, 0); // nobody else waits
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
  for (const [name, version] of [["newer", 99], ["older", 2]] as const) {
    await (await SqliteStore.open(`${folder}/${name}`)).close();
    (await look(t, `${folder}/${name}`)).exec(`PRAGMA user_version = ${version}`);
  }
  await writeFile(`${folder}/text`, "This is no database.".repeat(100));
  const rows: [file: string, line: RegExp][] = [
    [`${folder}/newer`, /^Error: cannot use .*newer: a newer version of this server made it; .*$/],
    [
      `${folder}/older`,
      /^Error: cannot use .*: an earlier commit .* move the tasks by GET and POST$/,
    ],
    [folder, /^Error: cannot use .*: it must be a file in a folder .*$/],
    [`${folder}/none/x`, /^Error: cannot use .*none\/x: it must be a file in a folder .*$/],
    [`${folder}/text`, /^Error: cannot use .*text: it is no SQLite database; .*$/],
  ];
  for (const [file, line] of rows) await assert.rejects(SqliteStore.open(file), line);
});

promises("a file that cannot be written is refused", async (_, file) => {
  await (await SqliteStore.open(file)).close();
  const root = process.geteuid?.() === 0; // root may do everything
  const line =
    /^Error: cannot use .*: .* folder .* written, and so must be its -wal and -shm files/;
  for (const [mode, folder] of [[0o444, 0o777], [0o666, 0o555]] as const) {
    await chmod(file, mode);
    await chmod(dirname(file), folder);
    if (root) process.seteuid?.(65534);
    try {
      await assert.rejects(SqliteStore.open(file), line);
    } finally {
      if (root) process.seteuid?.(0);
    }
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

promises("a damaged file is refused, and noticed while it is in use", async (t, file) => {
  const store = await SqliteStore.open(file);
  const owner = (await addUser(store, "a")).id;
  const description = "x".repeat(1000); // more than SQLite keeps in memory
  await addMany(store, 2500, () => [owner, { description }]);
  await store.close();
  const whole = await readFile(file);
  const size = 4096; // of a page
  const damages: [what: string, bytes: Buffer][] = [
    ["cut", whole.subarray(0, 20 * size)],
    [
      "noise",
      Buffer.concat([whole.subarray(0, 9 * size), randomBytes(size), whole.subarray(10 * size)]),
    ],
  ];
  for (const [what, bytes] of damages) {
    await writeFile(file, bytes);
    const line = /^Error: cannot use .*: it is damaged; restore a backup$/;
    await assert.rejects(SqliteStore.open(file), line, what);
    assert.deepEqual(await readFile(file), bytes, what);
  }
  await writeFile(file, whole);
  const inUse = await SqliteStore.open(file);
  t.after(() => inUse.close());
  await writeFile(
    file,
    Buffer.concat([whole.subarray(0, 4 * size), randomBytes(whole.length - 4 * size)]),
  );
  await assert.rejects(inUse.list(owner), (error) => {
    assert.ok(error instanceof Unavailable);
    assert.match(error.message, /^cannot use .*: it is damaged; restore a backup$/);
    return true;
  });
});

/** Reads a file all the time: a transaction begins before the one before it ends. */
const READER = `
  const { DatabaseSync } = require("node:sqlite");
  const { parentPort, workerData } = require("node:worker_threads");
  let [old, next] = [new DatabaseSync(workerData), new DatabaseSync(workerData)];
  next.exec("BEGIN; SELECT count(*) FROM tasks");
  parentPort.postMessage("reading");
  for (;;) {
    [old, next] = [next, old];
    next.exec("BEGIN; SELECT count(*) FROM tasks");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2); // ms
    old.exec("COMMIT");
  }
`;

promises("the -wal is begun anew, although another program always reads", async (t, file) => {
  const { store, owner } = await withOwner(t, file);
  let task = await add(store, owner);
  const reader = new Worker(READER, { eval: true, workerData: file });
  t.after(() => reader.terminate());
  await once(reader, "message");
  for (let i = 0; i < 600; i++) {
    const description = `${i}`.repeat(20_000);
    task = await store.update(owner, task, { description }) ?? assert.fail();
  }
  const { size } = await stat(`${file}-wal`);
  assert.ok(size < 24_000_000, `${size}`); // all changes together are 40 MB
}, NODE_ONLY);

promises("a file whose first start failed on a full disk can be used later", async (_, file) => {
  const { url } = import.meta;
  const first = `
    import { SqliteStore } from "${new URL("../../lib/store/sqlite/store.ts", url)}";
    const store = await SqliteStore.open("${file}").catch(({ message }) => console.log(message));
    await store?.addFirst("a", { password: "", email: "" }, []).catch(() => console.log("later"));
    if (store) process.kill(process.pid, "SIGKILL");
  `;
  const script = `${dirname(file)}/first.mjs`;
  const command = [process.execPath, "--import", `${new URL("../tools/types.js", url)}`];
  await writeFile(script, first);
  const seen = new Set<string>();
  for (let blocks = 0; blocks < 100; blocks += 12) { // of 512 bytes; no file may be larger
    const { stdout, stderr } = spawnSync(
      "sh",
      ["-c", 'ulimit -f "$1" && shift && exec "$@"', "", `${blocks}`, ...command, script],
      { encoding: "utf8" },
    );
    assert.match(stdout, /^(|later\n|cannot use [^\n]*: the disk [^\n]*\n)$/, stderr);
    seen.add(stdout.split(":").at(-1) ?? "");
    const store = await SqliteStore.open(file);
    if (await store.user("a") === undefined) await store.addFirst("a", HASH, []);
    await add(store, (await store.user("a"))?.id ?? "");
    store.close();
    for (const end of ["", "-wal", "-shm"]) await rm(file + end, { force: true });
  }
  assert.ok(seen.size > 1 && seen.has(""), [...seen].join()); // some had room
}, NODE_ONLY);
