// Who is asking: the accounts in a store, their passwords, and who is signed in.

import { entityTag } from "../http/conditional.ts";
import { basic, parseCredentials } from "../http/credentials.ts";
import { type Later, when } from "../http/later.ts";
import type { Store, User, UserFields } from "../store/store.ts";
import type { Passwords } from "./passwords.ts";

const REMEMBERED = 1000; // credentials that were right, the latest ones

/** The accounts of a store. With `open`, anyone may register. */
export class Accounts {
  readonly store: Store;
  readonly open: boolean;
  // From an Authorization field to the user that it was right for: who is signed in pays no scrypt.
  readonly #remembered = new Map<string, User>();
  #first: Promise<unknown> = Promise.resolve();
  #loaded: Promise<Passwords> | undefined;

  constructor(store: Store, open: boolean) {
    this.store = store;
    this.open = open;
  }

  /**
   * Makes the first user, who can sign in at once; the hash is ready a moment later. False where
   * there is such a user already: without a hash, if an earlier run ended before that moment.
   */
  async addFirst(username: string, password: string): Promise<boolean> {
    const added = await this.store.addUser(username, { password: "", email: "" });
    const user = added ?? await this.store.user(username);
    if (user?.password !== "") return false;
    const field = basic({ username, password });
    this.#remember(field, user);
    this.#first = this.hash(password)
      .then((hash) => this.store.updateUser(user, { password: hash }))
      .then((kept) => kept && this.#remember(field, kept))
      .catch(() => {}); // the store fails; the next start makes up for it
    return added !== undefined;
  }

  /** The name of the user whose credentials a field holds; undefined for nobody's. Throws 429. */
  authenticate(field = ""): Later<string | undefined> {
    if (field === "") return undefined;
    const known = this.#remembered.get(field);
    if (known === undefined) return this.#verify(field);
    // Another password counts from now on, whichever server on this store was told of it.
    return when(
      this.store.user(known.username),
      (user) => user?.password === known.password ? known.username : this.#verify(field),
    );
  }

  async #verify(field: string): Promise<string | undefined> {
    const given = parseCredentials(field);
    if (given === undefined) return undefined;
    const user = await this.find(given.username);
    const known = this.#remembered.get(field); // the first user's, by now
    if (known !== undefined && known.password === user?.password) return given.username;
    // A wrong name costs what a wrong password costs.
    const right = await (await this.#passwords()).verify(given.password, user?.password);
    const now = await this.find(given.username); // it may have another password by now
    if (!right || now === undefined || now.password !== user?.password) return undefined;
    this.#remember(field, now);
    return given.username;
  }

  /** The user of this name, once the first one has a hash: it changes that user's entity tag. */
  async find(username: string): Promise<User | undefined> {
    await this.#first;
    return await this.store.user(username);
  }

  tag({ revision }: User): string {
    return entityTag(this.store.epoch, revision);
  }

  /** A new user; undefined where the name is taken. The password in clear. Throws 429. */
  async add(username: string, { password, email }: UserFields): Promise<User | undefined> {
    if (await this.find(username) !== undefined) return undefined; // and no hash for nothing
    return await this.store.addUser(username, { password: await this.hash(password), email });
  }

  /** What a store is given to keep for a password in clear. Throws 429. */
  async hash(password: string): Promise<string> {
    return await (await this.#passwords()).hash(password);
  }

  /** Loads them with the first that is to be hashed: node:crypto would delay the first answer. */
  #passwords(): Promise<Passwords> {
    return this.#loaded ??= import("./passwords.ts").then(({ Passwords }) => new Passwords());
  }

  #remember(field: string, user: User): void {
    this.#remembered.set(field, user);
    const [oldest = ""] = this.#remembered.keys();
    if (this.#remembered.size > REMEMBERED) this.#remembered.delete(oldest);
  }
}
