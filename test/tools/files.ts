// Files for databases, and whether this runtime can have such a database at all.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";

/** Why tests of SQLite are skipped, if they are. */
export const NO_SQLITE = !process.getBuiltinModule?.("node:sqlite") &&
  "node:sqlite is in Node 22.13 and newer";

/** An empty folder that is removed after the test. */
export async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "todo-"));
  t.after(() => rm(folder, { recursive: true, maxRetries: 5 }));
  return folder;
}

/** The name of a file that does not exist yet, in a new folder. */
export async function newFile(t: TestContext, name = "tasks.sqlite"): Promise<string> {
  return join(await newFolder(t), name);
}
