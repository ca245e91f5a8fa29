// Reads to-do lists in etcd. A list is one range of keys, in the order of the ids.

import { type Query, select } from "../select.ts";
import { INITIAL, type Part, type Task } from "../store.ts";
import { type Cluster, soon } from "./cluster.ts";
import type { Keys } from "./keys.ts";
import { Compacted } from "./refusals.ts";
import { type Pair, put, range } from "./transaction.ts";
import { Writes } from "./writes.ts";

const PAGE = 1000; // tasks of one answer
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

  async list(owner: string, query: Query): Promise<Part> {
    const by = soon();
    const { tasks, revision } = await this.#whole(owner, by).catch((error) => {
      if (error instanceof Compacted) return this.#whole(owner, by); // once more, as it is now
      throw error;
    });
    return { ...select(tasks, query), revision };
  }

  /** Reads a whole list, page by page, as it is at one moment. */
  async #whole(owner: string, by: number) {
    const tasks: Task[] = [];
    let [revision, moment] = [0, 0];
    for (let missing = true; missing;) {
      const rest = this.keys.tasks(owner, tasks.at(-1)?.id);
      const { revision: now, found: [list, page] } = await this.cluster.read(
        by,
        range(this.keys.list(owner), { revision: moment }),
        range(rest, { revision: moment, limit: PAGE }),
      );
      moment ||= now;
      revision = list?.pairs[0]?.revision ?? 0;
      for (const pair of page?.pairs ?? []) tasks.push(taskOf(pair));
      missing = (page?.count ?? 0) > (page?.pairs.length ?? 0);
    }
    return { tasks, revision };
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
