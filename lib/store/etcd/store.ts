// Users and tasks in an etcd cluster, which several servers share and any machine may leave. The
// revision of a task, a user or a list is etcd's own: that of the transaction that wrote it last.
//
//   todo/epoch                    what tells these revisions from those of another cluster
//   todo/last                     the last id that was given
//   todo/late                     written by who wanted the next one and came too late
//   todo/users                    nothing, but written with every new user
//   todo/user/<name>              a user; without an id in it, the name is the id
//   todo/list/<user>              nothing, but written with every change of this user's tasks
//   todo/task/<user>/<done>/<id>  a task: see lists.ts
//   todo/mark/<uuid>              see cluster.ts

import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { Turns } from "../change.ts";
import type { Filter } from "../filter.ts";
import type { Deadline, Store, Task, TaskFields, User, UserFields } from "../store.ts";
import { DEADLINE_MS, Gateway, within } from "./cluster.ts";
import { Lists } from "./lists.ts";
import { exists, put, range, remove, unchanged } from "./transaction.ts";

const ADDRESS = /^([\w.-]+|\[[\da-f:.]+\]):\d{1,5}$/i;

/** A store on the members of a cluster. */
export class EtcdStore implements Store {
  readonly epoch: string;
  readonly turns = new Turns();
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
    const { found } = await etcd.write(
      undefined,
      [unchanged(key, 0)],
      [put(key, epoch)],
      [range(key)],
    );
    return new EtcdStore(etcd, prefix, found[0]?.pairs[0]?.value ?? epoch);
  }

  list(owner: string, filter: Filter, offset: number, limit: number, by?: Deadline) {
    return this.#lists.list(owner, filter, offset, limit, by);
  }

  walk(owner: string, filter: Filter, after: number, by?: Deadline) {
    return this.#lists.walk(owner, filter, after, by);
  }

  get(owner: string, id: number, by?: Deadline): Promise<Task | undefined> {
    return this.#lists.get(owner, id, by);
  }

  add(owner: string, fields: TaskFields, by = within(DEADLINE_MS)): Promise<Task | undefined> {
    // One after the other: at once they would only take the next id from each other.
    const added = this.#adding.then(() => this.#add(owner, fields, by));
    this.#adding = added.catch(() => {});
    return added;
  }

  async #add(owner: string, fields: TaskFields, by?: Deadline): Promise<Task | undefined> {
    await this.#rest;
    const { lastKey, lateKey } = this.#lists;
    const listKey = this.#lists.key(owner);
    for (;;) {
      const start = performance.now();
      const task = { ...fields, id: this.#last.id + 1 };
      const { succeeded, revision, found: [late, last, list] } = await this.#etcd.write(
        by,
        [unchanged(lastKey, this.#last.revision), exists(listKey)],
        [put(lastKey, `${task.id}`), put(listKey, ""), this.#put(owner, task), range(lateKey)],
        [put(lateKey, ""), range(lateKey), range(lastKey), range(listKey)],
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

  update(owner: string, task: Task, changes: Partial<TaskFields>, by?: Deadline) {
    const changed = { ...task, ...changes };
    const key = this.#lists.taskKey(owner, task.done, task.id);
    return this.#write(by, key, changed, [
      ...(changed.done === task.done ? [] : [remove(key)]),
      put(this.#lists.key(owner), ""),
      this.#put(owner, changed),
    ]);
  }

  async remove(owner: string, { id, done, revision }: Task, by?: Deadline): Promise<boolean> {
    const key = this.#lists.taskKey(owner, done, id);
    const changes = [remove(key), put(this.#lists.key(owner), "")];
    return (await this.#etcd.write(by, [unchanged(key, revision)], changes)).succeeded;
  }

  async user(username: string, by?: Deadline): Promise<User | undefined> {
    const { found } = await this.#etcd.read(by, range(this.#lists.userKey(username)));
    const [pair] = found[0]?.pairs ?? [];
    return pair &&
      { id: username, username, ...JSON.parse(pair.value), revision: pair.revision };
  }

  addUser(username: string, fields: UserFields, by?: Deadline): Promise<User | undefined> {
    const user = { id: randomUUID(), username, ...fields, revision: 0 };
    const { usersKey } = this.#lists;
    return this.#putUser(by, user, put(usersKey, ""), put(this.#lists.key(user.id), ""));
  }

  async addFirst(username: string, fields: UserFields, tasks: readonly TaskFields[]) {
    const user = { id: randomUUID(), username, ...fields };
    const { usersKey, lastKey, allUserKeys } = this.#lists;
    const { succeeded, revision } = await this.#etcd.write(
      undefined,
      [unchanged(usersKey, 0), unchanged(allUserKeys, 0), unchanged(lastKey, 0)],
      [
        this.#userPut(user),
        put(usersKey, ""),
        put(this.#lists.key(user.id), ""),
        put(lastKey, `${tasks.length}`),
        ...tasks.map((task, i) => this.#put(user.id, { ...task, id: i + 1 })),
      ],
    );
    return succeeded ? { ...user, revision } : undefined;
  }

  updateUser(user: User, changes: Partial<UserFields>, by?: Deadline) {
    return this.#putUser(by, { ...user, ...changes });
  }

  async removeUser({ id, username, revision }: User, by?: Deadline): Promise<boolean> {
    const key = this.#lists.userKey(username);
    const keys = [key, this.#lists.key(id), this.#lists.taskKeys(id)];
    return (await this.#etcd.write(by, [unchanged(key, revision)], keys.map(remove))).succeeded;
  }

  close(): void {} // there is nothing but requests

  #putUser(by: Deadline | undefined, user: User, ...more: object[]): Promise<User | undefined> {
    return this.#write(by, this.#lists.userKey(user.username), user, [
      this.#userPut(user),
      ...more,
    ]);
  }

  #userPut({ id, username, password, email }: Omit<User, "revision">) {
    return put(this.#lists.userKey(username), JSON.stringify({ id, password, email }));
  }

  /** Changes what is still in its revision: in 0, if it is not there yet. */
  async #write<T extends Task | User>(
    by: Deadline | undefined,
    key: string,
    next: T,
    puts: object[],
  ): Promise<T | undefined> {
    const compare = [unchanged(key, next.revision)];
    const { succeeded, revision } = await this.#etcd.write(by, compare, puts);
    return succeeded ? { ...next, revision } : undefined;
  }

  #put(owner: string, { id, title, description, done }: Omit<Task, "revision">) {
    const value = JSON.stringify({ id, title, description, done });
    return put(this.#lists.taskKey(owner, done, id), value);
  }
}
