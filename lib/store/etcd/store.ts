// A store in an etcd cluster. Several servers can share it, and any one machine may fail. The
// methods of the store are in lists.ts, tasks.ts and users.ts.

import { randomUUID } from "node:crypto";
import { type Store, Unusable } from "../store.ts";
import { Cluster, type Login, membersOf, soon } from "./cluster.ts";
import { keysUnder, VERSION } from "./keys.ts";
import { put, range, unchanged } from "./transaction.ts";
import { Users } from "./users.ts";

/** A store on the members of a cluster. */
export class EtcdStore extends Users implements Store {
  epoch = "";

  /** Opens `etcd://host:port[,host:port…]`, or `etcds://…`. Throws Unusable, Unavailable. */
  static async open(url: string, prefix = "todo/", login?: Login): Promise<EtcdStore> {
    const store = new EtcdStore(new Cluster(membersOf(url), login), keysUnder(prefix));
    await store.#begin();
    return store;
  }

  /** Learns the epoch, or writes it into a new cluster. */
  async #begin(): Promise<void> {
    const by = soon();
    const { epoch: epochKey, version: versionKey, users: usersKey } = this.keys;
    const ranges = [epochKey, versionKey, usersKey].map((key) => range(key));
    while (this.epoch === "") {
      const { found } = await this.cluster.read(by, ...ranges);
      const [epoch, version, users] = found.map(({ pairs: [pair] }) => pair);
      if ((epoch ?? users) !== undefined && version?.value !== VERSION) {
        const fix = "start that version, and move the tasks by GET and POST";
        throw new Unusable(`another version of the server keeps its tasks on this cluster: ${fix}`);
      }
      this.epoch = epoch?.value ?? "";
      if (epoch !== undefined) return;
      const success = [put(epochKey, randomUUID().slice(0, 8)), put(versionKey, VERSION)];
      await this.writes.write({ compare: [unchanged(epochKey)], success }, by);
    }
  }

  close(): void {}
}
