// Where everything is in etcd. The revision of a task, a user or a list is etcd's own: that of the
// transaction that wrote it last.
//
//   todo/epoch                    tells these revisions from those of another cluster
//   todo/last                     the last id that a task was given
//   todo/late                     written by a server that lost the race for the next id
//   todo/users                    empty, but written with every new user
//   todo/user/<name>              a user; if it has no id (earlier versions), the name is the id
//   todo/list/<user>              empty, but written with every change of this user's tasks
//   todo/task/<user>/<done>/<id>  a task; it counts only while its user's list exists
//   todo/removed/<user>           a removed user whose tasks still take space
//   todo/mark/<uuid>              the trace of a write: see writes.ts

/** Above every id. */
const END = 10 ** 15;

/** The keys that begin with a prefix, such as `todo/`. `user` is the id of an account. */
export class Keys {
  readonly #prefix: string;
  readonly epoch: string;
  readonly last: string;
  readonly late: string;
  readonly users: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.epoch = `${prefix}epoch`;
    this.last = `${prefix}last`;
    this.late = `${prefix}late`;
    this.users = `${prefix}users`;
  }

  user = (username: string) => `${this.#prefix}user/${username}`;
  list = (user: string) => `${this.#prefix}list/${user}`;
  removed = (user: string) => `${this.#prefix}removed/${user}`;
  mark = (name: string) => `${this.#prefix}mark/${name}`;

  /** Every key of a folder such as `user`. */
  // The character 0 comes after /.
  all = (folder: string) => [`${this.#prefix}${folder}/`, `${this.#prefix}${folder}0`] as const;

  task = (user: string, done: boolean, id: number) =>
    `${this.#prefix}task/${user}/${Number(done)}/${`${id}`.padStart(16, "0")}`;

  /** Tasks with an id from `from` up to `end`, open or done. */
  tasks = (user: string, done: boolean, from = 0, end = END) =>
    [this.task(user, done, from), this.task(user, done, end)] as const;
}
