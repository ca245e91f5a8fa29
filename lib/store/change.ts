// How something in a store is changed: read, judged, written; and again if somebody was quicker.

import { Unavailable } from "./store.ts";

/** Lets work with the same key wait in line. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    while (this.#last.has(key)) await this.#last.get(key);
    const done = work();
    this.#last.set(key, done.catch(() => {}));
    try {
      return await done;
    } finally {
      this.#last.delete(key);
    }
  }
}

const TRIES = 5;

/**
 * Reads, and writes what was read. If another server was quicker, reads and writes again, a few
 * times. On this server one change of the same key follows the other.
 */
export function change<T, R>(
  { turns }: { readonly turns: Turns },
  key: string,
  read: () => Promise<T>,
  write: (value: T) => Promise<R>,
): Promise<NonNullable<R>> {
  return turns.take(key, async () => {
    for (let i = 0; i < TRIES; i++) {
      const written = await write(await read());
      if (written) return written;
    }
    throw new Unavailable("other servers keep changing the same task; try again");
  });
}
