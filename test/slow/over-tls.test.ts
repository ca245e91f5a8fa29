// What holds for HTTP holds over TLS: runs the tests of lib/wire and of the command line again.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { selfSigned } from "../tools/certificate.ts";

const TESTS = ["test/wire/careful.test.ts", "test/service/command.test.ts"];

test("over TLS", { concurrency: TESTS.length }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "todo-tls-"));
  t.after(() => rm(folder, { recursive: true }));
  const [TODO_TLS_CERT, TODO_TLS_KEY] = [join(folder, "cert"), join(folder, "key")];
  const { cert, key } = selfSigned();
  await writeFile(TODO_TLS_CERT, cert);
  await writeFile(TODO_TLS_KEY, key);
  // With NODE_TEST_CONTEXT it would report to the runner of this one.
  const { NODE_TEST_CONTEXT: _, ...rest } = process.env;
  const env = { ...rest, TODO_TLS_CERT, TODO_TLS_KEY };

  await Promise.all(TESTS.map((file) =>
    t.test(file, async (t) => {
      const child = spawn(process.execPath, ["--import", "./test/tools/types.js", file], {
        cwd: new URL("../..", import.meta.url),
        env,
        stdio: ["ignore", "pipe", "inherit"],
      });
      t.after(() => child.kill());
      let report = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => report += text);
      const [code] = await once(child, "close");
      assert.equal(code, 0, report);
      const told = report.matchAll(/^.*# SKIP .*|^\S+ (?:pass|fail|skipped) \d+$/gm);
      for (const [line] of told) t.diagnostic(line.trim());
    })
  ));
});
