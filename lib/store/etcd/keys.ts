// Where everything is in etcd. The revision of a task, a user or a list is etcd's own: that of the
// transaction that wrote it last.
//
//   todo/epoch             tells these revisions from those of another cluster
//   todo/version           the version of this table
//   todo/last              the last id that a task was given
//   todo/late              written by a server that lost a race for an id or a list
//   todo/users             empty, but written with every new user
//   todo/user/<name>       a user
//   todo/list/<user>       the size of this user's list, written with every change of its tasks
//   todo/task/<user>/<id>  a task
//   todo/mark/<uuid>       the trace of a write: see writes.ts

/** Above every id. */
const END = 10 ** 15;

/** The version of the table above. */
export const VERSION = "1";

/** The keys that begin with a prefix, such as `todo/`. `user` is the id of an account. */
export class Keys {
  readonly epoch: string;
  readonly version: string;
  readonly last: string;
  readonly late: string;
  readonly users: string;
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.epoch = `${prefix}epoch`;
    this.version = `${prefix}version`;
    this.last = `${prefix}last`;
    this.late = `${prefix}late`;
    this.users = `${prefix}users`;
  }

  user = (username: string) => `${this.#prefix}user/${username}`;
  list = (user: string) => `${this.#prefix}list/${user}`;
  mark = (name: string) => `${this.#prefix}mark/${name}`;

  task = (user: string, id: number) => `${this.#prefix}task/${user}/${`${id}`.padStart(16, "0")}`;

  /** The keys of a user's tasks with ids above `after`, up to `last`. */
  tasks = (user: string, after = 0, last = END) =>
    [this.task(user, after + 1), this.task(user, last + 1)] as const;
}
