// Who sent a request: the accounts in a store, their passwords, and who is signed in.

import { hash as digest, randomUUID } from "node:crypto";
import type { Client } from "../http/call.ts";
import { type Credentials, parseCredentials } from "../http/credentials.ts";
import type { Store, TaskFields, User, UserFields } from "../store/store.ts";
import { Passwords } from "./passwords.ts";
import { Shared } from "./shared.ts";

const MOST_REMEMBERED = 1000; // accounts

/** The accounts of a store. If `open`, anyone may register. */
export class Accounts {
  readonly store: Store;
  readonly open: boolean;
  readonly #passwords = new Passwords();
  readonly #verifying = new Shared<User | undefined>(); // by mark
  // By account, the least recently used first: the mark of credentials that were right. So scrypt
  // runs once per sign-in and not once per request, and no password stays in memory.
  readonly #signedIn = new Map<string, string>();
  readonly #key = randomUUID();

  constructor(store: Store, open: boolean) {
    this.store = store;
    this.open = open;
  }

  /** The account whose credentials an Authorization field holds, if any. Throws 429. */
  async authenticate(field: string | undefined, client: Client): Promise<User | undefined> {
    const given = parseCredentials(field);
    if (given === undefined) return undefined;
    const user = await this.store.user(given.username, client);
    const mark = this.#mark(given, user?.password);
    if (user === undefined || this.#signedIn.get(user.id) !== mark) {
      return await this.#verifying.do(mark, client, (all) => this.#verify(given, user, all));
    }
    this.#remember(user, mark);
    return user;
  }

  async #verify(given: Credentials, user: User | undefined, client: Client) {
    // A wrong name takes as long as a wrong password.
    const right = await this.#passwords.verify(given.password, user?.password, client);
    if (!right || user === undefined) return undefined;
    this.#remember(user, this.#mark(given, user.password));
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
    const user = await this.store.addUser(username, { password: hash, email }, client);
    if (user !== undefined) this.#remember(user, this.#mark({ username, password }, hash));
    return user;
  }

  /** Gives a store its first user, with these tasks, unless it ever had a user. */
  async addFirst(given: Credentials, hash: string, tasks: readonly TaskFields[]): Promise<void> {
    const fields = { password: hash, email: "" };
    const user = await this.store.addFirst(given.username, fields, tasks);
    if (user !== undefined) this.#remember(user, this.#mark(given, hash));
  }

  /** What a store keeps in place of a password. Throws 429. */
  async hash(password: string, client: Client): Promise<string> {
    return await this.#passwords.hash(password, client);
  }

  #remember({ id }: User, mark: string): void {
    this.#signedIn.delete(id); // to come last again
    this.#signedIn.set(id, mark);
    if (this.#signedIn.size <= MOST_REMEMBERED) return;
    const [oldest = ""] = this.#signedIn.keys();
    this.#signedIn.delete(oldest);
  }

  /** A digest that differs if credentials or the hash in the store do. It gives neither away. */
  #mark({ username, password }: Credentials, hash = ""): string {
    return digest("sha256", `${this.#key} ${hash} ${username}:${password}`);
  }
}
