// How something in a store is changed: it is read, checked and written; again if somebody else was
// quicker.

import { Unavailable } from "./store.ts";

/** Lets those who want to do the same thing wait for one another. */
export class Turns {
  readonly #lines = new Map<string, (() => void)[]>(); // of those who wait, by key

  isFree(key: string): boolean {
    return !this.#lines.has(key);
  }

  /** Does the work when all that came before with the same key is done. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(key);
    if (line === undefined) this.#lines.set(key, []);
    else await new Promise<void>((begin) => line.push(begin));
    try {
      return await work();
    } finally {
      const next = this.#lines.get(key)?.shift();
      if (next === undefined) this.#lines.delete(key);
      else next();
    }
  }
}

const TRIES = 5; // in a turn

/**
 * Writes what was read before; if it has changed since, reads and writes again. The first time
 * nobody waits for a turn. After that, changes of the same key follow one another, so that only
 * another server can be quicker, and that a few times only.
 */
export async function change<T, R>(
  { turns }: { readonly turns: Turns },
  key: string,
  before: T,
  read: () => Promise<T>,
  write: (value: T) => Promise<R>,
): Promise<NonNullable<R>> {
  const written = turns.isFree(key) && await write(before);
  if (written) return written;
  return await turns.take(key, async () => {
    for (let i = 0; i < TRIES; i++) {
      const written = await write(await read());
      if (written) return written;
    }
    throw new Unavailable("other servers keep changing it; try again");
  });
}
