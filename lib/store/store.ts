// What any store promises. A method is atomic: when its promise resolves it has taken effect as a
// whole or not at all, and nothing else sees a half of it.

/** What a client may set of a task. */
export interface TaskFields {
  readonly title: string;
  readonly description: string;
  readonly done: boolean;
}

/** A task as a store keeps it. Its id is a positive integer, one more than the last, and unique. */
export interface Task extends TaskFields {
  readonly id: number;
}

/** Every owner's to-do list. To one owner, another's task is not there. */
export interface Store {
  /** The owner's tasks in order of creation. */
  list(owner: string): Promise<readonly Task[]>;
  get(owner: string, id: number): Promise<Task | undefined>;
  add(owner: string, fields: TaskFields): Promise<Task>;
  /** Changes the fields given; the others stay. Undefined where there is no such task. */
  update(owner: string, id: number, changes: Partial<TaskFields>): Promise<Task | undefined>;
  /** Whether there was such a task. */
  remove(owner: string, id: number): Promise<boolean>;
}
