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

/** The version of the table above. */
export const VERSION = "1";

const END = 10 ** 15; // above every id

/** The keys that begin with a prefix, such as `todo/`. `user` is the id of an account. */
export function keysUnder(prefix: string) {
  const task = (user: string, id: number) => `${prefix}task/${user}/${`${id}`.padStart(16, "0")}`;
  return {
    epoch: `${prefix}epoch`,
    version: `${prefix}version`,
    last: `${prefix}last`,
    late: `${prefix}late`,
    users: `${prefix}users`,
    user: (username: string) => `${prefix}user/${username}`,
    list: (user: string) => `${prefix}list/${user}`,
    mark: (name: string) => `${prefix}mark/${name}`,
    task,
    /** The keys of a user's tasks with ids above `after`, up to `last`. */
    tasks: (user: string, after = 0, last = END) =>
      [task(user, after + 1), task(user, last + 1)] as const,
  };
}

export type Keys = ReturnType<typeof keysUnder>;
