// Opens a SQLite file: makes it if it is new, refuses what is not ours.

import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Database } from "./database.ts";
import { BadFile } from "./errors.ts";
import { Incomplete, prepare } from "./prepare.ts";

/** Names of something that is not a file, and the mend. */
const NO_FILES: readonly (readonly [name: RegExp, mend: string])[] = [
  [/^:memory:$/, "leave --db out to keep tasks in memory"],
  [/^~/, "the shell has left ~ as it is; write the whole path"],
  [/^file:/i, "write the path alone, such as --db tasks.sqlite"],
  [/^https?:.*:23\d\d\b/i, "an etcd cluster is written as etcd://host:2379"],
  [/^[a-z][a-z0-9+.-]+:/i, "write --db tasks.sqlite, or for an etcd cluster etcd://host:2379"],
];

/** Opens a file, made if there is none. What is wrong is an Error; Unavailable if it may pass. */
export async function openDatabase(file: string): Promise<Database> {
  const [, mend] = NO_FILES.find(([name]) => name.test(file)) ?? [];
  if (mend !== undefined) throw new Error(`cannot use ${file}: that is no file; ${mend}`);
  const { DatabaseSync } = await import("node:sqlite").catch(() => {
    throw new Error(`cannot use ${file}: that needs Node 22.13 or newer, Deno, or Bun`);
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
    // If there is a log now, another server has just made the file.
    if (error instanceof Incomplete && hasLog()) return open();
    throw error instanceof BadFile ? new Error(error.message, { cause: error }) : error;
  }
}
