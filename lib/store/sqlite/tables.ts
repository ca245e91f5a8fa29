// The tables in a SQLite file, version by version.

import type { Database } from "./database.ts";
import { BadFile } from "./errors.ts";
import { PROOF } from "./text.ts";

const APPLICATION = 0x746f646f; // "todo": the file's header says so if the file is ours
const EARLIER = 2; // versions of files that were made before there was a release

const TABLES = `CREATE TABLE store (
    epoch TEXT NOT NULL,
    revision INTEGER NOT NULL,
    open INTEGER NOT NULL, -- a server runs, or was killed: see file.ts
    proof TEXT NOT NULL -- see text.ts
  ) STRICT;
  CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    username TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    email TEXT NOT NULL,
    revision INTEGER NOT NULL,
    listRevision INTEGER NOT NULL,
    listSize INTEGER NOT NULL -- as sizeOf counts
  ) STRICT;
  CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    owner INTEGER NOT NULL REFERENCES users,
    revision INTEGER NOT NULL,
    done INTEGER NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL
  ) STRICT;
  CREATE INDEX tasksByOwner ON tasks (owner) -- and by id: every index ends with it`;

/** A step that leads from a version of the tables to the next. */
export type Step = (db: Database) => void;

/** All steps. A new version is one more here. */
export const VERSIONS: readonly Step[] = [
  (db) => {
    db.exec(TABLES);
    db.all("INSERT INTO store VALUES ('', 0, 0, ?)", PROOF);
  },
];

/** Checks that a file is ours, and brings its tables up to date. Throws BadFile. */
export function upgrade(
  db: Database,
  file: string,
  isNew: boolean,
  versions: readonly Step[],
): void {
  if (!isNew && db.pragma("application_id") !== APPLICATION) {
    throw new BadFile(file, "it is another program's database; name another file");
  }
  const version = isNew ? EARLIER : Number(db.pragma("user_version"));
  if (!isNew && version <= EARLIER) {
    const fix = "start that commit on it, and move the tasks by GET and POST";
    throw new BadFile(file, `an earlier commit of this server made it; ${fix}`);
  }
  if (version > newest(versions)) {
    const fix = "start that one, or name another file";
    throw new BadFile(file, `a newer version of this server made it; ${fix}`);
  }
  for (const step of versions.slice(version - EARLIER)) step(db);
  db.exec(`PRAGMA application_id = ${APPLICATION}; PRAGMA user_version = ${newest(versions)}`);
  if (db.get("SELECT proof FROM store")?.["proof"] !== PROOF) {
    throw new BadFile(file, "this Node reads its text wrong; use another one");
  }
}

/** The version of a file that has been through all steps. */
export const newest = (versions: readonly Step[]) => EARLIER + versions.length;
