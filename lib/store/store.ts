// What any store promises. A method is atomic: when its promise resolves, it has taken effect as a
// whole or not at all, and no other call sees a part of it.

/** What a client may set of a task. */
export interface TaskFields {
  readonly title: string;
  readonly done: boolean;
  readonly description: string;
}

/** What a task has where its client sends nothing. A title has to be sent. */
export const INITIAL: TaskFields = { title: "", done: false, description: "" };

/** Every change makes a new revision: no two states of a store ever share one. */
interface Revised {
  readonly revision: number;
}

/** A task as a store keeps it. Ids are positive integers, rise by one, and are never used again. */
export interface Task extends TaskFields, Revised {
  readonly id: number;
}

/** What may change of a user. `password` is a hash, never the password. */
export interface UserFields {
  readonly password: string;
  readonly email: string;
}

/** An account, which owns a to-do list. */
export interface User extends UserFields, Revised {
  /** Never given to a second account. A username is free again when its account is deleted. */
  readonly id: string;
  readonly username: string;
}

/** The tasks of a list in the order of their ids, all or the first of them, and how many it has. */
export interface List extends Revised {
  readonly tasks: readonly Task[];
  readonly total: number;
}

/** The most that one list may take, as `sizeOf` counts: about 10,000 short tasks. */
export const MOST_IN_LIST = 4 * 1024 * 1024;

/** What a task or a user takes: the characters of its texts, and 400 for all the rest. */
export function sizeOf(fields: TaskFields | UserFields): number {
  let size = 400;
  for (const value of Object.values(fields)) if (typeof value === "string") size += value.length;
  return size;
}

/** One list is full. Nothing was changed. */
export class ListFull extends Error {
  constructor() {
    super("your list is full: delete tasks first");
  }
}

/** The store cannot be reached, or is full. Nothing was half done. The message names the fix. */
export class Unavailable extends Error {}

/** A store cannot be opened, or not as it was asked for. The message names the fix. */
export class Unusable extends Error {}

/** There is no room for more. The message is for the client. */
export class Full extends Unavailable {}

/** A task or user is larger than the store can hold. The message names the limit. */
export class TooLarge extends Error {}

/**
 * To-do lists. `owner` is the id of an account, and never sees another owner's tasks. To change
 * something, pass it as you read it: if it has changed since, nothing is written and the result is
 * undefined or false. A list takes at most MOST_IN_LIST: `add`, and an `update` that makes a task
 * larger, throw ListFull. Any method may throw Unavailable, and does so within seconds.
 */
export interface TaskStore {
  /** Distinguishes this store's revisions from those of another store, or of an earlier run. */
  readonly epoch: string;
  /** The owner's list as it is at one moment: all of it, or the first `most` tasks. */
  list(owner: string, most?: number): Promise<List>;
  /** Those of these tasks that are still there, in the order of `ids` (some hundreds at most). */
  read(owner: string, ids: readonly number[]): Promise<readonly Task[]>;
  get(owner: string, id: number): Promise<Task | undefined>;
  /** Undefined if there is no such owner. A task is seen only if all lower ids are, too. */
  add(owner: string, fields: TaskFields): Promise<Task | undefined>;
  /** Changes the fields given. */
  update(owner: string, task: Task, changes: Partial<TaskFields>): Promise<Task | undefined>;
  remove(owner: string, task: Task): Promise<boolean>;
}

/** Accounts, by their usernames. */
export interface UserStore {
  user(username: string): Promise<User | undefined>;
  /** Undefined if the name is taken. */
  addUser(username: string, fields: UserFields): Promise<User | undefined>;
  /** Adds the first user of all, with these tasks. Undefined if this store ever had a user. */
  addFirst(
    username: string,
    fields: UserFields,
    tasks: readonly TaskFields[],
  ): Promise<User | undefined>;
  /** Changes the fields given. */
  updateUser(user: User, changes: Partial<UserFields>): Promise<User | undefined>;
  /** Removes a user and their tasks. */
  removeUser(user: User): Promise<boolean>;
}

/** A store. It returns every JavaScript string as it was given, NUL and lone surrogates too. */
export interface Store extends TaskStore, UserStore {
  /** Releases files and connections. The store must not be used afterwards. */
  close(): void | Promise<void>;
}
