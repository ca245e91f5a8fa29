// Opens the store that --db names. The other stores are not even loaded.

import { MemoryStore } from "./memory.ts";
import type { Store } from "./store.ts";

/**
 * Opens a store: in memory, in a SQLite file, or on an etcd cluster. Throws Unusable, or
 * Unavailable if trying again may help.
 */
export async function openStore(
  db: string | undefined,
  etcdUser?: { readonly name: string; readonly password: string },
): Promise<Store> {
  if (db === undefined) return new MemoryStore();
  if (/^etcds?:/i.test(db)) {
    const { EtcdStore } = await import("./etcd/store.ts");
    return await EtcdStore.open(db, undefined, etcdUser);
  }
  const { SqliteStore } = await import("./sqlite/store.ts");
  return await SqliteStore.open(db);
}
