// A SQLite file's life: what happens to it, and how the next start takes it.

import assert from "node:assert/strict";
import { copyFile, link, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { symlink, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { test, type TestContext } from "node:test";
import type { Database } from "../../lib/store/sqlite/database.ts";
import { SqliteStore } from "../../lib/store/sqlite/store.ts";
import { VERSIONS } from "../../lib/store/sqlite/tables.ts";
import { Unavailable } from "../../lib/store/store.ts";
import { newFile, NO_SQLITE } from "../tools/files.ts";
import { add, all, HASH, task } from "../tools/stores.ts";

/** A file in use, with three tasks, and what can happen to it. `file` is the next one to open. */
interface Life {
  readonly store: SqliteStore;
  readonly file: string;
  /** A name in the same folder. */
  readonly other: string;
}

interface Row {
  readonly what: string;
  /** What happens. Returns the name of the file that is opened then. */
  happens(life: Life): Promise<string>;
  /** Whether entity tags are the same after it; or how the file is refused. */
  readonly then: "the same tags" | "new tags" | RegExp;
}

/** Runs statements, as another program does. */
async function sql(file: string, statements: string): Promise<void> {
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(file);
  db.exec(statements);
  db.close();
}

const copy = async (from: string, to: string, ...ends: string[]) => {
  for (const end of ["", ...ends]) await copyFile(from + end, to + end);
  return to;
};
const vacuum = async ({ file, other }: Life) => {
  await sql(file, `VACUUM INTO '${other}'`);
  return other;
};
const checkpoint = (file: string) => sql(file, "PRAGMA wal_checkpoint(TRUNCATE)");
/** As sqlite.backup() and the command .backup leave it. */
const backUp = async ({ file, other }: Life) => {
  const { backup, DatabaseSync } = await import("node:sqlite");
  await checkpoint(file);
  if (backup === undefined) return await copy(file, other); // before Node 23.8
  const db = new DatabaseSync(file);
  await backup(db, other);
  db.close();
  return other;
};

const INCOMPLETE =
  /: it is a copy without its -wal file, which has tasks; .* if it is whole: sqlite3 /;
const FOREIGN = /-wal has tasks of another file; put that one back, or remove the -wal /;

const ROWS: Row[] = [
  {
    what: "another server is started on it",
    happens: ({ file }) => Promise.resolve(file),
    then: "the same tags",
  },
  {
    what: "it is stopped",
    async happens({ store, file }) {
      await store.close();
      return file;
    },
    then: "new tags",
  },
  {
    what: "it is killed", // which leaves what a copy has
    happens: ({ file, other }) => copy(file, other, "-wal"),
    then: "the same tags",
  },
  {
    what: "it is killed when the -wal is empty",
    async happens({ file, other }) {
      await checkpoint(file);
      return await copy(file, other, "-wal");
    },
    then: "the same tags",
  },
  {
    what: "one of two servers is stopped, and the other is killed",
    async happens({ store, file, other }) {
      const second = await SqliteStore.open(file);
      await store.close();
      await copy(file, other, "-wal");
      await second.close();
      return other;
    },
    then: "the same tags",
  },
  {
    what:
      "one of two servers is stopped, the other writes, and the file is copied without its -wal",
    async happens({ store, file, other }) {
      const second = await SqliteStore.open(file);
      await store.close();
      await checkpoint(file);
      await second.addUser("b", HASH);
      await copy(file, other);
      await second.close();
      return other;
    },
    then: INCOMPLETE,
  },
  {
    what: "it is copied when it is stopped",
    async happens({ store, file, other }) {
      await store.close();
      return await copy(file, other);
    },
    then: "new tags",
  },
  {
    what: "it is copied while it runs, without its -wal",
    happens: ({ file, other }) => copy(file, other),
    then: INCOMPLETE,
  },
  {
    what: "it is copied while it runs, without its -wal, after a checkpoint",
    async happens({ store, file, other }) {
      await checkpoint(file);
      await store.addUser("b", HASH);
      return await copy(file, other);
    },
    then: INCOMPLETE,
  },
  {
    what: "its -wal is removed after a kill",
    async happens({ file, other }) {
      await copy(file, other, "-wal");
      await rm(`${other}-wal`);
      return other;
    },
    then: INCOMPLETE,
  },
  { what: "it is copied by VACUUM INTO while it runs", happens: vacuum, then: "new tags" },
  {
    what: "it is copied by VACUUM INTO when it is stopped",
    async happens(life) {
      await life.store.close();
      return await vacuum(life);
    },
    then: "new tags",
  },
  { what: "it is copied by .backup while it runs", happens: backUp, then: INCOMPLETE },
  {
    what: "it is copied by .backup, and said to be whole",
    async happens(life) {
      const whole = await backUp(life);
      const refused = await SqliteStore.open(whole).catch((error: Error) => error.message);
      const [, declare = ""] = /"(UPDATE .*)"$/.exec(`${refused}`) ?? [];
      await sql(whole, declare);
      return whole;
    },
    then: "new tags",
  },
  {
    what: "it is stopped and moved",
    async happens({ store, file, other }) {
      await store.close();
      await rename(file, other);
      return other;
    },
    then: "new tags",
  },
  {
    what: "it has a symbolic link",
    async happens({ file, other }) {
      await symlink(file, other);
      return other;
    },
    then: "the same tags",
  },
  {
    what: "it has a second name (ln)", // beside which there is no -wal
    async happens({ file, other }) {
      await link(file, other);
      return other;
    },
    then: /: it has a second name \(a hard link\)/,
  },
  {
    what: "a backup is restored",
    async happens(life) {
      await vacuum(life);
      await life.store.close();
      return await copy(life.other, life.file);
    },
    then: "new tags",
  },
  {
    what: "a backup is copied over it, and its -wal stays",
    async happens(life) {
      await vacuum(life);
      await copy(life.file, `${life.other}2`, "-wal");
      return await copy(life.other, `${life.other}2`);
    },
    then: FOREIGN,
  },
  {
    what: "it is emptied, and its -wal stays",
    async happens({ file, other }) {
      await copy(file, other, "-wal");
      await truncate(other);
      return other;
    },
    then: FOREIGN,
  },
  {
    what: "it is lost, and its -wal stays",
    async happens({ file, other }) {
      await copy(file, other, "-wal");
      await rm(other);
      return other;
    },
    then: FOREIGN,
  },
];

/** Everything that is in a folder, but the -shm that SQLite keeps beside a -wal. */
async function contents(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder)).filter((name) => !name.endsWith("-shm"));
  const read = names.sort().map(async (name) =>
    [name, await readFile(`${folder}/${name}`, "base64")] as const
  );
  return new Map(await Promise.all(read));
}

function life(what: string, check: (t: TestContext, life: Life) => Promise<void>): void {
  test(`SQLite: ${what}`, { skip: NO_SQLITE }, async (t) => {
    const file = await newFile(t);
    const store = await SqliteStore.open(file);
    await store.addFirst("a", HASH, [task(), task(), task()]);
    try {
      await check(t, { store, file, other: `${dirname(file)}/other.sqlite` });
    } finally {
      try {
        store.close();
      } catch { /* it is closed already */ }
    }
  });
}

for (const { what, happens, then } of ROWS) {
  life(`${what}: ${then instanceof RegExp ? "refused" : then}`, async (_, life) => {
    const { store } = life;
    const name = await happens(life);
    if (then instanceof RegExp) {
      const before = await contents(dirname(name));
      for (let i = 0; i < 2; i++) {
        await assert.rejects(SqliteStore.open(name), (error: Error) => {
          assert.match(error.message, /^cannot use [^\n]*$/);
          assert.match(error.message, then);
          return !(error instanceof Unavailable);
        });
      }
      assert.deepEqual(await contents(dirname(name)), before);
      return;
    }
    const stores = [await SqliteStore.open(name), await SqliteStore.open(name)];
    const [next = assert.fail(), another = assert.fail()] = stores;
    assert.equal((await all(next, "1")).length, 3);
    assert.equal(next.epoch === store.epoch, then === "the same tags");
    assert.equal(another.epoch, next.epoch);
    assert.equal((await add(next, "1")).id, 4); // it can go on
    for (const one of stores) one.close();
  });
}

/** Asserts that a store refuses to write, in one line. */
async function takesNoWrite(store: SqliteStore, line: RegExp): Promise<void> {
  await assert.rejects(add(store, "1"), (error: Error) => {
    assert.match(error.message, /^cannot use [^\n]*$/);
    assert.match(error.message, line);
    return error instanceof Unavailable;
  });
}

life("a newer server upgrades it: the older one writes no more", async (_, { store, file }) => {
  const newer = [...VERSIONS, (db: Database) => db.exec("ALTER TABLE tasks ADD COLUMN due TEXT")];
  const upgraded = await SqliteStore.open(file, newer);
  assert.equal((await all(upgraded, "1")).length, 3);
  await takesNoWrite(store, /a newer version of this server has changed it; end this one/);
  await upgraded.close();
  await store.close();
  await assert.rejects(SqliteStore.open(file), /a newer version of this server made it/);
  const again = await SqliteStore.open(file, newer);
  assert.equal((await add(again, "1")).id, 4);
  again.close();
});

life("it, or its -wal, is taken away from a server: no write is acknowledged", async (_, life) => {
  const { store, file } = life;
  for (const name of [file, `${file}-wal`]) {
    for (const isReplaced of [false, true]) {
      await rename(name, `${name}.away`);
      if (isReplaced) await copyFile(`${name}.away`, name);
      const before = await readdir(dirname(file));
      await takesNoWrite(store, /: it or its -wal file was removed or replaced; put it back/);
      assert.deepEqual(await readdir(dirname(file)), before);
      await rename(`${name}.away`, name);
    }
  }
  assert.equal((await add(store, "1")).id, 4); // both are back
});

life("its -wal is removed, and the server is stopped: nothing is lost", async (_, life) => {
  const { store, file } = life;
  await rm(`${file}-wal`);
  await takesNoWrite(store, /removed or replaced/);
  await store.close();
  const again = await SqliteStore.open(file);
  assert.ok((await all(again, "1")).length >= 3);
  again.close();
});

life("only its owner can read it, however it is made", async (_, { store, file, other }) => {
  const target = `${dirname(file)}/target.sqlite`;
  await symlink(target, other); // to nothing yet
  const linked = await SqliteStore.open(other);
  await linked.addUser("a", HASH);
  for (const name of [file, `${file}-wal`, `${file}-shm`, target, `${target}-wal`]) {
    assert.equal((await stat(name)).mode & 0o777, 0o600, name);
  }
  linked.close();
  assert.equal((await all(store, "1")).length, 3);
});
