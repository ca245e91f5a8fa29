// A store in an etcd cluster, which several servers share and any machine may leave: how it is
// opened, and its users.

import { randomUUID } from "node:crypto";
import { Turns } from "../change.ts";
import type { Filter } from "../filter.ts";
import type { Deadline, Store, Task, TaskFields, User, UserFields } from "../store.ts";
import { Clearing } from "./clearing.ts";
import { Cluster, type Login, membersOf, soon } from "./cluster.ts";
import { Keys } from "./keys.ts";
import { Lists } from "./lists.ts";
import { putTask, Tasks } from "./tasks.ts";
import { put, type Range, range, remove, unchanged } from "./transaction.ts";
import { Writes } from "./writes.ts";

const START_MS = 5000; // that a cluster has to answer in when a server starts

/** A store on the members of a cluster. */
export class EtcdStore implements Store {
  readonly epoch: string;
  readonly turns = new Turns();
  readonly #cluster: Cluster;
  readonly #keys: Keys;
  readonly #writes: Writes;
  readonly #lists: Lists;
  readonly #tasks: Tasks;
  readonly #clearing: Clearing;

  private constructor(cluster: Cluster, keys: Keys, writes: Writes, epoch: string) {
    this.epoch = epoch;
    this.#cluster = cluster;
    this.#keys = keys;
    this.#writes = writes;
    this.#lists = new Lists(cluster, keys);
    this.#tasks = new Tasks(writes, keys);
    this.#clearing = new Clearing(cluster, keys);
  }

  /** Opens `etcd://host:port[,host:port…]`, or `etcds://…`. Throws an Error that names the mend. */
  static async open(url: string, prefix = "todo/", login?: Login): Promise<EtcdStore> {
    const cluster = new Cluster(membersOf(url), login);
    const keys = new Keys(prefix);
    const writes = new Writes(cluster, keys);
    const by = soon(undefined, START_MS);
    const ranges = [range(keys.epoch), range(keys.all("removed"), { count_only: true })];
    const read = async () => (await cluster.read(by, ...ranges)).found;
    let [epoch, removed] = await read(); // first, because a cluster that is full takes no write
    if (epoch?.count === 0) {
      const success = [put(keys.epoch, randomUUID().slice(0, 8))];
      await writes.write({ compare: [unchanged(keys.epoch, 0)], success }, by);
      [epoch, removed] = await read();
    }
    const store = new EtcdStore(cluster, keys, writes, epoch?.pairs[0]?.value ?? "");
    if (removed?.count !== 0) store.#clearing.start();
    return store;
  }

  /** Lets what is under way end. */
  close(): Promise<void> {
    return this.#clearing.close();
  }

  list(owner: string, filter: Filter, offset: number, limit: number, by?: Deadline) {
    return this.#lists.list(owner, filter, offset, limit, by);
  }

  walk(owner: string, filter: Filter, after: number, by?: Deadline) {
    return this.#lists.walk(owner, filter, after, by);
  }

  get(owner: string, id: number, by?: Deadline) {
    return this.#lists.get(owner, id, by);
  }

  add(owner: string, fields: TaskFields, by?: Deadline) {
    return this.#tasks.add(owner, fields, by);
  }

  update(owner: string, task: Task, changes: Partial<TaskFields>, by?: Deadline) {
    return this.#tasks.update(owner, task, changes, by);
  }

  remove(owner: string, task: Task, by?: Deadline) {
    return this.#tasks.remove(owner, task, by);
  }

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
    const { found } = await this.#cluster.read(undefined, ...none.map((keys) => range(keys)));
    if (found.some(({ count }) => count > 0)) return undefined; // even if the cluster is full
    const { last } = this.#keys;
    return await this.#addUser(username, fields, none, (id) => [
      put(last, `${tasks.length}`),
      ...tasks.map((task, i) => putTask(this.#keys, id, { ...task, id: i + 1 })),
    ]);
  }

  /** Adds a user, and writes more for their id, if there are none of some keys. */
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

  /** The tasks are gone with their list; their space is freed afterwards. */
  async removeUser({ id, username, revision }: User, by?: Deadline): Promise<boolean> {
    const key = this.#keys.user(username);
    const { succeeded } = await this.#writes.write({
      compare: [unchanged(key, revision)],
      success: [remove(key), remove(this.#keys.list(id)), put(this.#keys.removed(id), id)],
    }, by);
    if (succeeded) this.#clearing.start();
    return succeeded;
  }
}
