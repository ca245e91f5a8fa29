// The tutorial in lib/http/README.md: each step is built as the page says, run, and tested.

import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, symlinkSync, writeFileSync } from "node:fs";
import { request, Server } from "node:http";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { newFolder } from "../tools/files.ts";
import { type Block, blocksOf, blockUnder, NO_CURL, transcript } from "../tools/pages.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BLOCKS = blocksOf("lib/http/README.md").filter(({ heading }) => /^\d/.test(heading));
const STEPS = [...new Set(BLOCKS.map(({ heading }) => heading))].map((heading) => ({
  heading,
  blocks: BLOCKS.filter((block) => block.heading === heading),
}));
const LAST = STEPS.length - 1;

/** The name that a statement declares, or the module that it imports from. */
function nameOf(statement: string): string {
  const [, module] = /^import .* from "(.*)";$/.exec(statement) ?? [];
  const [, name] = /^(?:const|let|type|function|async function) (\w+)/.exec(statement) ?? [];
  return module ?? name ?? statement.slice(0, statement.indexOf("("));
}

/** The statements of a block, each from the left margin on, and the rows for the table. */
function statementsOf(text: string): string[] {
  const statements: string[] = [];
  // A comment tells a reader where to put the rows below it.
  for (const line of text.split("\n").filter((line) => !/^(\/\/.*)?$/.test(line))) {
    const isComplete = /(;|\n\}|,)$/.test(statements.at(-1) ?? ";");
    const isRow = line.startsWith("  route(") && isComplete;
    if (/^\w/.test(line) || isRow) statements.push(line);
    else statements.push(`${statements.pop()}\n${line}`);
  }
  return statements;
}

/** Does what the page tells a reader to do with a block. */
function apply(program: string[], text: string): void {
  for (const statement of statementsOf(text)) {
    const name = nameOf(statement);
    const at = program.findIndex((other) => nameOf(other) === name);
    const table = program.findIndex((other) => nameOf(other) === "table");
    if (statement.startsWith("  route(")) {
      program[table] = program[table]?.replace(/\];$/, `${statement}\n];`) ?? "";
    } else if (at >= 0) program[at] = statement;
    else if (name.startsWith("./")) program.unshift(statement);
    else if (name === "serve" || table < 0) program.push(statement);
    else program.splice(table, 0, statement);
  }
}

/** The program after each step. */
function programs(): string[] {
  const program: string[] = [];
  return STEPS.map(({ blocks }) => {
    for (const { text } of codeOf(blocks)) apply(program, text);
    const whole = `${program.join("\n")}\n`;
    return program.some((line) => line.includes("authority")) // as the page says in words
      ? whole.replaceAll('"anyone"', '"user"')
      : whole;
  });
}

const codeOf = (blocks: Block[]) => blocks.filter(({ language }) => language === "ts");

/** The last program, with the lines for a server that others use. */
const FOR_OTHERS = programs()[LAST]?.replace(/^serve\(.*\n/m, "") +
  blockUnder("lib/http/README.md", "Before you run it for others", "ts");

test("each step is short, and so is the service after the last one", () => {
  assert.equal(STEPS.length, 8);
  for (const { heading, blocks } of STEPS) {
    const lines = codeOf(blocks).flatMap(({ text }) => text.split("\n")).filter((line) =>
      line !== ""
    );
    assert.ok(lines.length <= 15, `${heading} has ${lines.length} lines`);
  }
  const lines = (programs()[LAST] ?? "").split("\n").length;
  assert.ok(lines < 80, `the last service has ${lines} lines`);
});

/** Makes a folder with the programs, lib and what these need. */
async function folder(t: TestContext): Promise<string> {
  const place = await newFolder(t);
  for (const name of ["lib", "node_modules"]) {
    symlinkSync(ROOT + name, `${place}/${name}`, "junction");
  }
  for (const name of ["package.json", "tsconfig.json"]) {
    copyFileSync(ROOT + name, `${place}/${name}`);
  }
  programs().forEach((text, i) => writeFileSync(`${place}/step${i + 1}.ts`, text));
  writeFileSync(`${place}/step9.ts`, FOR_OTHERS);
  return place;
}

test("each step compiles", async (t) => {
  const place = await folder(t);
  const config = { extends: "./tsconfig.json", include: ["step*.ts"] };
  writeFileSync(`${place}/steps.json`, JSON.stringify(config));
  execFileSync("npx", ["tsc", "-p", "steps.json"], {
    cwd: place,
    stdio: ["ignore", "inherit", "inherit"],
  });
});

/** Starts the program of a step on a free port, in this process. */
async function start(t: TestContext, i: number): Promise<number> {
  const place = await folder(t);
  const text = (programs()[i] ?? "").replace(
    /^(.*)\.listen\(5000, /m,
    "export default $1.listen(0, ",
  );
  writeFileSync(`${place}/hello.mts`, text);
  const program: { default?: unknown } = await import(pathToFileURL(`${place}/hello.mts`).href);
  const server = program.default;
  assert.ok(server instanceof Server);
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  if (!server.listening) await once(server, "listening");
  const address = server.address();
  return typeof address === "object" ? address?.port ?? 0 : 0;
}

for (const [i, { heading, blocks }] of STEPS.entries()) {
  test(`${heading}: curl prints what the page shows`, { skip: NO_CURL }, async (t) => {
    const port = await start(t, i);
    const commands = transcript(blocks);
    assert.ok(commands.length > 0);
    for (const { command, printed } of commands) {
      const curl =
        `curl() { command curl -q -sS --noproxy "*" --connect-to ::127.0.0.1:${port} "$@"; }\n`;
      const { stdout } = await promisify(execFile)("sh", ["-c", curl + command]);
      assert.deepEqual({ command, stdout }, { command, stdout: printed });
    }
  });
}

/** The contract's rows for the tutorial's operations: request, status, JSON; in one session. */
const ROWS: [line: string, content: unknown, status: number, json?: unknown][] = [
  ["GET /tasks", undefined, 200],
  ["GET /tasks/2", undefined, 200],
  ["GET /tasks/3", undefined, 404, { error: "Not found" }],
  ["GET /tasks/abc", undefined, 404, { error: "Not found" }],
  ["POST /tasks", { title: "Read a book", done: true }, 201, {
    task: { title: "Read a book", done: false, description: "", uri: "/tasks/3" },
  }],
  ["POST /tasks", {}, 400],
  ["POST /tasks", { title: " " }, 400],
  ["POST /tasks", { title: "t", description: 1 }, 400],
  ["PUT /tasks/3", { done: true, title: "Read", uri: "ignored", id: 9 }, 200, {
    task: { title: "Read", done: true, description: "", uri: "/tasks/3" },
  }],
  ["PUT /tasks/3", {}, 400],
  ["PUT /tasks/3", { title: "t", done: 0 }, 400],
  ["PUT /tasks/9", { done: 0 }, 404],
  ["DELETE /tasks/3", undefined, 200, { result: true }],
  ["DELETE /tasks/3", undefined, 404],
  ["POST /tasks", { title: "Next" }, 201, {
    task: { title: "Next", done: false, description: "", uri: "/tasks/4" },
  }],
  ["POST /tasks/4", {}, 405],
  ["OPTIONS /tasks", undefined, 204],
];

test("the last service passes the contract's rows for the tutorial's operations", async (t) => {
  const base = `http://127.0.0.1:${await start(t, LAST)}/todo/api/v1.0`;
  const ask = async (line: string, content: unknown, Authorization?: string) => {
    const [method = "", path = ""] = line.split(" ");
    const body = content === undefined ? null : JSON.stringify(content);
    const headers = {
      ...(body === null ? {} : { "Content-Type": "application/json" }),
      ...(Authorization === undefined ? {} : { Authorization }),
    };
    return await fetch(base + path, { method, headers, body });
  };
  for (const [line, content, status, json] of ROWS) {
    const response = await ask(line, content, `Basic ${btoa("miguel:python")}`);
    const text = (await response.text()).replace(base, "");
    assert.equal(response.status, status, `${line} ${text}`);
    if (json !== undefined) assert.deepEqual(JSON.parse(text), json);
    if (status === 201) {
      assert.equal(response.headers.get("Location"), base + /\/tasks\/\d/.exec(text)?.[0]);
    }
    if (/405|OPTIONS|abc/.test(`${status} ${line}`)) continue;
    for (const wrong of [undefined, "Basic", `Basic ${btoa("miguel:wrong")}`]) {
      assert.match(`${(await ask(line, content, wrong)).status}`, /40[13]/);
    }
  }
});

test("before it is run for others: names on loopback, a log, a port in use, a gentle stop", async (t) => {
  const place = await folder(t);
  const run = (port: string) => {
    writeFileSync(`${place}/hello.ts`, FOR_OTHERS.replace("5000", port));
    const args = ["--import", "tsx", "hello.ts"];
    const child = spawn(process.execPath, args, { cwd: place });
    t.after(() => child.kill("SIGKILL"));
    const ended = once(child, "close");
    const seen = { out: "", err: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => seen.out += text);
    child.stderr.setEncoding("utf8").on("data", (text: string) => seen.err += text);
    return { child, ended, seen };
  };
  const { child, ended, seen } = run("0");
  await Promise.race([once(child.stdout, "data"), ended]);
  const [, origin = "", port = ""] = /^Listening on (http:.*:(\d+))\/\n/.exec(seen.out) ?? [];
  const rows = [
    ["GET", "/", "evil.example", 421],
    ["GET", "/", "localhost", 404],
    ["PUT", "/todo/api/v1.0/tasks", "localhost", 405],
    ["PATCH", "/todo/api/v1.0/tasks", "localhost", 501],
  ] as const;
  for (const [method, path, Host, status] of rows) {
    const sent = request(origin + path, { method, headers: { Host } }).end();
    const [response] = await once(sent, "response");
    response.resume();
    assert.equal(response.statusCode, status, `${method} ${path} ${Host}`);
  }
  const second = run(port);
  await second.ended;
  assert.match(second.seen.err, /^cannot listen on port \d+ of 127.0.0.1: it is in use; .*\n$/);
  child.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null]);
  assert.match(seen.out, /"GET \/ HTTP\/1.1" 421 \d+\n.*"GET \/ HTTP\/1.1" 404 \d+\n/);
});
