// Checks that a SQLite file is ours and complete, and brings its tables up to date.

import type { Database } from "./database.ts";
import { BadFile } from "./errors.ts";
import { PROOF } from "./text.ts";
import { VERSIONS } from "./versions.ts";

const APPLICATION = 0x746f646f; // "todo": the file's header says so if the file is ours

/** The file was copied without the log beside it. */
export class Incomplete extends BadFile {
  constructor(file: string) {
    super(file, "it is a copy without its -wal file, which had the tasks; restore a backup");
  }
}

/** Makes a file ready for use. `hadLog`: it had a log before it was opened. Throws BadFile. */
export function prepare(db: Database, file: string, hadLog: boolean): void {
  db.exec("PRAGMA busy_timeout = 5000"); // another server may be creating the same file
  const usesLog = pragma(db, "journal_mode") === "wal"; // since the first write: see Database
  checkOwner(db, file, usesLog);
  if (pragma(db, "quick_check(1)") !== "ok") {
    throw new BadFile(file, "it is damaged; restore a backup");
  }
  // A commit waits until it is on the disk, on macOS too. A longer log is cut to 64 MB.
  db.exec("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA journal_size_limit = 67108864");
  db.exec("PRAGMA foreign_keys = OFF"); // while new tables replace old ones
  db.change(() => {
    for (const change of VERSIONS.slice(versionOf(db))) change(db, file);
    db.exec(`PRAGMA application_id = ${APPLICATION}; PRAGMA user_version = ${VERSIONS.length}`);
    const { proof, revision } = db.get("SELECT proof, revision FROM store") ?? {};
    if (proof !== PROOF) throw new BadFile(file, "this Node reads its text wrong; use another one");
    if (usesLog && revision === 0 && !hadLog) throw new Incomplete(file);
    // Only a restored backup has no log mode. Clients may have seen later states than it has.
    if (!usesLog && revision !== 0) db.exec("UPDATE store SET epoch = lower(hex(randomblob(4)))");
  });
  db.exec("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10");
}

function checkOwner(db: Database, file: string, usesLog: boolean): void {
  const isBlank = db.get("SELECT 1 FROM sqlite_schema") === undefined;
  if (isBlank && pragma(db, "page_count") === 0) return; // a new file
  if (isBlank && usesLog) throw new Incomplete(file);
  if (pragma(db, "application_id") !== APPLICATION) {
    throw new BadFile(file, "it is another program's database; name another file");
  }
  if (versionOf(db) > VERSIONS.length) {
    const fix = "start that one, or name another file";
    throw new BadFile(file, `a newer version of this server made it; ${fix}`);
  }
}

function pragma(db: Database, name: string) {
  const [value] = Object.values(db.get(`PRAGMA ${name}`) ?? {});
  return value;
}

const versionOf = (db: Database) => Number(pragma(db, "user_version"));
