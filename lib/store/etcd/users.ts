// Users in etcd.

import { randomUUID } from "node:crypto";
import { sizeOf, type TaskFields, type User, type UserFields } from "../store.ts";
import { soon } from "./cluster.ts";
import { putTask } from "./lists.ts";
import { Tasks } from "./tasks.ts";
import { put, range, remove, unchanged } from "./transaction.ts";

/** The part of a store that has the users. */
export class Users extends Tasks {
  async user(username: string): Promise<User | undefined> {
    const { found } = await this.cluster.read(soon(), range(this.keys.user(username)));
    const [pair] = found[0]?.pairs ?? [];
    return pair && { username, ...JSON.parse(pair.value), revision: pair.revision };
  }

  addUser(username: string, fields: UserFields) {
    return this.#insert(username, fields, this.keys.user(username), []);
  }

  async addFirst(username: string, fields: UserFields, tasks: readonly TaskFields[]) {
    const { users } = this.keys;
    const { found } = await this.cluster.read(soon(), range(users));
    if (found[0]?.count !== 0) return undefined; // even if the cluster is full
    return await this.#insert(username, fields, users, tasks);
  }

  /** Adds a user with tasks if there is no key `none`. Only the first user of all has tasks. */
  async #insert(
    username: string,
    { password, email }: UserFields,
    none: string,
    tasks: readonly TaskFields[],
  ): Promise<User | undefined> {
    const id = randomUUID();
    const { users, list, user, last } = this.keys;
    const size = tasks.reduce((sum, task) => sum + sizeOf(task), 0);
    const { succeeded, revision } = await this.writes.write({
      compare: [unchanged(none)],
      success: [
        put(users, ""),
        put(user(username), JSON.stringify({ id, password, email })),
        put(list(id), `${size}`),
        ...tasks.map((task, i) => putTask(this.keys, id, { ...task, id: i + 1 })),
        ...(tasks.length > 0 ? [put(last, `${tasks.length}`)] : []),
      ],
    }, soon());
    return succeeded ? { id, username, password, email, revision } : undefined;
  }

  async updateUser(user: User, changes: Partial<UserFields>) {
    const key = this.keys.user(user.username);
    const changed = { ...user, ...changes };
    const { id, password, email } = changed;
    const compare = [unchanged(key, user.revision)];
    const success = [put(key, JSON.stringify({ id, password, email }))];
    const { succeeded, revision } = await this.writes.write({ compare, success }, soon());
    return succeeded ? { ...changed, revision } : undefined;
  }

  async removeUser({ id, username, revision }: User): Promise<boolean> {
    const key = this.keys.user(username);
    const compare = [unchanged(key, revision)];
    const success = [remove(key), remove(this.keys.list(id)), remove(this.keys.tasks(id))];
    return (await this.writes.write({ compare, success }, soon())).succeeded;
  }
}
