// Writes wait for the disk together, and for other programs for some seconds each.

import { performance } from "node:perf_hooks";
import { setImmediate, setTimeout } from "node:timers/promises";
import { ListFull } from "../store.ts";
import type { Database } from "./database.ts";
import { Locked } from "./errors.ts";
import type { OpenFile } from "./file.ts";

const PATIENCE_MS = 5000; // while another program is writing

interface Write {
  /** Does the work. What it returns is called when the work is on the disk. */
  readonly work: () => () => void;
  readonly reject: (error: unknown) => void;
  readonly until: number;
}

/** Collects the writes of one turn of the event loop, which then share a transaction. */
export class Writes {
  readonly #file: OpenFile;
  #waiting: Write[] = [];

  constructor(file: OpenFile) {
    this.#file = file;
  }

  /** Does `work` as a whole or not at all, and resolves when its result is on the disk. */
  add<T>(work: (db: Database) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        try {
          const done = work(this.#file.db);
          return () => resolve(done);
        } catch (error) {
          // It comes before anything is written, so the others' writes go on.
          if (error instanceof ListFull) return () => reject(error);
          throw error;
        }
      };
      const until = performance.now() + PATIENCE_MS;
      if (this.#waiting.push({ work: settle, reject, until }) === 1) this.#run();
    });
  }

  async #run(): Promise<void> {
    await setImmediate();
    for (;;) {
      try {
        const done = this.#file.change(() => this.#waiting.map(({ work }) => work()));
        this.#waiting = [];
        return done.forEach((settle) => settle());
      } catch (error) {
        this.#refuse(error);
        if (this.#waiting.length === 0) return;
      }
      await setTimeout(5); // SQLite's own way to wait would make the whole process wait
    }
  }

  /** Rejects the writes that cannot wait any longer. */
  #refuse(error: unknown): void {
    const now = performance.now();
    const waits = ({ until }: Write) => error instanceof Locked && now < until;
    const refused = this.#waiting.filter((write) => !waits(write));
    this.#waiting = this.#waiting.filter(waits);
    for (const { reject } of refused) reject(error);
  }
}
