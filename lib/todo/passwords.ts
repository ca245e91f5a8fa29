// Passwords as scrypt hashes. A hash takes a third of a second and 128 MiB on purpose, so there is
// one at a time: whoever is signed in already keeps the rest of the machine.

import { Buffer } from "node:buffer";
import { randomBytes, scrypt, type ScryptOptions, timingSafeEqual } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { HttpError } from "../http/reply.ts";

const derive: (
  password: string,
  salt: Buffer,
  bytes: number,
  cost: ScryptOptions,
) => Promise<Buffer> = promisify(scrypt);
const COST = { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 }; // OWASP Password Storage Cheat Sheet
const BYTES = 32;
const REST_MS = 100; // after each, so that even on one core a flood leaves more than half to others
const MOST = 16; // under way or waiting; more would wait longer than anybody likes to

/** Makes and checks hashes, in the order in which it is asked. Throws 429 when too many wait. */
export class Passwords {
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** A hash with a salt of its own. */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(16);
    const key = await this.#derive(password, salt);
    return `${salt.toString("base64")}$${key.toString("base64")}`;
  }

  /** Whether a hash is that of a password. Without a hash it takes the same time and is not. */
  async verify(password: string, hash = ""): Promise<boolean> {
    const [salt = "", key = ""] = hash.split("$").map((part) => Buffer.from(part, "base64"));
    const derived = await this.#derive(password, Buffer.from(salt));
    return derived.length === key.length && timingSafeEqual(derived, Buffer.from(key));
  }

  async #derive(password: string, salt: Buffer): Promise<Buffer> {
    if (this.#waiting >= MOST) {
      throw new HttpError(429, "many passwords wait to be checked; try again", {
        "Retry-After": "5",
      });
    }
    this.#waiting++;
    const derived = this.#last.then(() => derive(password, salt, BYTES, COST));
    this.#last = derived.catch(() => {})
      .then(() => setTimeout(REST_MS))
      .then(() => this.#waiting--);
    return await derived;
  }
}
