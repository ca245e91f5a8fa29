// SQLite's messages about a file or a disk, and what a person can do about each.

import { Unavailable } from "../store.ts";

const WRITABLE =
  "it must be a file in a folder that exists and can be written, and so must be its " +
  "-wal and -shm files, if they are there";

/** Something is wrong with a file. The message is one line that names the fix. */
export class FileError extends Unavailable {
  constructor(file: string, fix: string, cause?: unknown) {
    super(`cannot use ${file}: ${fix}`, { cause });
  }
}

/** Another program is writing to the file, for a moment or for longer. */
export class Locked extends FileError {}

/** The file cannot be used as it is. */
export class BadFile extends FileError {}

const FIXES: readonly (readonly [message: RegExp, kind: typeof FileError, fix: string])[] = [
  [/^database (table )?is locked/, Locked, "another program keeps it locked; end that one"],
  [/^database or disk is full/, FileError, "the disk is full; make room"],
  [/^disk I\/O error/, FileError, "the disk does not read or write as it should; check it"],
  [/^(unable to open database file|attempt to write a readonly database)/, BadFile, WRITABLE],
  [/^file is not a database/, BadFile, "it is no SQLite database; name another file"],
  [
    /^(database disk image is malformed|malformed database)/,
    BadFile,
    "it is damaged; restore a backup",
  ],
];

/** Turns SQLite's error about a file into one that names the fix. Returns other errors as is. */
export function explain(error: unknown, file: string): unknown {
  const message = error instanceof Error ? error.message : "";
  for (const [pattern, Kind, fix] of FIXES) {
    if (pattern.test(message)) return new Kind(file, fix, error);
  }
  return error;
}
