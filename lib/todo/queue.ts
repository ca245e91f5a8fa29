// Does one piece of slow work at a time, and gives each network a fair share of the turns.

import { isIPv6 } from "node:net";
import { performance } from "node:perf_hooks";
import type { Client } from "../http/call.ts";
import { HttpError } from "../http/reply.ts";

export const MOST = 16; // jobs that wait
export const MOST_EACH = 8; // jobs of one network that wait
export const PATIENCE_MS = 4000; // then a job that still waits is refused
export const REST_MS = 3000; // after wasted work: then the CPU belongs to other requests
export const MOST_SUSPECTS = 100; // networks; the latest are kept

/** Work that waits for its turn. */
interface Job {
  readonly client: Client;
  readonly since: number;
  begin(): void;
  refuse(): void;
}

/**
 * Networks take turns. After wasted work, such as the check of a wrong password, the machine rests,
 * and the network that it was for becomes a suspect. Only suspects wait for the end of a rest, so a
 * flood from a few networks keeps nobody else waiting.
 */
export class FairQueue {
  readonly #lines = new Map<string, Job[]>(); // by network, in the order of their turns
  readonly #suspects = new Set<string>();
  #busy = false;
  #last = ""; // the network that had the last turn
  #rest: NodeJS.Timeout | undefined;

  /** Does the work when its turn has come. Throws 429. */
  async take<T>(
    client: Client,
    work: () => Promise<T>,
    wasted: (result: T) => boolean = () => false,
  ): Promise<T> {
    await new Promise<void>((begin, reject) => {
      const since = performance.now();
      this.#add({ client, since, begin, refuse: () => reject(tooMany()) });
      this.#next();
    });
    try {
      const result = await work();
      if (wasted(result)) this.#restAfter(networkOf(client.address));
      return result;
    } finally {
      this.#busy = false;
      this.#next();
    }
  }

  /** If there is no room, the newest job of the longest line is refused: perhaps this one. */
  #add(job: Job): void {
    this.#dropLapsed();
    const network = networkOf(job.client.address);
    const own = this.#lines.get(network) ?? [];
    this.#lines.set(network, own);
    own.push(job);
    const lines = [...this.#lines.values()];
    const waiting = lines.reduce((sum, { length }) => sum + length, 0);
    if (waiting <= MOST && own.length <= MOST_EACH) return;
    const longest = lines.reduce((a, b) => b.length > a.length ? b : a, own);
    longest.pop()?.refuse();
  }

  /** Begins the next job, if there is one that may begin now. */
  #next(): void {
    if (this.#busy) return;
    this.#dropLapsed();
    const served = this.#lines.get(this.#last);
    this.#lines.delete(this.#last); // its next turn comes after all others
    if (served !== undefined) this.#lines.set(this.#last, served);
    const networks = [...this.#lines.keys()];
    const trusted = networks.find((network) => !this.#suspects.has(network));
    const network = trusted ?? (this.#rest === undefined ? networks[0] : undefined);
    if (network === undefined) {
      if (networks.length > 0) this.#rest?.ref(); // a job waits for its end
      return;
    }
    this.#busy = true;
    this.#last = network;
    this.#lines.get(network)?.shift()?.begin();
  }

  #restAfter(network: string): void {
    this.#suspects.delete(network); // to come last again
    this.#suspects.add(network);
    const [oldest = ""] = this.#suspects;
    if (this.#suspects.size > MOST_SUSPECTS) this.#suspects.delete(oldest);
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      this.#next();
    }, REST_MS).unref();
  }

  /** Refuses the jobs that waited too long, or whose client has gone. */
  #dropLapsed(): void {
    const oldest = performance.now() - PATIENCE_MS;
    for (const [network, line] of this.#lines) {
      const kept = line.filter((job) => {
        const keep = !job.client.gone && job.since > oldest;
        if (!keep) job.refuse();
        return keep;
      });
      if (kept.length > 0) this.#lines.set(network, kept);
      else this.#lines.delete(network);
    }
  }
}

const tooMany = () =>
  new HttpError(429, "many passwords wait to be checked; try again", { "Retry-After": "5" });

/** Clients that share their turns: an IPv4 address, or the /64 network of an IPv6 address. */
export function networkOf(address: string): string {
  const ip = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (!isIPv6(ip)) return ip;
  const zeros = "0:".repeat(9 - ip.split(":").length);
  return ip.replace("::", `:${zeros}`).split(":").slice(0, 4).join(":");
}
