// Who sent a request: the accounts in a store, their passwords, and who is signed in.

import { hash as digest, randomUUID } from "node:crypto";
import type { Client } from "../http/call.ts";
import { type Credentials, parseCredentials } from "../http/credentials.ts";
import type { Store, User, UserFields } from "../store/store.ts";
import type { Passwords } from "./passwords.ts";

const REMEMBERED = 1000; // accounts that signed in last

/** The accounts of a store. If `open`, anyone may register. */
export class Accounts {
  readonly store: Store;
  readonly open: boolean;
  // By account: a digest of the password that was right, and the hash in the store by then. So
  // scrypt runs once per sign-in and not once per request, and no password stays in memory.
  readonly #signedIn = new Map<string, { readonly digest: string; readonly hash: string }>();
  readonly #key = randomUUID();
  readonly #verifying = new Map<string, Promise<User | undefined>>(); // by Authorization field
  #passwords: Promise<Passwords> | undefined;

  constructor(store: Store, open: boolean) {
    this.store = store;
    this.open = open;
  }

  /** The account whose credentials an Authorization field holds, if any. Throws 429. */
  async authenticate(field: string | undefined, client: Client): Promise<User | undefined> {
    const given = parseCredentials(field);
    if (given === undefined) return undefined;
    const user = await this.store.user(given.username, client);
    const known = this.#signedIn.get(user?.id ?? "");
    if (known?.hash === user?.password && known?.digest === this.#digest(given)) return user;
    // Many requests with the same new credentials wait for one hash.
    const key = `${field}`;
    const verifying = this.#verifying.get(key) ??
      this.#verify(given, user, client).finally(() => this.#verifying.delete(key));
    this.#verifying.set(key, verifying);
    return await verifying;
  }

  async #verify(given: Credentials, user: User | undefined, client: Client) {
    const passwords = await this.#load();
    // A wrong name takes as long as a wrong password.
    const right = await passwords.verify(given.password, user?.password, client);
    if (!right || user === undefined) return undefined;
    this.#signedIn.delete(user.id); // to come last again
    this.#signedIn.set(user.id, { digest: this.#digest(given), hash: user.password });
    const [oldest = ""] = this.#signedIn.keys();
    if (this.#signedIn.size > REMEMBERED) this.#signedIn.delete(oldest);
    return await this.current(user, client);
  }

  /** An account as it is now, if it still is the same one and has the same password. */
  async current({ id, username, password }: User, client: Client): Promise<User | undefined> {
    const user = await this.store.user(username, client);
    return user?.id === id && user.password === password ? user : undefined;
  }

  /** Adds a user with a password in clear. Undefined if the name is taken. Throws 429. */
  async add(
    username: string,
    { password, email }: UserFields,
    client: Client,
  ): Promise<User | undefined> {
    // Not a hash for nothing.
    if (await this.store.user(username, client) !== undefined) return undefined;
    const hash = await this.hash(password, client);
    return await this.store.addUser(username, { password: hash, email }, client);
  }

  /** What a store keeps in place of a password. Throws 429. */
  async hash(password: string, client: Client): Promise<string> {
    return await (await this.#load()).hash(password, client);
  }

  // Loaded for the first hash, so that the server starts sooner. If that fails, the next request
  // tries again.
  #load(): Promise<Passwords> {
    this.#passwords ??= import("./passwords.ts").then(({ Passwords }) => new Passwords());
    this.#passwords.catch(() => this.#passwords = undefined);
    return this.#passwords;
  }

  #digest({ password }: Credentials): string {
    return digest("sha256", this.#key + password);
  }
}
