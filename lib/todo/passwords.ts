// Passwords as scrypt hashes. A hash takes a third of a second and 128 MiB on purpose, so there is
// one at a time: the rest of the machine stays free for users who are signed in.

import { Buffer } from "node:buffer";
import { randomBytes, scrypt, type ScryptOptions, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Client } from "../http/call.ts";
import { FairQueue } from "./queue.ts";

/** What a hash costs: N is 2^17, r is 8, p is 1 (OWASP Password Storage Cheat Sheet). */
const COST = "scrypt$17$8$1";

const derive: (
  password: string,
  salt: Buffer,
  bytes: number,
  cost: ScryptOptions,
) => Promise<Buffer> = promisify(scrypt);

/** Makes and checks hashes. Throws 429 if too many passwords wait, or if the client has gone. */
export class Passwords {
  readonly #queue = new FairQueue();
  readonly #cost: string;

  /** Makes hashes of this cost. Only tests want another one. */
  constructor(cost = COST) {
    this.#cost = cost;
  }

  /** Makes a hash with a new salt: `scrypt$17$8$1$salt$key`. It tells what it costs. */
  async hash(password: string, client: Client): Promise<string> {
    return await this.#queue.take(client, () => hashed(password, this.#cost));
  }

  /**
   * Returns the hash to keep if the password has this one: the same, or a new one if the cost was
   * another. Otherwise undefined. Without a hash it takes as long.
   */
  async verify(password: string, hash = `${this.#cost}$$`, client: Client) {
    const whole = hash.startsWith("scrypt$") ? hash : `${COST}$${hash}`; // once it had no cost
    const [, cost = "", salt] = /^(scrypt(?:\$\d+){3})\$([^$]*)/.exec(whole) ?? [];
    const work = async () => {
      if (!isSame(await hashed(password, cost, salt), whole)) return undefined;
      return cost === this.#cost ? hash : await hashed(password, this.#cost);
    };
    return await this.#queue.take(client, work, (kept) => kept !== undefined);
  }

  /** Whether new hashes cost as much as this one. */
  isUsual(hash: string): boolean {
    return hash.startsWith(`${this.#cost}$`);
  }
}

async function hashed(password: string, cost: string, salt = newSalt()): Promise<string> {
  const [, ln = 0, r = 0, p = 0] = cost.split("$").map(Number);
  const N = 2 ** ln;
  const options = { N, r, p, maxmem: 256 * N * r }; // it needs half of that
  // However its characters were composed, a password is the same (RFC 8265).
  const key = await derive(password.normalize("NFC"), Buffer.from(salt, "base64"), 32, options);
  return `${cost}$${salt}$${key.toString("base64")}`;
}

const newSalt = () => randomBytes(16).toString("base64");

const isSame = (one: string, other: string) =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
