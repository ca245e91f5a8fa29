// Users and tasks in an etcd cluster, which several servers share and any machine may leave. The
// revision of a task, a user or a list is etcd's own: that of the transaction that wrote it last.
//
//   todo/epoch                    what tells these revisions from those of another cluster
//   todo/last                     the last id that was given
//   todo/late                     written by who wanted the next one and came too late
//   todo/user/<name>              a user
//   todo/list/<name>              nothing, but written with every change of this user's tasks
//   todo/task/<name>/<done>/<id>  a task: see ranges.ts
//   todo/mark/<uuid>              see gateway.ts

import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { deadline, Gateway } from "./cluster.ts";
import { Lists } from "./lists.ts";
import type { Filter, Part, Store, Task, TaskFields, User, UserFields } from "../store.ts";
import { exists, put, range, remove, unchanged } from "./transaction.ts";

const ADDRESS = /^([\w.-]+|\[[\da-f:.]+\]):\d{1,5}$/i;

/** A store on the members of a cluster. */
export class EtcdStore implements Store {
  readonly epoch: string;
  readonly #etcd: Gateway;
  readonly #lists: Lists;
  #last = { id: 0, revision: 0 }; // as this server knows it; another may have gone on
  #adding: Promise<unknown> = Promise.resolve(); // until the add before is through
  #rest: Promise<void> | undefined; // before the next one

  constructor(etcd: Gateway, prefix: string, epoch: string) {
    this.#etcd = etcd;
    this.#lists = new Lists(etcd, prefix);
    this.epoch = epoch;
  }

  /** Opens `etcd://host:port[,host:port…]`. Throws an Error whose message names the mend. */
  static async open(url: string, prefix = "todo/"): Promise<EtcdStore> {
    const members = url.replace("etcd://", "").split(",");
    if (!url.startsWith("etcd://") || !members.every((member) => ADDRESS.test(member))) {
      throw new Error(`a cluster is written etcd://10.0.0.1:2379,10.0.0.2:2379, not ${url}`);
    }
    const etcd = new Gateway(members, `${prefix}mark/`);
    const [key, epoch] = [`${prefix}epoch`, randomUUID().slice(0, 8)];
    const { found } = await etcd.write([unchanged(key, 0)], [put(key, epoch)], [range(key)]);
    return new EtcdStore(etcd, prefix, found[0]?.pairs[0]?.value ?? epoch);
  }

  list(owner: string, filter: Filter, offset: number, limit: number): Promise<Part> {
    return this.#lists.list(owner, filter, offset, limit);
  }

  walk(owner: string, filter: Filter): AsyncIterable<readonly Task[]> {
    return this.#lists.walk(owner, filter);
  }

  get(owner: string, id: number): Promise<Task | undefined> {
    return this.#lists.get(owner, id);
  }

  add(owner: string, fields: TaskFields): Promise<Task | undefined> {
    const until = deadline();
    // One after the other: at once they would only take the next id from each other.
    const added = this.#adding.then(() => this.#add(owner, fields, until));
    this.#adding = added.catch(() => {});
    return added;
  }

  async #add(owner: string, fields: TaskFields, until: number): Promise<Task | undefined> {
    await this.#rest;
    const { lastKey, lateKey } = this.#lists;
    const listKey = this.#lists.key(owner);
    for (;;) {
      const start = performance.now();
      const task = { ...fields, id: this.#last.id + 1 };
      const { succeeded, revision, found: [late, last, list] } = await this.#etcd.write(
        [unchanged(lastKey, this.#last.revision), exists(listKey)],
        [put(lastKey, `${task.id}`), put(listKey, ""), this.#put(owner, task), range(lateKey)],
        [put(lateKey, ""), range(lateKey), range(lastKey), range(listKey)],
        until,
      );
      if (succeeded) {
        // Without a rest, the server that is nearest to the leader would leave no id to the others.
        const contended = (late?.pairs[0]?.revision ?? 0) > this.#last.revision;
        if (contended) this.#rest = setTimeout(2 * (performance.now() - start));
        this.#last = { id: task.id, revision };
        return { ...task, revision };
      }
      const [{ value, revision: renewed } = { value: "0", revision: 0 }] = last?.pairs ?? [];
      this.#last = { id: Number(value), revision: renewed }; // another server was quicker
      if (list?.count === 0) return undefined;
    }
  }

  update(owner: string, task: Task, changes: Partial<TaskFields>): Promise<Task | undefined> {
    const changed = { ...task, ...changes };
    const key = this.#lists.taskKey(owner, task.done, task.id);
    return this.#write(key, changed, [
      ...(changed.done === task.done ? [] : [remove(key)]),
      put(this.#lists.key(owner), ""),
      this.#put(owner, changed),
    ]);
  }

  async remove(owner: string, { id, done, revision }: Task): Promise<boolean> {
    const key = this.#lists.taskKey(owner, done, id);
    const changes = [remove(key), put(this.#lists.key(owner), "")];
    return (await this.#etcd.write([unchanged(key, revision)], changes)).succeeded;
  }

  async user(username: string): Promise<User | undefined> {
    const { found } = await this.#etcd.read(range(this.#lists.userKey(username)));
    const [pair] = found[0]?.pairs ?? [];
    return pair && { username, ...JSON.parse(pair.value), revision: pair.revision };
  }

  addUser(username: string, fields: UserFields): Promise<User | undefined> {
    return this.#putUser({ username, ...fields, revision: 0 }, put(this.#lists.key(username), ""));
  }

  updateUser(user: User, changes: Partial<UserFields>): Promise<User | undefined> {
    return this.#putUser({ ...user, ...changes });
  }

  async removeUser({ username, revision }: User): Promise<boolean> {
    const key = this.#lists.userKey(username);
    const keys = [key, this.#lists.key(username), this.#lists.taskKeys(username)];
    return (await this.#etcd.write([unchanged(key, revision)], keys.map(remove))).succeeded;
  }

  close(): void {} // there is nothing but requests

  #putUser(user: User, ...more: object[]): Promise<User | undefined> {
    const { username, password, email } = user;
    const key = this.#lists.userKey(username);
    return this.#write(key, user, [put(key, JSON.stringify({ password, email })), ...more]);
  }

  /** Changes what is still in its revision: in 0, if it is not there yet. */
  async #write<T extends Task | User>(key: string, next: T, puts: object[]) {
    const { succeeded, revision } = await this.#etcd.write([unchanged(key, next.revision)], puts);
    return succeeded ? { ...next, revision } : undefined;
  }

  #put(owner: string, { id, title, description, done }: Omit<Task, "revision">) {
    const value = JSON.stringify({ id, title, description, done });
    return put(this.#lists.taskKey(owner, done, id), value);
  }
}
