// One connection to a SQLite file through node:sqlite. Knows no tasks.

import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { explain } from "./errors.ts";
import { escape, unescape } from "./text.ts";

/** A value for a `?` in a statement. */
type Value = string | number | boolean;

/** A row of a result: values by the names of the columns. */
export type Row = Record<string, SQLOutputValue>;

/** A connection. Throws Unavailable if something is wrong with the file or the disk. */
export class Database {
  readonly #file: string;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** `file` is the name for messages. */
  constructor(file: string, open: () => DatabaseSync) {
    this.#file = file;
    this.#db = this.#explained(open);
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

  /** Runs a PRAGMA and returns the first value of its result. */
  pragma(name: string): SQLOutputValue | undefined {
    return Object.values(this.get(`PRAGMA ${name}`) ?? {})[0];
  }

  /** Does `work`, which sees the file as it is at one moment. */
  read<T>(work: () => T): T {
    return this.#transact("BEGIN", work);
  }

  /** Does `work` as a whole or not at all. When it returns, that is on the disk. */
  change<T>(work: () => T): T {
    return this.#transact("BEGIN IMMEDIATE", work);
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

const toSql = (value: Value) => typeof value === "string" ? escape(value) : Number(value);

const fromSql = (value: SQLOutputValue) => typeof value === "string" ? unescape(value) : value;
