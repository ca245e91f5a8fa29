// How much memory the tasks of the in-memory store take, and how much each account may take.

import { Buffer } from "node:buffer";
import { getHeapStatistics } from "node:v8";
import { Full, type TaskFields } from "./store.ts";

/** How many bytes a task takes, about. */
export function sizeOf({ title, description }: TaskFields): number {
  return 120 + bytesOf(title) + bytesOf(description);
}

const bytesOf = (text: string) => text.length * (Buffer.byteLength(text) === text.length ? 1 : 2);

/**
 * Room for `most` bytes: half of the heap, because requests need the rest. One owner may take
 * `share` of it.
 */
export class Room {
  readonly #most: number;
  readonly #share: number;
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(share: number, most = getHeapStatistics().heap_size_limit / 2) {
    this.#most = most;
    this.#share = share * most;
  }

  /** Counts bytes that an owner takes, or gives back if they are negative. Throws Full. */
  take(owner: string, bytes: number): void {
    const taken = (this.#taken.get(owner) ?? 0) + bytes;
    if (bytes > 0 && taken > this.#share) throw new Full("your list is full: delete tasks first");
    if (bytes > 0 && this.#all + bytes > this.#most) {
      throw new Full("the memory of the server is full: tasks must be deleted first");
    }
    this.#taken.set(owner, taken);
    this.#all += bytes;
  }

  /** Frees everything that a removed owner took. */
  leave(owner: string): void {
    this.#all -= this.#taken.get(owner) ?? 0;
    this.#taken.delete(owner);
  }
}
