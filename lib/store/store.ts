// What any store promises. A method is atomic: when its answer is there it has taken effect as a
// whole or not at all, and nothing else sees a half of it.

/** A value, or a promise of it: a store with the data at hand lets nobody wait. */
export type Later<T> = T | Promise<T>;

/** What a client may set of a task. */
export interface TaskFields {
  readonly title: string;
  readonly description: string;
  readonly done: boolean;
}

/** What every change renews: no two states that a store was ever in share a revision. */
interface Revised {
  readonly revision: number;
}

/** A task as a store keeps it. Its id is a positive integer, one more than the last, and unique. */
export interface Task extends TaskFields, Revised {
  readonly id: number;
}

/** What may change of a user: `password` is a hash, never the password. */
export interface UserFields {
  readonly password: string;
  readonly email: string;
}

/** A user, whose username owns a to-do list. */
export interface User extends UserFields, Revised {
  readonly username: string;
}

/** Which tasks of a list are meant: those with this `done`, those whose title begins so. */
export interface Filter {
  readonly done?: boolean | undefined;
  readonly titlePrefix?: string | undefined;
}

/** A part of a list, how many tasks pass its filter in all, and the list's revision. */
export interface Part extends Revised {
  readonly tasks: readonly Task[];
  readonly total: number;
}

/** Thrown where a store cannot be reached or is full: nothing was half done. Says why, and the mend. */
export class Unavailable extends Error {}

/**
 * Users and their to-do lists. To one owner, another's task is not there. Who changes something
 * passes it as it was read: if it is so no longer, nothing happens, and the answer says so.
 * Any method may throw Unavailable.
 */
export interface Store {
  /** Tells the revisions of this store from those of any other, or of an earlier run. */
  readonly epoch: string;

  /** The owner's tasks that pass, in order of creation: `limit` of them after the first `offset`. */
  list(owner: string, filter: Filter, offset: number, limit: number): Later<Part>;
  /** All that pass, in slices, at the pace of the reader: each task as it is when its slice is read. */
  walk(owner: string, filter: Filter): AsyncIterable<readonly Task[]>;
  get(owner: string, id: number): Later<Task | undefined>;
  /** Undefined where there is no such owner. */
  add(owner: string, fields: TaskFields): Later<Task | undefined>;
  /** Changes the fields given. Undefined where the task has changed since, or is gone. */
  update(owner: string, task: Task, changes: Partial<TaskFields>): Later<Task | undefined>;
  /** False where the task has changed since, or is gone. */
  remove(owner: string, task: Task): Later<boolean>;

  user(username: string): Later<User | undefined>;
  /** Undefined where the name is taken. */
  addUser(username: string, fields: UserFields): Later<User | undefined>;
  /** Changes the fields given. Undefined where the user has changed since, or is gone. */
  updateUser(user: User, changes: Partial<UserFields>): Later<User | undefined>;
  /** Takes the tasks along. False where the user has changed since, or is gone. */
  removeUser(user: User): Later<boolean>;

  /** Gives back what the store holds of the machine. Nothing is asked of it afterwards. */
  close(): void;
}

/** Whether a task is meant by a filter. */
export const passes = ({ done, titlePrefix = "" }: Filter, task: Task) =>
  (done === undefined || task.done === done) && task.title.startsWith(titlePrefix);
