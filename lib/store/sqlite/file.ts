// A SQLite file's life: whether it is whole, and whether a server runs on it. Two facts tell:
// `open`, which stands in the file itself, and whether a -wal file lies beside it.
//
//   open  -wal  header  then
//   no    no    WAL     nobody runs on it: new entity tags
//   any   yes   WAL     another server runs, or was killed: SQLite recovers, the entity tags stay
//   yes   no    WAL     refused: a copy without its -wal file, which has tasks
//   any   no    other   new, or a backup by VACUUM INTO: new entity tags
//   any   yes   other   refused: the -wal file belongs to another file

import { statSync } from "node:fs";
import process from "node:process";
import type { DatabaseSync } from "node:sqlite";
import { Database } from "./database.ts";
import { BadFile, Locked } from "./errors.ts";
import { newest, type Step, upgrade } from "./tables.ts";

const CHECKPOINT = 100; // changes, after which the log may begin anew
const AGAIN = 10; // changes until the next try, if somebody was reading

/** The file may have been copied without the log beside it. */
export class Incomplete extends BadFile {
  constructor(file: string) {
    const fix = `restore a backup, or if it is whole: sqlite3 ${file} "UPDATE store SET open = 0"`;
    super(file, `it is a copy without its -wal file, which has tasks; ${fix}`);
  }
}

/** A file that is in use. Throws Unavailable if something is wrong with it or the disk. */
export class OpenFile {
  readonly db: Database;
  readonly epoch: string;
  readonly #name: string;
  readonly #path: string;
  readonly #version: number;
  readonly #places: string;
  #changes = 0;
  /** SQLite removes the -wal at an exit, whatever its reason, so that `open` must be cleared. */
  readonly #atExit = () => this.close();

  /** `hadLog`: there was a -wal file before SQLite made one. */
  constructor(
    name: string,
    path: string,
    hadLog: boolean,
    open: () => DatabaseSync,
    versions: readonly Step[],
  ) {
    this.#name = name;
    this.#path = path;
    this.#version = newest(versions);
    this.db = new Database(name, open);
    try {
      this.epoch = this.#begin(hadLog, versions);
    } catch (error) {
      this.db.close();
      throw error;
    }
    this.#places = placesOf(path);
    process.once("exit", this.#atExit);
  }

  /** Decides what the file is, as the table says, and marks it as open. Returns the epoch. */
  #begin(hadLog: boolean, versions: readonly Step[]): string {
    const { db } = this;
    const update = (isNew: boolean) => upgrade(db, this.#name, isNew, versions);
    db.exec("PRAGMA busy_timeout = 5000"); // ms: another server may be starting
    if (db.pragma("quick_check(1)") !== "ok") {
      throw new BadFile(this.#name, "it is damaged; restore a backup");
    }
    // A commit waits until it is on the disk, on macOS too. A longer log is cut to 64 MB.
    db.exec(
      "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA journal_size_limit = 67108864",
    );
    db.change(() => {
      if (db.pragma("journal_mode") === "wal") return;
      update(statSync(this.#path).size === 0);
      db.exec("UPDATE store SET open = 0"); // VACUUM INTO copies it from a file in use
    });
    db.exec("PRAGMA journal_mode = WAL"); // a reader never waits for a writer
    const wasOpen = db.change(() => {
      update(false);
      const { open } = db.get("SELECT open FROM store") ?? {};
      if (open === 1 && !hadLog) throw new Incomplete(this.#name);
      if (!hadLog) db.exec("UPDATE store SET epoch = lower(hex(randomblob(4)))");
      db.exec("UPDATE store SET open = 1");
      return open === 1;
    });
    // From now on, a copy of the file alone is known to lack something.
    if (!wasOpen && db.pragma("wal_checkpoint(FULL)") !== 0) {
      throw new Locked(this.#name, "another program keeps it locked; end that one");
    }
    db.exec("PRAGMA busy_timeout = 10"); // ms: while SQLite waits, the whole process does
    return `${db.get("SELECT epoch FROM store")?.["epoch"]}`;
  }

  /** Does `work` as a whole or not at all. When it returns, that is on the disk. */
  change<T>(work: () => T): T {
    const { db } = this;
    this.#checkPlaces();
    // SQLite's own checkpoints let the log grow while others always read. This waits for a gap.
    if (++this.#changes >= CHECKPOINT) {
      this.#changes = db.pragma("wal_checkpoint(RESTART)") === 0 ? 0 : CHECKPOINT - AGAIN;
    }
    const { wasOpen, done } = db.change(() => {
      if (db.pragma("user_version") !== this.#version) {
        throw new BadFile(
          this.#name,
          "a newer version of this server has changed it; end this one",
        );
      }
      const wasOpen = db.get("SELECT open FROM store")?.["open"] === 1;
      if (!wasOpen) db.exec("UPDATE store SET open = 1"); // another server has ended
      return { wasOpen, done: work() };
    });
    if (!wasOpen) db.pragma("wal_checkpoint(PASSIVE)");
    this.#checkPlaces(); // a log that was removed keeps nothing
    return done;
  }

  /** Marks the file as closed. If that fails, the next start will take it as after a crash. */
  close(): void {
    process.off("exit", this.#atExit);
    try {
      this.db.exec("PRAGMA busy_timeout = 5000");
      this.db.change(() => this.db.exec("UPDATE store SET open = 0"));
    } finally {
      this.db.close();
    }
  }

  /** Throws if the file or its log has been removed or replaced. */
  #checkPlaces(): void {
    if (placesOf(this.#path) === this.#places) return;
    const fix = "put it back, or stop the server (not by kill -9) and start it again";
    throw new BadFile(this.#name, `it or its -wal file was removed or replaced; ${fix}`);
  }
}

/** Identifies the files that have this name and the name of its log now. */
function placesOf(path: string): string {
  return [path, `${path}-wal`].map((name) => {
    const { dev, ino } = statSync(name, { throwIfNoEntry: false }) ?? {};
    return `${dev} ${ino}`;
  }).join();
}
