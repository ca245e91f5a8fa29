// Writes wait for the disk together. For other programs, each waits until its own deadline.

import { performance } from "node:perf_hooks";
import { setImmediate, setTimeout } from "node:timers/promises";
import type { Deadline } from "../store.ts";
import { Locked } from "./errors.ts";

const PATIENCE_MS = 5000; // while another program is writing

interface Write {
  /** Does the work. What it returns is called when the work is on the disk. */
  readonly work: () => () => void;
  readonly reject: (error: unknown) => void;
  readonly until: number;
  readonly by: Deadline | undefined;
}

/** Collects the writes of one turn of the event loop. `commit` does all of them or none. */
export class Writes {
  readonly #commit: <T>(works: () => T) => T;
  #waiting: Write[] = [];

  constructor(commit: <T>(works: () => T) => T) {
    this.#commit = commit;
  }

  add<T>(work: () => T, by?: Deadline): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        const done = work();
        return () => resolve(done);
      };
      const until = Math.min(performance.now() + PATIENCE_MS, by?.until ?? Infinity);
      if (this.#waiting.push({ work: settle, reject, until, by }) === 1) this.#run();
    });
  }

  async #run(): Promise<void> {
    await setImmediate();
    for (;;) {
      try {
        const done = this.#commit(() => this.#waiting.map(({ work }) => work()));
        this.#waiting = [];
        return done.forEach((resolve) => resolve());
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
    const waits = ({ until, by }: Write) => error instanceof Locked && now < until && !by?.gone;
    const refused = this.#waiting.filter((write) => !waits(write));
    this.#waiting = this.#waiting.filter(waits);
    for (const { reject } of refused) reject(error);
  }
}
