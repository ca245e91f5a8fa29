// One connection to a SQLite file through node:sqlite: reads, and writes that share a transaction.
// Knows no tasks.

import { statSync } from "node:fs";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { Turns } from "../change.ts";
import { type Deadline, Unavailable } from "../store.ts";
import { BadFile, explain } from "./errors.ts";
import { escape, unescape } from "./text.ts";
import { Writes } from "./writes.ts";

/** A value for a `?` in a statement. */
type Value = string | number | boolean;

/** A row of a result: values by the names of the columns. */
export type Row = Record<string, SQLOutputValue>;

/** A connection. Throws Unavailable if something is wrong with the file or the disk. */
export class Database {
  readonly #file: string;
  readonly #open: (readOnly: boolean) => DatabaseSync;
  readonly #db: DatabaseSync;
  readonly #place: string;
  readonly #statements = new Map<string, StatementSync>();
  readonly #turns = new Turns();
  readonly #writes = new Writes((works) => {
    this.#checkPlace();
    this.#useLog();
    return this.change(works);
  });
  #usesLog = false;

  constructor(file: string, open: (readOnly: boolean) => DatabaseSync, readOnly = false) {
    this.#file = file;
    this.#open = open;
    this.#db = this.#explained(() => open(readOnly));
    this.#place = placeOf(file);
    this.exec("PRAGMA busy_timeout = 10"); // ms: while SQLite waits, the whole process does
  }

  close(): void {
    this.#db.close();
  }

  /** Runs statements that return no rows. */
  exec(sql: string): void {
    this.#explained(() => this.#db.exec(sql));
  }

  /** Runs a statement, which is prepared only once, and returns its rows. */
  all(sql: string, ...values: Value[]): Row[] {
    return this.#explained(() => {
      const statement = this.#statements.get(sql) ?? this.#db.prepare(sql);
      this.#statements.set(sql, statement);
      const rows: Row[] = statement.all(...values.map(toSql));
      for (const row of rows) for (const name in row) row[name] = fromSql(row[name] ?? null);
      return rows;
    });
  }

  /** Runs a statement and returns its first row. */
  get(sql: string, ...values: Value[]): Row | undefined {
    return this.all(sql, ...values)[0];
  }

  /** Does `work`, which sees the file as it is at one moment. */
  read<T>(work: (db: Database) => T): Promise<T> {
    return new Promise((resolve) => resolve(this.#transact("BEGIN", () => work(this))));
  }

  /** Does `work` at once, as a whole or not at all. */
  change<T>(work: () => T): T {
    return this.#transact("BEGIN IMMEDIATE", work);
  }

  /** Does long `work`, which sees one moment however long it takes. Only one runs at a time. */
  async view<T>(work: (view: Database) => Promise<T>, by?: Deadline): Promise<T> {
    return await this.#turns.take("", async () => {
      if (by?.gone) throw new Unavailable("nobody waits for the list any more");
      this.#checkPlace();
      const view = new Database(this.#file, this.#open, true);
      try {
        view.exec("BEGIN");
        return await work(view);
      } finally {
        view.close();
      }
    });
  }

  /**
   * Does `work` as a whole or not at all, and resolves when its result is on the disk. All writes
   * of one turn of the event loop share a transaction, so that they wait for the disk only once.
   */
  write<T>(work: (db: Database) => T, by?: Deadline): Promise<T> {
    return this.#writes.add(() => work(this), by);
  }

  /** From now on SQLite writes to a log beside the file first, so that no reader has to wait. */
  #useLog(): void {
    if (this.#usesLog) return;
    this.exec("PRAGMA journal_mode = WAL");
    this.#usesLog = true;
  }

  /** Throws if the file that was opened has been removed or replaced. */
  #checkPlace(): void {
    if (placeOf(this.#file) === this.#place) return;
    throw new BadFile(
      this.#file,
      "it was removed or replaced; put it back and start the server again",
    );
  }

  #transact<T>(begin: string, work: () => T): T {
    this.all(begin);
    try {
      const done = work();
      this.all("COMMIT");
      return done;
    } catch (error) {
      try {
        this.#db.exec("ROLLBACK");
      } catch { /* SQLite has rolled back by itself */ }
      throw error;
    }
  }

  #explained<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw explain(error, this.#file);
    }
  }
}

/** Identifies the file that has this name now. */
function placeOf(file: string): string {
  const { dev, ino } = statSync(file, { throwIfNoEntry: false }) ?? {};
  return `${dev} ${ino}`;
}

const toSql = (value: Value) => typeof value === "string" ? escape(value) : Number(value);

const fromSql = (value: SQLOutputValue) => typeof value === "string" ? unescape(value) : value;
