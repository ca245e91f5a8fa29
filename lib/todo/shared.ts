// Does slow work only once for all clients that ask for it at the same time.

import type { Client } from "../http/call.ts";

/** Work under way, by keys. */
export class Shared<T> {
  readonly #underWay = new Map<
    string,
    { readonly clients: Client[]; readonly result: Promise<T> }
  >();

  /** Does the work, or waits for what is under way with the same key. */
  async do(key: string, client: Client, work: (all: Client) => Promise<T>): Promise<T> {
    const joined = this.#underWay.get(key);
    joined?.clients.push(client);
    if (joined !== undefined) return await joined.result;
    const clients = [client];
    const result = work(asOne(client.address, clients));
    this.#underWay.set(key, { clients, result });
    try {
      return await result;
    } finally {
      this.#underWay.delete(key);
    }
  }
}

/** Several clients that wait for one result. They have gone when each of them has. */
const asOne = (address: string, clients: readonly Client[]): Client => ({
  address,
  get until() {
    return Math.max(...clients.map(({ until }) => until));
  },
  get gone() {
    return clients.every(({ gone }) => gone);
  },
});
