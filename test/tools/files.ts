// Files for databases, and whether this runtime can have such a database at all.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";

/** Why tests of SQLite are skipped, where they are. */
export const NO_SQLITE = !process.getBuiltinModule?.("node:sqlite") &&
  "node:sqlite is in Node 22.13 and newer";

/** An empty folder that goes with the test. */
export async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "todo-"));
  t.after(() => rm(folder, { recursive: true, maxRetries: 5 }));
  return folder;
}

/** The name of a file that is not there yet, in a folder of its own. */
export async function newFile(t: TestContext, name = "tasks.sqlite"): Promise<string> {
  return join(await newFolder(t), name);
}
