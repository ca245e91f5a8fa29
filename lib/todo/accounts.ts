// Who is asking: the accounts in a store, their passwords, and who is signed in.

import { Buffer } from "node:buffer";
import { entityTag } from "../http/conditional.ts";
import { parseCredentials } from "../http/credentials.ts";
import type { Store, User, UserFields } from "../store/store.ts";
import { Passwords } from "./passwords.ts";

const REMEMBERED = 1000; // credentials that were right, the latest ones

/** The accounts of a store. With `open`, anyone may register. */
export class Accounts {
  readonly open: boolean;
  readonly #store: Store;
  readonly #passwords = new Passwords();
  // From an Authorization field to its user: who is signed in pays no scrypt.
  readonly #remembered = new Map<string, string>();
  #first: Promise<unknown> = Promise.resolve();

  constructor(store: Store, open: boolean) {
    this.#store = store;
    this.open = open;
  }

  /** Makes the first user, who can sign in at once; the hash is ready a moment later. */
  async addFirst(username: string, password: string): Promise<void> {
    const user = await this.#store.addUser(username, { password: "", email: "" });
    if (user === undefined) return; // of an earlier run
    this.#remember(`Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`, username);
    this.#first = this.#passwords.hash(password)
      .then((hash) => this.#store.updateUser(user, { password: hash }));
  }

  /** The name of the user whose credentials a field holds; undefined for nobody's. Throws 429. */
  async authenticate(field = ""): Promise<string | undefined> {
    const remembered = this.#remembered.get(field);
    if (remembered !== undefined) return remembered;
    const given = parseCredentials(field);
    if (given === undefined) return undefined;
    const user = await this.find(given.username);
    // A wrong name costs what a wrong password costs.
    const right = await this.#passwords.verify(given.password, user?.password);
    const now = await this.find(given.username); // it may have another password by now
    if (!right || now?.password !== user?.password) return undefined;
    this.#remember(field, given.username);
    return given.username;
  }

  /** The user of this name, once the first one has a hash: it changes that user's entity tag. */
  async find(username: string): Promise<User | undefined> {
    await this.#first;
    return await this.#store.user(username);
  }

  tag({ revision }: User): string {
    return entityTag(this.#store.epoch, revision);
  }

  /** A new user; undefined where the name is taken. The password in clear. Throws 429. */
  async add(username: string, { password, email }: UserFields): Promise<User | undefined> {
    if (await this.find(username) !== undefined) return undefined; // and no hash for nothing
    return await this.#store.addUser(username, { password: await this.hash(password), email });
  }

  /** What to pass to `update` for a password in clear. Throws 429. */
  hash(password: string): Promise<string> {
    return this.#passwords.hash(password);
  }

  /** As the store's; another password counts from now on, on every connection. */
  async update(user: User, changes: Partial<UserFields>): Promise<User | undefined> {
    const changed = await this.#store.updateUser(user, changes);
    if (changed !== undefined && changes.password !== undefined) this.#forget(user.username);
    return changed;
  }

  /** As the store's: the tasks go too. */
  async remove(user: User): Promise<boolean> {
    const removed = await this.#store.removeUser(user);
    if (removed) this.#forget(user.username);
    return removed;
  }

  #remember(field: string, username: string): void {
    this.#remembered.set(field, username);
    const [oldest = ""] = this.#remembered.keys();
    if (this.#remembered.size > REMEMBERED) this.#remembered.delete(oldest);
  }

  #forget(username: string): void {
    for (const [field, name] of this.#remembered) {
      if (name === username) this.#remembered.delete(field);
    }
  }
}
