// Passwords as scrypt hashes. A hash takes a third of a second and 128 MiB on purpose, so there is
// one at a time: the rest of the machine stays free for users who are signed in.

import { Buffer } from "node:buffer";
import { randomBytes, scrypt, type ScryptOptions, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Client } from "../http/call.ts";
import { FairQueue } from "./queue.ts";

const derive: (
  password: string,
  salt: Buffer,
  bytes: number,
  cost: ScryptOptions,
) => Promise<Buffer> = promisify(scrypt);
const COST = { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 }; // OWASP Password Storage Cheat Sheet
const BYTES = 32;

/** Makes and checks hashes. Throws 429 if too many passwords wait, or if the client has gone. */
export class Passwords {
  readonly #queue = new FairQueue();

  /** Makes a hash with a new salt. */
  async hash(password: string, client: Client): Promise<string> {
    const salt = randomBytes(16);
    const key = await this.#queue.take(client, () => derive(password, salt, BYTES, COST));
    return `${salt.toString("base64")}$${key.toString("base64")}`;
  }

  /** Whether a password has this hash. Without a hash it takes as long, and returns false. */
  async verify(password: string, hash = "", client: Client): Promise<boolean> {
    const [salt = "", text = ""] = hash.split("$");
    const key = Buffer.from(text, "base64");
    const isWrong = (derived: Buffer) =>
      derived.length !== key.length || !timingSafeEqual(derived, key);
    const work = () => derive(password, Buffer.from(salt, "base64"), BYTES, COST);
    return !isWrong(await this.#queue.take(client, work, isWrong));
  }
}
