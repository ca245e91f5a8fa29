// Reads to-do lists in etcd. A list is one range of keys, in the order of the ids.

import { INITIAL, type List, type Task } from "../store.ts";
import { type Cluster, soon } from "./cluster.ts";
import type { Keys } from "./keys.ts";
import { Compacted } from "./refusals.ts";
import { type Pair, put, range } from "./transaction.ts";
import { Writes } from "./writes.ts";

const FIRST = 50; // tasks of the first answer
const PAGE = 100_000; // characters of each answer after it: to read one takes some milliseconds
const KEYS = 100; // that one transaction reads: etcd takes 128
const MORE = 4; // times as many tasks may be read as are asked for, which is sooner than many keys

/** The request to write a task. */
export const putTask = (keys: Keys, owner: string, task: Omit<Task, "revision">) =>
  put(keys.task(owner, task.id), JSON.stringify({ ...task, revision: undefined }));

/** Reads a task. One that was written before a field was added has the field's initial value. */
export const taskOf = ({ value, revision }: Pair): Task =>
  Object.assign({}, INITIAL, JSON.parse(value), { revision });

/** The part of a store that reads lists. */
export class Lists {
  protected readonly cluster: Cluster;
  protected readonly keys: Keys;
  protected readonly writes: Writes;

  constructor(cluster: Cluster, keys: Keys) {
    this.cluster = cluster;
    this.keys = keys;
    this.writes = new Writes(cluster, keys);
  }

  async list(owner: string, most = Infinity): Promise<List> {
    const by = soon();
    return await this.#list(owner, most, by).catch((error) => {
      if (error instanceof Compacted) return this.#list(owner, most, by); // as it is now
      throw error;
    });
  }

  /** Reads a list page by page, as it is at one moment. */
  async #list(owner: string, most: number, by: number): Promise<List> {
    const tasks: Task[] = [];
    let [moment, revision, total, size, page] = [0, 0, 0, 0, FIRST];
    do {
      const rest = this.keys.tasks(owner, tasks.at(-1)?.id);
      const { revision: now, found: [list, next] } = await this.cluster.read(
        by,
        range(this.keys.list(owner), { revision: moment }),
        range(rest, { revision: moment, limit: Math.min(page, most - tasks.length) }),
      );
      moment ||= now;
      revision = list?.pairs[0]?.revision ?? 0;
      total ||= next?.count ?? 0; // of the first page: it counts all
      for (const pair of next?.pairs ?? []) {
        tasks.push(taskOf(pair));
        size += pair.value.length;
      }
      page = Math.ceil(PAGE * tasks.length / size);
    } while (tasks.length < Math.min(most, total));
    return { tasks, total, revision };
  }

  async read(owner: string, ids: readonly number[]): Promise<Task[]> {
    const by = soon();
    const span = this.keys.tasks(owner, Math.min(...ids) - 1, Math.max(...ids));
    const limit = MORE * ids.length;
    const { found: [near] } = await this.cluster.read(by, range(span, { limit }));
    const pairs = near?.count === near?.pairs.length
      ? near?.pairs
      : await this.#each(owner, ids, by);
    const tasks = new Map(pairs?.map(taskOf).map((task) => [task.id, task]));
    return ids.flatMap((id) => tasks.get(id) ?? []);
  }

  /** Reads tasks that are far from one another. */
  async #each(owner: string, ids: readonly number[], by: number): Promise<Pair[]> {
    const pairs: Pair[] = [];
    for (let i = 0; i < ids.length; i += KEYS) {
      const keys = ids.slice(i, i + KEYS).map((id) => range(this.keys.task(owner, id)));
      const { found } = await this.cluster.read(by, ...keys);
      pairs.push(...found.flatMap(({ pairs }) => pairs));
    }
    return pairs;
  }

  async get(owner: string, id: number): Promise<Task | undefined> {
    const [task] = await this.read(owner, [id]);
    return task;
  }
}
