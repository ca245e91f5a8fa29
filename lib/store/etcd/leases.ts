// A lease for the marks of a server's writes: when the lease ends, etcd removes the marks. So no
// mark stays for ever, even if its server crashed.

import type { Cluster } from "./cluster.ts";

const LEASE_S = 1200;

/** The leases of a server, one after the other. */
export class Leases {
  readonly #cluster: Cluster;
  #lease = Promise.resolve("");
  #askedBy = 0; // the end of the call that asks for it; 0 if it is there
  #renewAt = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /**
   * Returns a lease. Each is used for half its time, so that it does not end during a write. Calls
   * share a lease that is asked for, unless they have to end before the one that asks.
   */
  current(by: number): Promise<string> {
    const now = performance.now();
    if (now >= this.#renewAt || by < this.#askedBy) {
      this.#renewAt = now + LEASE_S * 1000 / 2;
      this.#askedBy = by;
      const lease = this.#cluster.ask("lease/grant", { TTL: `${LEASE_S}` }, by);
      this.#lease = lease.then(({ ID = "" }) => ID);
      this.#lease.then(() => this.#askedBy = 0, () => this.renew());
    }
    return this.#lease;
  }

  /** Makes `current` take a new lease. */
  renew(): void {
    this.#renewAt = 0;
  }
}
