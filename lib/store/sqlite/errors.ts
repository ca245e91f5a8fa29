// What SQLite says of a file or a disk, and what a person can do about it.

import { Unavailable } from "../store.ts";

/** Something is wrong with a file. The message is a line that names the mend. */
export class FileError extends Unavailable {
  constructor(file: string, mend: string, cause?: unknown) {
    super(`cannot use ${file}: ${mend}`, { cause });
  }
}

/** Another program is writing, for a moment or for longer. */
export class Locked extends FileError {}

/** Nothing can be done with the file as it is. */
export class BadFile extends FileError {}

const MENDS: readonly (readonly [said: RegExp, kind: typeof FileError, mend: string])[] = [
  [/^database (table )?is locked/, Locked, "another program keeps it locked; end that one"],
  [/^database or disk is full/, FileError, "the disk is full; make room"],
  [/^disk I\/O error/, FileError, "the disk does not read or write as it should; check it"],
  [
    /^unable to open database file/,
    BadFile,
    "it must be a file in a folder that is there and can be written",
  ],
  [/^file is not a database/, BadFile, "it is something else; name another file"],
  [/^attempt to write a readonly database/, BadFile, "it must be a file that can be written"],
  [
    /^(database disk image is malformed|malformed database)/,
    BadFile,
    "it is damaged; restore a backup",
  ],
];

/** Turns what SQLite says of a file into an error with the mend. A bug of ours stays what it is. */
export function explain(error: unknown, file: string): unknown {
  const said = error instanceof Error ? error.message : "";
  for (const [pattern, Kind, mend] of MENDS) {
    if (pattern.test(said)) return new Kind(file, mend, error);
  }
  return error;
}
