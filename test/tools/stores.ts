// What tests of stores have in common: tasks, and tests that are run over each kind of store.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { change } from "../../lib/store/change.ts";
import { INITIAL, type Store, type Task } from "../../lib/store/store.ts";
import type { TaskFields, User } from "../../lib/store/store.ts";

/** The fields of a new task: those that a test is about, and something for all others. */
export const task = (fields: Partial<TaskFields> = {}): TaskFields => ({
  ...INITIAL,
  title: "Buy milk",
  ...fields,
});

/** The fields of a user, for tests that are about something else. */
export const HASH = { password: "a hash", email: "" };

/** The longest text that a request can bring, in characters. */
export const LONG = 64 * 1024;

/** Reads something and changes it, as handlers do. */
export async function readAndChange<T, R>(
  read: () => Promise<T>,
  write: (value: T) => Promise<R>,
  client = { until: Infinity, gone: false },
): Promise<NonNullable<R>> {
  return await change(await read(), read, write, client);
}

/** Adds a task with the fields that a test is about. */
export async function add(
  store: Store,
  owner: string,
  fields: Partial<TaskFields> = {},
): Promise<Task> {
  const added = await store.add(owner, task(fields));
  assert.ok(added, `there is no owner ${owner}`);
  return added;
}

/** Adds many, some at the same time, so that a disk is waited for less often. In order of ids. */
export async function addMany(
  store: Store,
  count: number,
  what: (i: number) => [owner: string, fields?: Partial<TaskFields>],
): Promise<Task[]> {
  const tasks: Task[] = [];
  for (let i = 0; i < count; i += 20) {
    const some = Array.from({ length: Math.min(20, count - i) }, (_, j) => what(i + j));
    tasks.push(...await Promise.all(some.map((one) => add(store, ...one))));
  }
  return tasks.sort((x, y) => x.id - y.id);
}

export async function addUser(store: Store, username: string): Promise<User> {
  const user = await store.addUser(username, HASH);
  assert.ok(user, `there is a user ${username}`);
  return user;
}

export const idsOf = (tasks: readonly Task[]) => tasks.map(({ id }) => id);

/** A whole list. */
export async function all(store: Store, owner: string): Promise<Task[]> {
  const { tasks, total } = await store.list(owner);
  assert.equal(tasks.length, total);
  assert.deepEqual(await store.read(owner, idsOf(tasks)), tasks);
  return [...tasks];
}

/** A kind of store. */
export interface Kind {
  readonly name: string;
  /** Why its tests are skipped, if they are. */
  readonly skip: string | false;
  /** Whether a store that is opened again has everything that was there when it was closed. */
  readonly lasts: boolean;
  /** Whether several servers may have it open at the same place. */
  readonly shared: boolean;
  /** How many writes at once may make a list larger than it may be. */
  readonly over: number;
  /** Finds a place for a new store, and returns a function that opens a store there. */
  place(t: TestContext): Promise<() => Promise<Store>>;
}

/** A new store. */
export interface Place {
  readonly store: Store;
  /** Closes the store and opens it again. */
  reopen(): Promise<Store>;
  /** Opens another store at the same place, as another server does. For kinds that are shared. */
  another(): Promise<Store>;
  /** Opens a store at a new place. */
  elsewhere(): Promise<Store>;
}

/** Makes a test of a new store. */
export function testNew(
  { name, skip, place }: Kind,
  promise: string,
  check: (place: Place) => Promise<void>,
): void {
  test(`${name}: ${promise}`, { skip }, async (t) => {
    const open = await place(t);
    const stores = [await open()];
    t.after(() => Promise.all(stores.map((store) => store.close())));
    const [store = assert.fail()] = stores;
    const keep = (other: Store) => {
      stores.push(other);
      return other;
    };
    await check({
      store,
      async reopen() {
        await stores.shift()?.close();
        return keep(await open());
      },
      another: async () => keep(await open()),
      elsewhere: async () => keep(await (await place(t))()),
    });
  });
}

/** Makes a test of a store that has the users a and b. */
export function testUsers(
  kind: Kind,
  promise: string,
  check: (place: Place & { readonly a: User; readonly b: User }) => Promise<void>,
): void {
  testNew(kind, promise, async (place) => {
    const { store } = place;
    await check({ ...place, a: await addUser(store, "a"), b: await addUser(store, "b") });
  });
}
