// What any store promises. A method is atomic: when its promise resolves, it has taken effect as a
// whole or not at all, and no other call sees a part of it.

import type { Turns } from "./change.ts";
import type { Filter } from "./filter.ts";

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

/** A part of a list, how many tasks of the list pass the filter, and the list's revision. */
export interface Part extends Revised {
  readonly tasks: readonly Task[];
  readonly total: number;
}

/** When a client will stop waiting (in `performance.now()`), and whether it has gone already. */
export interface Deadline {
  readonly until: number;
  readonly gone: boolean;
}

/** The store cannot be reached, or is full. Nothing was half done. The message names the fix. */
export class Unavailable extends Error {}

/** A store cannot be opened, or not as it was asked for. The message names the fix. */
export class Unusable extends Error {}

/** There is no room for more. The message is for the client. */
export class Full extends Unavailable {}

/** A task or user is larger than the store can hold. The message names the limit. */
export class TooLarge extends Error {}

/** A slice of a list ends when it has so many tasks, or when their texts have more characters. */
export const SLICE = { tasks: 500, characters: 32 * 1024 };

/** Returns at most `limit` tasks after the first `offset`, and at most a slice. */
export function sliceOf(tasks: readonly Task[], offset: number, limit: number): Task[] {
  const slice = tasks.slice(offset, offset + Math.min(limit, SLICE.tasks));
  let characters = 0;
  const end = slice.findIndex(({ title, description }) =>
    (characters += title.length + description.length) > SLICE.characters
  );
  return end < 0 ? slice : slice.slice(0, end + 1);
}

/**
 * To-do lists. `owner` is the id of an account, and never sees another owner's tasks. To change
 * something, pass it as you read it: if it has changed since, nothing is written and the result is
 * undefined or false. Any method may throw Unavailable, and does so at its deadline.
 */
export interface TaskStore {
  /** Distinguishes this store's revisions from those of another store, or of an earlier run. */
  readonly epoch: string;
  /** The changes that are under way on this server: see `change`. */
  readonly turns: Turns;
  /**
   * The owner's tasks that pass, in order of creation: at most `limit` after the first `offset`,
   * and at most a slice; `walk` has the rest. With a filter, `total` may cost a look at every task.
   */
  list(owner: string, filter: Filter, offset: number, limit: number, by?: Deadline): Promise<Part>;
  /** The tasks that pass and have an id above `after`, slice by slice, as they are by then. */
  walk(owner: string, filter: Filter, after: number, by?: Deadline): AsyncIterable<readonly Task[]>;
  get(owner: string, id: number, by?: Deadline): Promise<Task | undefined>;
  /** Undefined if there is no such owner. A task is seen only if all lower ids are, too. */
  add(owner: string, fields: TaskFields, by?: Deadline): Promise<Task | undefined>;
  /** Changes the fields given. */
  update(
    owner: string,
    task: Task,
    changes: Partial<TaskFields>,
    by?: Deadline,
  ): Promise<Task | undefined>;
  remove(owner: string, task: Task, by?: Deadline): Promise<boolean>;
}

/** Accounts, by their usernames. */
export interface UserStore {
  user(username: string, by?: Deadline): Promise<User | undefined>;
  /** Undefined if the name is taken. */
  addUser(username: string, fields: UserFields, by?: Deadline): Promise<User | undefined>;
  /** Adds the first user of all, with these tasks. Undefined if this store ever had a user. */
  addFirst(
    username: string,
    fields: UserFields,
    tasks: readonly TaskFields[],
  ): Promise<User | undefined>;
  /** Changes the fields given. */
  updateUser(
    user: User,
    changes: Partial<UserFields>,
    by?: Deadline,
  ): Promise<User | undefined>;
  /** Removes a user and their tasks. */
  removeUser(user: User, by?: Deadline): Promise<boolean>;
}

/** A store. It returns every JavaScript string as it was given, NUL and lone surrogates too. */
export interface Store extends TaskStore, UserStore {
  /** Releases files and connections. The store must not be used afterwards. */
  close(): void | Promise<void>;
}
