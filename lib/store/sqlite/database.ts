// One connection to a SQLite file through node:sqlite: reads, and writes that share a transaction.
// Knows no tasks.

import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { setImmediate, setTimeout } from "node:timers/promises";
import { Unavailable } from "../store.ts";
import { escape, unescape } from "./text.ts";

/** What stands for a `?` in a statement. */
type Value = string | number | boolean;

/** A row of a result: values by the names of the columns. */
export type Row = Record<string, SQLOutputValue>;

const LOCKED = "database is locked";
/** What SQLite says of what is wrong with the file or the disk, and not with a statement. */
const OUTSIDE = new Set([
  LOCKED,
  "unable to open database file",
  "file is not a database",
  "attempt to write a readonly database",
  "database or disk is full",
  "disk I/O error",
]);
const PATIENCE_MS = 5000; // while somebody else is writing

/** A connection. What is wrong with the file or the disk is thrown as Unavailable. */
export class Database {
  readonly #open: () => DatabaseSync;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #waiting: { work(): () => void; reject(error: unknown): void }[] = [];

  constructor(open: () => DatabaseSync) {
    this.#open = open;
    this.#db = attempt(open);
  }

  /** Another connection to the same file. */
  another(): Database {
    return new Database(this.#open);
  }

  close(): void {
    this.#db.close();
  }

  /** Runs statements that give no rows. */
  exec(sql: string): void {
    attempt(() => this.#db.exec(sql));
  }

  /** The rows that a statement gives. It is prepared once. */
  all(sql: string, ...values: Value[]): Row[] {
    return attempt(() => {
      const statement = this.#statements.get(sql) ?? this.#db.prepare(sql);
      this.#statements.set(sql, statement);
      const rows: Row[] = statement.all(...values.map(toSql));
      for (const row of rows) for (const name in row) row[name] = fromSql(row[name] ?? null);
      return rows;
    });
  }

  /** The first row that a statement gives. */
  get(sql: string, ...values: Value[]): Row | undefined {
    return this.all(sql, ...values)[0];
  }

  /** What `work` gives, which sees one moment. */
  read<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => resolve(this.#transact("BEGIN", work)));
  }

  /**
   * Does `work` as a whole or not at all, and resolves when it is on the disk. Whatever is asked for in
   * one turn of the event loop shares a transaction, so that the disk is waited for once.
   */
  write<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        const done = work();
        return () => resolve(done);
      };
      if (this.#waiting.push({ work: settle, reject }) === 1) this.#commit();
    });
  }

  async #commit(): Promise<void> {
    await setImmediate();
    // SQLite's own way to wait for another server's lock would keep everybody waiting.
    for (const deadline = Date.now() + PATIENCE_MS;; await setTimeout(5)) {
      try {
        const works = this.#waiting.map(({ work }) => work);
        const done = this.#transact("BEGIN IMMEDIATE", () => works.map((work) => work()));
        this.#waiting = [];
        return done.forEach((resolve) => resolve());
      } catch (error) {
        if (error instanceof Locked && Date.now() < deadline) continue;
        return this.#waiting.splice(0).forEach(({ reject }) => reject(error));
      }
    }
  }

  #transact<T>(begin: string, work: () => T): T {
    this.exec(begin);
    try {
      const done = work();
      this.exec("COMMIT");
      return done;
    } catch (error) {
      try {
        this.#db.exec("ROLLBACK");
      } catch { /* SQLite has done so itself */ }
      throw error;
    }
  }
}

class Locked extends Unavailable {}

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const [said = ""] = error instanceof Error ? error.message.split(":") : []; // Deno adds the path
    if (!OUTSIDE.has(said)) throw error;
    throw new (said === LOCKED ? Locked : Unavailable)(said, { cause: error });
  }
}

const toSql = (value: Value) => typeof value === "string" ? escape(value) : Number(value);

const fromSql = (value: SQLOutputValue) => typeof value === "string" ? unescape(value) : value;
