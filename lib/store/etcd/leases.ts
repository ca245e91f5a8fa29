// A lease for the marks of a server's writes: when the lease ends, etcd removes the marks. So no
// mark stays for ever, even if its server crashed.

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

  /** Returns a lease. Each is used for half its time, so that it does not end during a write. */
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

  /** Makes `current` take a new lease. */
  renew(): void {
    this.#lease = undefined;
  }
}
