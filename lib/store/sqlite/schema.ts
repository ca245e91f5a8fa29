// How a SQLite file is opened: made if it is new, brought up to date if it is old.

import { stat, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Database } from "./database.ts";
import { PROOF } from "./text.ts";
import { VERSIONS } from "./versions.ts";
import { Unavailable } from "../store.ts";

const APPLICATION = 0x746f646f; // "todo": in the header of a file, whose it is

const MENDS: Readonly<Record<string, string>> = {
  "unable to open database file": "it must be a file in a folder that is there and can be written",
  "file is not a database": "it is something else; name another file",
  "attempt to write a readonly database": "it must be a file that can be written",
  "database is locked": "another program keeps it locked; end that one",
  "database or disk is full": "the disk is full; make room",
};

/** Opens a file, made where there is none. What is wrong is an Error; Unavailable if it may pass. */
export async function openDatabase(file: string): Promise<Database> {
  const { DatabaseSync } = await import("node:sqlite").catch(() => {
    throw new Error(`cannot use ${file}: that needs Node 22.13 or newer, Deno, or Bun`);
  });
  // Not even a password's hash is for others to read. Where this fails, SQLite says why.
  await writeFile(file, "", { flag: "wx", mode: 0o600 }).catch(() => {});
  const path = resolve(file); // ":memory:" and "file:" mean nothing special here
  let database: Database | undefined;
  try {
    database = new Database(() => new DatabaseSync(path));
    await prepare(database, (await stat(path)).size === 0);
    return database;
  } catch (error) {
    database?.close();
    const said = error instanceof Error ? error.message : "";
    const message = `cannot use ${file}: ${MENDS[said] ?? said}`;
    throw /locked|full|I\/O/.test(said) ? new Unavailable(message) : new Error(message);
  }
}

/** Finds out whose file it is, and brings it up to date. */
async function prepare(database: Database, isNew: boolean): Promise<void> {
  const pragma = (name: string) => database.get(`PRAGMA ${name}`)?.[name];
  database.exec("PRAGMA busy_timeout = 5000"); // another server may be making the same file
  if (!isNew && pragma("application_id") !== APPLICATION) {
    throw new Error("it is another program's database; name another file");
  }
  if (Number(pragma("user_version")) > VERSIONS.length) {
    throw new Error("a newer version of this server made it; start that one, or name another file");
  }
  // What is committed is on the disk, on macOS too.
  database.exec("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON");
  database.exec("PRAGMA foreign_keys = OFF"); // while tables take the place of others
  await database.write(() => {
    for (const change of VERSIONS.slice(Number(pragma("user_version")))) change(database);
    database.exec(`PRAGMA application_id = ${APPLICATION}`);
    database.exec(`PRAGMA user_version = ${VERSIONS.length}`);
  });
  database.exec("PRAGMA foreign_keys = ON");
  database.exec("PRAGMA journal_mode = WAL"); // later than the tables: no file is without them
  if (database.get("SELECT proof FROM store")?.["proof"] !== PROOF) {
    throw new Error("its text does not read back here; use the Node that made it");
  }
  database.exec("PRAGMA busy_timeout = 10"); // SQLite sleeps, and everybody with it
}
