// Does one piece of slow work at a time, in a fair order: who erred most recently waits longest.

import { isIPv6 } from "node:net";
import { performance } from "node:perf_hooks";
import type { Client } from "../http/call.ts";
import { HttpError } from "../http/reply.ts";

export const MOST = 16; // jobs that wait
export const PATIENCE_MS = 4000; // then a job that still waits is refused
export const REST_MS = 3000; // for a network, after its own error
const MOST_REST_MS = 1000; // for the CPU, after any error
export const MOST_ERRED = 1000; // networks; the latest are kept

const TOO_MANY = new HttpError(429, "many passwords wait to be checked; try again", {
  "Retry-After": "5",
});

/** Work that waits for its turn. `settle` begins or refuses it. */
interface Job {
  readonly client: Client;
  readonly network: string;
  settle(refusal?: HttpError): void;
}

/**
 * A network errs when it sends a wrong password; a right one makes up for it. The next job is of
 * the network that erred longest ago, or never; among equals, networks take turns. After an error
 * the CPU belongs to other requests for as long as the work took.
 */
export class FairQueue {
  readonly #erred = new Map<string, number>(); // when each network last erred, the latest last
  readonly #waiting = new Set<Job>(); // in the order of their turns
  #last = ""; // the network that had the last turn: its next one comes after all others
  #busy = false;
  #restUntil = 0; // for the CPU
  #timer: NodeJS.Timeout | undefined;

  /** Does the work when its turn has come. `isRight` judges a password. Throws 429. */
  async take<T>(client: Client, work: () => Promise<T>, isRight?: (done: T) => boolean) {
    const network = networkOf(client.address);
    await new Promise<void>((begin, reject) => {
      const settle = (refusal?: HttpError) => {
        clearTimeout(patience);
        this.#waiting.delete(job);
        refusal === undefined ? begin() : reject(refusal);
      };
      const patience = setTimeout(settle, PATIENCE_MS, TOO_MANY);
      const job: Job = { client, network, settle };
      this.#waiting.add(job);
      this.#next();
    });
    const begun = performance.now();
    try {
      const done = await work();
      if (isRight !== undefined) this.#judge(network, isRight(done), begun);
      return done;
    } finally {
      this.#busy = false;
      this.#next();
    }
  }

  #judge(network: string, right: boolean, begun: number): void {
    const now = performance.now();
    this.#erred.delete(network);
    if (!right) this.#erred.set(network, now);
    if (!right) this.#restUntil = now + Math.min(now - begun, MOST_REST_MS);
    const [oldest = ""] = this.#erred.keys();
    if (this.#erred.size > MOST_ERRED) this.#erred.delete(oldest);
  }

  /** Begins the next job, if it may begin now. If too many jobs wait, refuses one. */
  #next(): void {
    clearTimeout(this.#timer);
    for (const job of [...this.#waiting]) {
      if (job.client.gone) job.settle(TOO_MANY);
      else if (job.network === this.#last && this.#waiting.delete(job)) this.#waiting.add(job);
    }
    const jobs = [...this.#waiting];
    const lastError = ({ network }: Job) => this.#erred.get(network) ?? -REST_MS;
    const size = ({ network }: Job) => jobs.filter((job) => job.network === network).length;
    const isWorse = (a: Job, b: Job) => lastError(a) - lastError(b) || size(a) - size(b);
    if (jobs.length > MOST) jobs.reduce((a, b) => isWorse(a, b) > 0 ? a : b).settle(TOO_MANY);
    if (this.#busy || jobs.length === 0) return;
    const next = jobs.reduce((a, b) => lastError(b) < lastError(a) ? b : a);
    const rest = Math.max(this.#restUntil, lastError(next) + REST_MS) - performance.now();
    if (rest > 0) return void (this.#timer = setTimeout(() => this.#next(), rest));
    this.#busy = true;
    this.#last = next.network;
    next.settle();
  }
}

/** Clients that share their turns: an IPv4 address, or the /56 network of an IPv6 address. */
export function networkOf(ip: string): string {
  if (!isIPv6(ip)) return ip;
  const zeros = "0:".repeat(9 - ip.split(":").length);
  const groups = ip.replace("::", `:${zeros}`).split(":").slice(0, 4);
  return groups.map((group) => group.padStart(4, "0")).join("").slice(0, 14);
}
