// Users in etcd.

import { randomUUID } from "node:crypto";
import type { Deadline, TaskFields, User, UserFields } from "../store.ts";
import type { Cluster } from "./cluster.ts";
import type { Keys } from "./keys.ts";
import { putTask } from "./tasks.ts";
import { put, type Range, range, remove, unchanged } from "./transaction.ts";
import type { Writes } from "./writes.ts";

/** Reads and writes users. */
export class Users {
  readonly #cluster: Cluster;
  readonly #keys: Keys;
  readonly #writes: Writes;

  constructor(cluster: Cluster, keys: Keys, writes: Writes) {
    this.#cluster = cluster;
    this.#keys = keys;
    this.#writes = writes;
  }

  /** See UserStore, as for all methods here. */
  async user(username: string, by?: Deadline): Promise<User | undefined> {
    const { found: [user] } = await this.#cluster.read(by, range(this.#keys.user(username)));
    const [pair] = user?.pairs ?? [];
    return pair && { id: username, username, ...JSON.parse(pair.value), revision: pair.revision };
  }

  addUser(username: string, fields: UserFields, by?: Deadline) {
    return this.#addUser(username, fields, [this.#keys.user(username)], () => [], by);
  }

  async addFirst(username: string, fields: UserFields, tasks: readonly TaskFields[]) {
    // Earlier versions wrote no `users`, but they left a user or a task's id.
    const none = [this.#keys.users, this.#keys.all("user"), this.#keys.last];
    const { found } = await this.#cluster.read(
      undefined,
      ...none.map((keys) => range(keys, { count_only: true })),
    );
    if (found.some(({ count }) => count > 0)) return undefined; // even if the cluster is full
    const { last } = this.#keys;
    return await this.#addUser(username, fields, none, (id) => [
      put(last, `${tasks.length}`),
      ...tasks.map((task, i) => putTask(this.#keys, id, { ...task, id: i + 1 })),
    ]);
  }

  /** Adds a user, and writes what `more` makes of their id, if no key of `none` exists. */
  async #addUser(
    username: string,
    { password, email }: UserFields,
    none: readonly Range[],
    more: (id: string) => readonly object[],
    by?: Deadline,
  ): Promise<User | undefined> {
    const id = randomUUID();
    const { users, list, user } = this.#keys;
    const value = JSON.stringify({ id, password, email });
    const { succeeded, revision } = await this.#writes.write({
      compare: none.map((keys) => unchanged(keys, 0)),
      success: [put(users, ""), put(list(id), ""), put(user(username), value), ...more(id)],
    }, by);
    return succeeded ? { id, username, password, email, revision } : undefined;
  }

  async updateUser(user: User, changes: Partial<UserFields>, by?: Deadline) {
    const key = this.#keys.user(user.username);
    const changed = { ...user, ...changes };
    const { id, password, email } = changed;
    const { succeeded, revision } = await this.#writes.write({
      compare: [unchanged(key, user.revision)],
      success: [put(key, JSON.stringify({ id, password, email }))],
    }, by);
    return succeeded ? { ...changed, revision } : undefined;
  }

  /** The tasks are gone with their list. Clearing frees their space. */
  async removeUser({ id, username, revision }: User, by?: Deadline): Promise<boolean> {
    const key = this.#keys.user(username);
    const { succeeded } = await this.#writes.write({
      compare: [unchanged(key, revision)],
      success: [remove(key), remove(this.#keys.list(id)), put(this.#keys.removed(id), id)],
    }, by);
    return succeeded;
  }
}
