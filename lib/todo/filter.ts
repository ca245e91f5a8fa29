// What a list can be filtered by. A new filter is one more row here.

import type { Task } from "../store/store.ts";
import { fold } from "./fold.ts";

interface Kind {
  /** The form of a value, as a check and in words. */
  readonly form: Pick<RegExp, "test">;
  readonly mustBe: string;
  /** Returns the check whether a task passes, for a value of that form. */
  test(value: string): (task: Task) => boolean;
}

// V8 would search for 250 characters or more in another way, which can take seconds.
const TEXT = { form: /^.{0,100}$/su, mustBe: "at most 100 characters" };

/** The filters by name. */
export const FILTERS = {
  done: {
    form: /^(true|false)$/,
    mustBe: "true or false",
    test(value) {
      const done = value === "true";
      return (task) => task.done === done;
    },
  },
  title_prefix: {
    ...TEXT,
    test: (value) => (task) => task.title.startsWith(value),
  },
  q: {
    ...TEXT,
    form: { test: (value: string) => TEXT.form.test(fold(value)) }, // a letter may become 18
    test: (value) => {
      const text = fold(value);
      return ({ title, description }) =>
        fold(title).includes(text) || fold(description).includes(text);
    },
  },
} satisfies Readonly<Record<string, Kind>>;

type Name = keyof typeof FILTERS;

/** Values of filters by name. A task has to pass all of them. */
export type Filter = { readonly [N in Name]?: string | undefined };

const KINDS: ReadonlyMap<string, Kind> = new Map(Object.entries(FILTERS));

/** The names and values of the filters that are set. */
const settings = (filter: Filter) =>
  Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined);

/** Makes the function that tells whether a task passes. */
export function passes(filter: Filter): (task: Task) => boolean {
  const tests = settings(filter).map(([name, value]) => KINDS.get(name)?.test(value));
  return (task) => tests.every((test) => test === undefined || test(task));
}
