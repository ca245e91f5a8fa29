// Who sent a request: the accounts in a store, their passwords, and who is signed in.

import { hash as digest } from "node:crypto";
import type { Client } from "../http/call.ts";
import { basic, type Credentials, parseCredentials } from "../http/credentials.ts";
import type { Store, TaskFields, User, UserFields } from "../store/store.ts";
import { Passwords } from "./passwords.ts";
import { networkOf } from "./queue.ts";
import { Shared } from "./shared.ts";

const MOST_REMEMBERED = 1000; // accounts
const MOST_NETWORKS = 10; // of each account
const THIS_MACHINE = { address: "127.0.0.1" };

/** The accounts of a store. */
export class Accounts {
  readonly store: Store;
  readonly passwords: Passwords;
  readonly #verifying = new Shared<User | undefined>(); // by proof
  // scrypt runs once per sign-in and not once per request: here is the account for each proof.
  readonly #signedIn = new Map<string, User>();
  readonly #proofs = new Map<string, string[]>(); // by account, the least recently used first

  constructor(store: Store, passwords = new Passwords()) {
    this.store = store;
    this.passwords = passwords;
  }

  /** The account whose credentials an Authorization field holds, if any. Throws 429. */
  async authenticate(field: string | undefined, client: Client): Promise<User | undefined> {
    if (field === undefined) return undefined;
    const proof = proofOf(field, client);
    const known = this.#signedIn.get(proof);
    const user = known && await this.store.user(known.username);
    if (known !== undefined && isSame(user, known)) {
      if (this.#proofs.size > MOST_REMEMBERED / 2) this.#remember(user, proof);
      return user;
    }
    if (known !== undefined) this.forget(known.id);
    return await this.#signIn(field, client);
  }

  async #signIn(field: string, client: Client): Promise<User | undefined> {
    const given = parseCredentials(field);
    if (given === undefined) return undefined;
    const usual = basic(given); // this spelling may be known
    if (usual !== field) return await this.authenticate(usual, client);
    const user = await this.store.user(given.username);
    const proof = proofOf(field, client);
    return await this.#verifying.do(`${user?.password} ${proof}`, client, async (all) => {
      // A wrong name takes as long as a wrong password.
      const hash = await this.passwords.verify(given.password, user?.password, all);
      if (hash === undefined || user === undefined) return undefined;
      if (hash !== user.password) { // it was of an older cost
        await this.store.updateUser(user, { password: hash });
        return await this.#signIn(field, all);
      }
      const now = await this.current(user);
      if (now !== undefined) this.#remember(now, proof);
      return now;
    });
  }

  /** An account as it is now, if it still is the same one and has the same password. */
  async current(known: User): Promise<User | undefined> {
    const user = await this.store.user(known.username);
    return isSame(user, known) ? user : undefined;
  }

  /** Adds a user with a password in clear. Undefined if the name is taken. Throws 429. */
  async add(
    username: string,
    { password, email }: UserFields,
    client: Client,
  ): Promise<User | undefined> {
    // A taken name costs a hash, too: otherwise names could be tried out fast.
    const hash = await this.hash(password, client);
    const user = await this.store.addUser(username, { password: hash, email });
    if (user !== undefined) this.#remember(user, proofOf(basic({ username, password }), client));
    return user;
  }

  /** Gives a store its first user, with these tasks, unless it ever had a user. */
  async addFirst(given: Credentials, hash: string, tasks: readonly TaskFields[]): Promise<void> {
    const fields = { password: hash, email: "" };
    const user = await this.store.addFirst(given.username, fields, tasks);
    if (user !== undefined) this.#remember(user, proofOf(basic(given), THIS_MACHINE));
  }

  /** What a store keeps in place of a password. Throws 429. */
  async hash(password: string, client: Client): Promise<string> {
    return await this.passwords.hash(password, client);
  }

  /** Remembers for each account the latest networks that proved its password. */
  #remember(user: User, proof: string): void {
    const proofs = this.#proofs.get(user.id) ?? [];
    this.#proofs.delete(user.id); // to come last again
    this.#proofs.set(user.id, proofs);
    if (!this.#signedIn.has(proof)) proofs.push(proof);
    this.#signedIn.set(proof, user);
    if (proofs.length > MOST_NETWORKS) this.#signedIn.delete(proofs.shift() ?? "");
    const [oldest = ""] = this.#proofs.keys();
    if (this.#proofs.size > MOST_REMEMBERED) this.forget(oldest);
  }

  /** Forgets that an account is signed in, because it is gone or its password has changed. */
  forget(id: string): void {
    for (const proof of this.#proofs.get(id) ?? []) this.#signedIn.delete(proof);
    this.#proofs.delete(id);
  }
}

// A field counts only for the network that proved it. Otherwise a right guess from elsewhere would
// get its response at once, while wrong ones wait. The digest keeps passwords out of the memory.
const proofOf = (field: string, { address }: { readonly address: string }) =>
  digest("sha256", `${networkOf(address)}\n${field}`);

/** Whether this is the account that was known, with the same password. */
const isSame = (user: User | undefined, known: User): user is User =>
  user?.id === known.id && user.password === known.password;
