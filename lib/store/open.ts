// Opens the store that --db names. The other stores are not even loaded.

import { getHeapStatistics } from "node:v8";
import { MemoryStore } from "./memory.ts";
import type { Store } from "./store.ts";

/**
 * Opens a store: in memory, in a SQLite file, or on an etcd cluster. Throws Unusable, or
 * Unavailable if trying again may help.
 */
export async function openStore(
  db?: string,
  etcdUser?: { readonly name: string; readonly password: string },
): Promise<Store> {
  if (db === undefined) return new MemoryStore(mostInHeap());
  if (/^etcds?:/i.test(db)) {
    const { EtcdStore } = await import("./etcd/store.ts");
    return await EtcdStore.open(db, undefined, etcdUser);
  }
  const { SqliteStore } = await import("./sqlite/store.ts");
  return await SqliteStore.open(db);
}

/**
 * Half of the heap, at two bytes a character: requests need the rest. The limit of the heap counts
 * new objects, too: up to 192 MiB of them.
 */
function mostInHeap(): number {
  const { heap_size_limit: limit } = getHeapStatistics();
  return Math.max((limit - 192 * 2 ** 20) / 4, limit / 16);
}
