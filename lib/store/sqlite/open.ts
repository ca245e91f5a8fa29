// Opens a SQLite file. Creates it if there is none, and refuses a file that is not ours.

import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Unusable } from "../store.ts";
import { Database } from "./database.ts";
import { BadFile } from "./errors.ts";
import { Incomplete, prepare } from "./prepare.ts";

/** Values of --db that do not name a file, and what to write instead. */
const NO_FILES: readonly (readonly [name: RegExp, fix: string])[] = [
  [/^:memory:$/, "leave --db out to keep tasks in memory"],
  [/^~/, "the shell did not expand ~; write the whole path"],
  [/^file:/i, "write the path alone, such as --db tasks.sqlite"],
  [/^https?:.*:23\d\d\b/i, "an etcd cluster is written as etcd://host:2379"],
  [/^[a-z][a-z0-9+.-]+:/i, "write --db tasks.sqlite, or for an etcd cluster etcd://host:2379"],
];

/** Opens or creates a file. Throws Unusable, or Unavailable if trying again may help. */
export async function openDatabase(file: string): Promise<Database> {
  const [, fix] = NO_FILES.find(([name]) => name.test(file)) ?? [];
  if (fix !== undefined) throw new Unusable(`cannot use ${file}: that is no file; ${fix}`);
  const { DatabaseSync } = await import("node:sqlite").catch(() => {
    throw new Unusable(`cannot use ${file}: that needs Node 22.13 or newer, Deno, or Bun`);
  });
  // Others on the machine must not read even a password's hash. If this fails, SQLite says why.
  await writeFile(file, "", { flag: "wx", mode: 0o600 }).catch(() => {});
  const path = resolve(file);
  const hasLog = () => existsSync(`${path}-wal`);
  const open = () => {
    const hadLog = hasLog();
    const db = new Database(file, (readOnly) => new DatabaseSync(path, { readOnly }));
    try {
      prepare(db, file, hadLog);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  };
  try {
    return open();
  } catch (error) {
    // If there is a log now, another server has just created the file.
    if (error instanceof Incomplete && hasLog()) return open();
    throw error instanceof BadFile ? new Unusable(error.message, { cause: error }) : error;
  }
}
