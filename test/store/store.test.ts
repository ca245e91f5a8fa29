// What any store promises: runs one suite over each kind of store.

import { randomUUID } from "node:crypto";
import { after } from "node:test";
import { EtcdStore } from "../../lib/store/etcd/store.ts";
import { MemoryStore } from "../../lib/store/memory.ts";
import { SqliteStore } from "../../lib/store/sqlite/store.ts";
import { type Cluster, NO_ETCD, startCluster } from "../tools/etcd.ts";
import { newFile, NO_SQLITE } from "../tools/files.ts";
import type { Kind } from "../tools/stores.ts";
import { fieldPromises } from "./suite/fields.ts";
import { lastingPromises, sharedPromises } from "./suite/lasting.ts";
import { listPromises } from "./suite/lists.ts";
import { taskPromises } from "./suite/tasks.ts";
import { userPromises } from "./suite/users.ts";

// Started for the first test that needs it: if it cannot start, only these tests fail.
let cluster: Promise<Cluster> | undefined;
after(async () => await (await cluster?.catch(() => undefined))?.stop());

const KINDS: Kind[] = [
  {
    name: "MemoryStore",
    skip: false,
    lasts: false,
    shared: false,
    over: 0,
    place: () => Promise.resolve(() => Promise.resolve(new MemoryStore())),
  },
  {
    name: "SqliteStore",
    skip: NO_SQLITE,
    lasts: true,
    shared: true,
    over: 0,
    async place(t) {
      const file = await newFile(t);
      return () => SqliteStore.open(file);
    },
  },
  {
    name: "EtcdStore",
    skip: NO_ETCD,
    lasts: true,
    shared: true,
    over: 1,
    async place() {
      const { url } = await (cluster ??= startCluster(1));
      const prefix = `${randomUUID()}/`;
      return () => EtcdStore.open(url, prefix);
    },
  },
];

for (const kind of KINDS) {
  taskPromises(kind);
  fieldPromises(kind);
  listPromises(kind);
  userPromises(kind);
  if (kind.lasts) lastingPromises(kind);
  if (kind.shared) sharedPromises(kind);
}
