// Passwords as scrypt hashes. A hash takes a third of a second and 128 MiB on purpose, so there is
// one at a time: the rest of the machine stays free for those who are signed in.

import { Buffer } from "node:buffer";
import { randomBytes, scrypt, type ScryptOptions, timingSafeEqual } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import type { Client } from "../http/call.ts";
import { HttpError } from "../http/reply.ts";

const derive: (
  password: string,
  salt: Buffer,
  bytes: number,
  cost: ScryptOptions,
) => Promise<Buffer> = promisify(scrypt);
const COST = { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 }; // OWASP Password Storage Cheat Sheet
const BYTES = 32;
// A pause after each hash: even on one core, a flood of sign-ins leaves more than half of the CPU
// to other requests.
const REST_MS = 100;
const MOST = 16; // under way or waiting; more would wait longer than anybody likes to

/** Makes and checks hashes, in the order in which it is asked. Throws 429 if too many wait. */
export class Passwords {
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** A hash with a salt of its own. */
  async hash(password: string, client: Client): Promise<string> {
    const salt = randomBytes(16);
    const key = await this.#derive(password, salt, client);
    return `${salt.toString("base64")}$${key.toString("base64")}`;
  }

  /** Whether a hash is that of a password. Without a hash it takes as long, and is not. */
  async verify(password: string, hash = "", client: Client): Promise<boolean> {
    const [salt = "", key = ""] = hash.split("$").map((part) => Buffer.from(part, "base64"));
    const derived = await this.#derive(password, Buffer.from(salt), client);
    return derived.length === key.length && timingSafeEqual(derived, Buffer.from(key));
  }

  async #derive(password: string, salt: Buffer, _: Client): Promise<Buffer> {
    if (this.#waiting >= MOST) {
      const mend = "many passwords wait to be checked; try again";
      throw new HttpError(429, mend, { "Retry-After": "5" });
    }
    this.#waiting++;
    const derived = this.#last.then(() => derive(password, salt, BYTES, COST));
    this.#last = derived.catch(() => {})
      .then(() => setTimeout(REST_MS))
      .then(() => this.#waiting--);
    return await derived;
  }
}
