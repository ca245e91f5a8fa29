// Opens the SQLite file that --db names, and makes it if there is none.

import { closeSync, existsSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Unusable } from "../store.ts";
import { BadFile } from "./errors.ts";
import { Incomplete, OpenFile } from "./file.ts";
import { type Step, VERSIONS } from "./tables.ts";

/** Values of --db that do not name a file, and what to write instead. */
const NO_FILES: readonly (readonly [name: RegExp, fix: string])[] = [
  [/^:memory:$/, "leave --db out to keep tasks in memory"],
  [/^~/, "the shell did not expand ~; write the whole path"],
  [/^file:/i, "write the path alone, such as --db tasks.sqlite"],
  [/^https?:.*:23\d\d\b/i, "an etcd cluster is written as etcd://host:2379"],
  [/^[a-z][a-z0-9+.-]+:/i, "write --db tasks.sqlite, or for an etcd cluster etcd://host:2379"],
];

/** Opens or makes a file. Throws Unusable, or Unavailable if trying again may help. */
export async function openFile(name: string, versions: readonly Step[] = VERSIONS) {
  const [, fix] = NO_FILES.find(([pattern]) => pattern.test(name)) ?? [];
  if (fix !== undefined) throw new Unusable(`cannot use ${name}: that is no file; ${fix}`);
  const { DatabaseSync } = await import("node:sqlite").catch(() => {
    throw new Unusable(`cannot use ${name}: that needs Node 22.13 or newer, Deno, or Bun`);
  });
  try {
    checkLog(name, resolve(name)); // before a file is made
    // Others on the machine must not read even a password's hash. If this fails, SQLite says why.
    await writeFile(name, "", { flag: "a", mode: 0o600 }).catch(() => {});
    // The -wal file lies beside the file itself, not beside a link to it.
    const path = existsSync(name) ? realpathSync(name) : resolve(name);
    const open = () => {
      const hadLog = checkLog(name, path); // before SQLite makes one
      return new OpenFile(name, path, hadLog, () => new DatabaseSync(path), versions);
    };
    try {
      return open();
    } catch (error) {
      if (error instanceof Incomplete) return open(); // another server was just starting
      throw error;
    }
  } catch (error) {
    throw error instanceof BadFile ? new Unusable(error.message, { cause: error }) : error;
  }
}

/** Throws if there is a -wal file that cannot belong to the file. Returns whether there is one. */
function checkLog(name: string, path: string): boolean {
  const stat = existsSync(path) ? statSync(path) : undefined;
  if (stat?.isFile() && stat.nlink > 1) {
    throw new BadFile(name, "it has a second name (a hard link), and the log only one; remove one");
  }
  if (!existsSync(`${path}-wal`)) return false;
  if (usesLog(path)) return true;
  const fix = "put that one back, or remove the -wal if it is not needed";
  throw new BadFile(name, `${name}-wal has tasks of another file; ${fix}`);
}

/** Whether a file's header says that there is a log. */
function usesLog(path: string): boolean {
  if (!existsSync(path)) return false;
  const file = openSync(path, "r");
  try {
    const version = new Uint8Array(1);
    readSync(file, version, 0, 1, 18);
    return version[0] === 2; // https://www.sqlite.org/fileformat.html
  } finally {
    closeSync(file);
  }
}
