// A lease for the marks of a server's writes: etcd removes them when it ends. So no mark stays for
// ever, however its server came to its end.

import type { Cluster } from "./cluster.ts";

const LEASE_S = 1200;

/** The leases of a server, one after the other. */
export class Leases {
  readonly #cluster: Cluster;
  #lease: Promise<string> | undefined;
  #renewAt = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** A lease is used for half its time, so that it does not end while a write is under way. */
  async current(): Promise<string> {
    const now = performance.now();
    if (this.#lease === undefined || now > this.#renewAt) {
      this.#renewAt = now + LEASE_S * 1000 / 2;
      const lease = this.#cluster.ask("lease/grant", () => ({ TTL: `${LEASE_S}` }));
      this.#lease = lease.then(({ ID = "" }) => ID);
      this.#lease.catch(() => this.renew());
    }
    return await this.#lease;
  }

  /** The next one is new. */
  renew(): void {
    this.#lease = undefined;
  }
}
