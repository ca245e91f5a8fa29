// The tables in a SQLite file, and how a file comes to have them.

import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Database } from "./database.ts";
import { Unavailable } from "../store.ts";

const APPLICATION = 0x746f646f; // "todo": in the header of a file, whose it is

/** What makes each version of the tables out of the one before. */
const VERSIONS = [
  `CREATE TABLE store (epoch TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;
  INSERT INTO store VALUES (lower(hex(randomblob(4))), 0);
  CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT UNIQUE, -- null: the user is gone, and the tasks are going
    password TEXT NOT NULL,
    email TEXT NOT NULL,
    revision INTEGER NOT NULL,
    listRevision INTEGER NOT NULL,
    tasks INTEGER NOT NULL DEFAULT 0, -- how many there are, so that no page has to count them
    finished INTEGER NOT NULL DEFAULT 0 -- how many of these are done
  ) STRICT;
  CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    owner INTEGER NOT NULL REFERENCES users,
    done INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL
  ) STRICT;
  CREATE INDEX tasksByOwner ON tasks (owner); -- and by id: every index ends with it
  CREATE INDEX tasksByDone ON tasks (owner, done)`,
];

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
    await prepare(database);
    return database;
  } catch (error) {
    database?.close();
    const said = error instanceof Error ? error.message : "";
    const message = `cannot use ${file}: ${MENDS[said] ?? said}`;
    throw /locked|full|I\/O/.test(said) ? new Unavailable(message) : new Error(message);
  }
}

/** Finds out whose file it is, and brings it up to date. */
async function prepare(database: Database): Promise<void> {
  const pragma = (name: string) => database.get(`PRAGMA ${name}`)?.[name];
  database.exec("PRAGMA busy_timeout = 5000"); // another server may be making the same file
  database.exec("PRAGMA encoding = 'UTF-16le'"); // of a file that is still empty
  const isNew = database.get("SELECT 1 FROM sqlite_schema") === undefined;
  const isOurs = isNew || pragma("application_id") === APPLICATION;
  if (!isOurs || pragma("encoding") !== "UTF-16le") {
    throw new Error("it is another program's database; name another file");
  }
  if (Number(pragma("user_version")) > VERSIONS.length) {
    throw new Error("a newer version of this server made it; start that one, or name another file");
  }
  // What is committed is on the disk, on macOS too.
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON");
  await database.write(() => {
    for (const version of VERSIONS.slice(Number(pragma("user_version")))) database.exec(version);
    database.exec(`PRAGMA application_id = ${APPLICATION}`);
    database.exec(`PRAGMA user_version = ${VERSIONS.length}`);
  });
  database.exec("PRAGMA busy_timeout = 10"); // SQLite sleeps, and everybody with it
}
