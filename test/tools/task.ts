// Tasks for tests. A test names the fields that it is about; a new field touches no other test.

import { INITIAL, type TaskFields } from "../../lib/store/store.ts";

/** A task's fields, as far as given; `task({}).title` is "Read a book". */
export const task = (fields: Partial<TaskFields> = {}): TaskFields => ({
  ...INITIAL,
  title: "Read a book",
  ...fields,
});

/** The tutorial's two tasks, with which a server starts. */
export const GROCERIES = task({
  title: "Buy groceries",
  description: "Milk, Cheese, Pizza, Fruit, Tylenol",
});
export const PYTHON = task({
  title: "Learn Python",
  description: "Need to find a good Python tutorial on the web",
});
