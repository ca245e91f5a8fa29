// How something in a store is changed: it is read, checked and written; again if somebody else was
// quicker.

import { performance } from "node:perf_hooks";
import { Unavailable } from "./store.ts";

/** When a client will stop waiting (in `performance.now()`), and whether it has gone already. */
export interface Deadline {
  readonly until: number;
  readonly gone: boolean;
}

/** Writes what was read before. If it has changed since, reads and writes it again. */
export async function change<T, R>(
  before: T,
  read: () => Promise<T>,
  write: (value: T) => Promise<R>,
  client: Deadline,
): Promise<NonNullable<R>> {
  for (let value = before;; value = await read()) {
    const written = await write(value);
    if (written) return written;
    if (client.gone || performance.now() > client.until) {
      throw new Unavailable("others keep changing the same task or user");
    }
  }
}
