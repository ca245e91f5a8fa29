// The tables in a SQLite file, version by version.

import { Buffer } from "node:buffer";
import type { Database } from "./database.ts";
import { BadFile } from "./errors.ts";
import { escape, PROOF } from "./text.ts";

const TABLES = `CREATE TABLE store (epoch TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;
  INSERT INTO store VALUES (lower(hex(randomblob(4))), 0);
  CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT UNIQUE,
    password TEXT NOT NULL,
    email TEXT NOT NULL,
    revision INTEGER NOT NULL,
    listRevision INTEGER NOT NULL,
    tasks INTEGER NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0
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
  CREATE INDEX tasksByDone ON tasks (owner, done)`;

const NEW_USERS = `CREATE TABLE newUsers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    username TEXT UNIQUE, -- null: the user is gone, and the tasks are going
    password TEXT NOT NULL,
    email TEXT NOT NULL,
    revision INTEGER NOT NULL,
    listRevision INTEGER NOT NULL,
    tasks INTEGER NOT NULL DEFAULT 0, -- how many there are, so that no page has to count them
    finished INTEGER NOT NULL DEFAULT 0 -- how many of these are done
  ) STRICT;
  INSERT INTO newUsers SELECT * FROM users;
  DROP TABLE users;
  ALTER TABLE newUsers RENAME TO users`;

/** The steps that lead from each version of the tables to the next. */
export const VERSIONS: readonly ((db: Database, file: string) => void)[] = [
  (db) => db.exec(TABLES),
  (db, file) => {
    escapeText(db, file);
    db.exec(NEW_USERS);
    db.exec("ALTER TABLE store ADD COLUMN proof TEXT NOT NULL DEFAULT ''");
    db.all("UPDATE store SET proof = ?", PROOF);
  },
];

const COLUMNS = [["users", "email"], ["tasks", "title"], ["tasks", "description"]] as const;

/** Version 1 stored text unescaped, in UTF-16. Writes again what `escape` would change. */
function escapeText(db: Database, file: string): void {
  for (const { text } of texts(db, "users", "username")) {
    // Any NUL comes from a SQLite before 3.51, which took the bytes of UTF-16 for UTF-8.
    if (text.includes("\0")) {
      throw new BadFile(file, "an older Node has garbled its text; restore a backup");
    }
  }
  for (const [table, column] of COLUMNS) {
    for (const { id, text } of texts(db, table, column)) {
      if (text === escape(text)) continue;
      db.all(`UPDATE ${table} SET ${column} = ? WHERE id = ?`, text, id);
    }
  }
}

/** Reads a column of text as bytes: some versions of SQLite return only these unchanged. */
function* texts(db: Database, table: string, column: string) {
  const sql = `SELECT id, CAST(${column} AS BLOB) AS bytes FROM ${table}
    WHERE id > ? ORDER BY id LIMIT 500`;
  for (let last = 0;;) {
    const rows = db.all(sql, last);
    if (rows.length === 0) return;
    for (const { id, bytes } of rows) {
      last = Number(id);
      const text = bytes instanceof Uint8Array ? Buffer.from(bytes).toString("utf16le") : "";
      yield { id: last, text };
    }
  }
}
