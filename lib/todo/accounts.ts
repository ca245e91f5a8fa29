// Who sent a request: the accounts in a store, their passwords, and who is signed in.

import type { Client } from "../http/call.ts";
import { basic, type Credentials, parseCredentials } from "../http/credentials.ts";
import type { Store, TaskFields, User, UserFields } from "../store/store.ts";
import { Passwords } from "./passwords.ts";
import { Shared } from "./shared.ts";

const MOST_REMEMBERED = 1000; // accounts

/** The accounts of a store. */
export class Accounts {
  readonly store: Store;
  readonly #passwords = new Passwords();
  readonly #verifying = new Shared<User | undefined>(); // by Authorization field
  // The account for each Authorization field that was right, so that scrypt runs once per
  // sign-in and not once per request. A digest in its place would cost 4% of a GET.
  readonly #signedIn = new Map<string, User>();
  readonly #fields = new Map<string, string>(); // by account, the least recently used first

  constructor(store: Store) {
    this.store = store;
  }

  /** The account whose credentials an Authorization field holds, if any. Throws 429. */
  async authenticate(field: string | undefined, client: Client): Promise<User | undefined> {
    if (field === undefined) return undefined;
    const known = this.#signedIn.get(field);
    const user = known && await this.store.user(known.username, client);
    if (known === undefined || !isSame(user, known)) return await this.#signIn(field, client);
    if (this.#fields.size > MOST_REMEMBERED / 2) this.#remember(user, field);
    return user;
  }

  async #signIn(field: string, client: Client): Promise<User | undefined> {
    const given = parseCredentials(field);
    if (given === undefined) return undefined;
    const usual = basic(given); // this spelling may be known
    if (usual !== field) return await this.authenticate(usual, client);
    const user = await this.store.user(given.username, client);
    return await this.#verifying.do(`${user?.password} ${field}`, client, async (all) => {
      // A wrong name takes as long as a wrong password.
      const right = await this.#passwords.verify(given.password, user?.password, all);
      if (!right || user === undefined) return undefined;
      this.#remember(user, field);
      return await this.current(user, all);
    });
  }

  /** An account as it is now, if it still is the same one and has the same password. */
  async current(known: User, client: Client): Promise<User | undefined> {
    const user = await this.store.user(known.username, client);
    return isSame(user, known) ? user : undefined;
  }

  /** Adds a user with a password in clear. Undefined if the name is taken. Throws 429. */
  async add(
    username: string,
    { password, email }: UserFields,
    client: Client,
  ): Promise<User | undefined> {
    // Before the hash, which takes long.
    if (await this.store.user(username, client) !== undefined) return undefined;
    const hash = await this.hash(password, client);
    const user = await this.store.addUser(username, { password: hash, email }, client);
    if (user !== undefined) this.#remember(user, basic({ username, password }));
    return user;
  }

  /** Gives a store its first user, with these tasks, unless it ever had a user. */
  async addFirst(given: Credentials, hash: string, tasks: readonly TaskFields[]): Promise<void> {
    const fields = { password: hash, email: "" };
    const user = await this.store.addFirst(given.username, fields, tasks);
    if (user !== undefined) this.#remember(user, basic(given));
  }

  /** What a store keeps in place of a password. Throws 429. */
  async hash(password: string, client: Client): Promise<string> {
    return await this.#passwords.hash(password, client);
  }

  /** Remembers one field for each account: a new one takes the place of the old. */
  #remember(user: User, field: string): void {
    this.#forget(user.id);
    this.#fields.set(user.id, field);
    this.#signedIn.set(field, user);
    const [oldest = ""] = this.#fields.keys();
    if (this.#fields.size > MOST_REMEMBERED) this.#forget(oldest);
  }

  #forget(id: string): void {
    this.#signedIn.delete(this.#fields.get(id) ?? "");
    this.#fields.delete(id);
  }
}

/** Whether this is the account that was known, with the same password. */
const isSame = (user: User | undefined, known: User): user is User =>
  user?.id === known.id && user.password === known.password;
