// A store in an etcd cluster. Several servers can share it, and any one machine may fail.

import { randomUUID } from "node:crypto";
import { Turns } from "../change.ts";
import type { Filter } from "../filter.ts";
import type { Deadline, Store, Task, TaskFields, User, UserFields } from "../store.ts";
import { Clearing } from "./clearing.ts";
import { Cluster, type Login, membersOf, soon } from "./cluster.ts";
import { Keys } from "./keys.ts";
import { Lists } from "./lists.ts";
import { Tasks } from "./tasks.ts";
import { put, range, unchanged } from "./transaction.ts";
import { Users } from "./users.ts";
import { Writes } from "./writes.ts";

const START_MS = 5000; // in which a cluster has to answer when a server starts

/** A store on the members of a cluster. */
export class EtcdStore implements Store {
  readonly epoch: string;
  readonly turns = new Turns();
  readonly #lists: Lists;
  readonly #users: Users;
  readonly #tasks: Tasks;
  readonly #clearing: Clearing;

  private constructor(cluster: Cluster, keys: Keys, writes: Writes, epoch: string) {
    this.epoch = epoch;
    this.#lists = new Lists(cluster, keys);
    this.#users = new Users(cluster, keys, writes);
    this.#tasks = new Tasks(keys, writes);
    this.#clearing = new Clearing(cluster, keys);
  }

  /** Opens `etcd://host:port[,host:port…]`, or `etcds://…`. Throws an Error that names the fix. */
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

  /** Waits for the piece of clearing that is under way. */
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

  user(username: string, by?: Deadline) {
    return this.#users.user(username, by);
  }

  addUser(username: string, fields: UserFields, by?: Deadline) {
    return this.#users.addUser(username, fields, by);
  }

  addFirst(username: string, fields: UserFields, tasks: readonly TaskFields[]) {
    return this.#users.addFirst(username, fields, tasks);
  }

  updateUser(user: User, changes: Partial<UserFields>, by?: Deadline) {
    return this.#users.updateUser(user, changes, by);
  }

  async removeUser(user: User, by?: Deadline) {
    const removed = await this.#users.removeUser(user, by);
    if (removed) this.#clearing.start();
    return removed;
  }
}
