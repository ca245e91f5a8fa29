// README is right: its transcripts are typed, and its tables are compared with the server.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { openApiRoute } from "../../lib/openapi/openapi.ts";
import { readOptions } from "../../lib/options.ts";
import { routes } from "../../lib/routes.ts";
import { MemoryStore } from "../../lib/store/memory.ts";
import { Accounts } from "../../lib/todo/accounts.ts";
import { blocksOf, NO_CURL, read, table, transcript } from "../tools/pages.ts";
import { type Ask, ask, run, start, startProcess } from "../tools/start.ts";

const README = "README.md";
const TRANSCRIPT = transcript(blocksOf(README));

/** The output of curl, without the time. */
const comparable = (text: string) =>
  text.replaceAll("\r\n", "\n").split("\n")
    .map((line) => /^Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/.test(line) ? "Date: now" : line);

const EPOCH = "5d1c9a7e"; // on the page; each start of the server has another one

test("the transcripts are what sh and curl print, in one session", { skip: NO_CURL }, async (t) => {
  const server = await startProcess(t);
  await ask(server, "GET /users/miguel"); // the response comes when the first password is hashed
  // The commands stay as they are: curl connects elsewhere, and even the port in a uri is 5000.
  const curl = `curl() { command curl -q --silent --show-error --max-time 10 --noproxy "*" \\
    --connect-to 127.0.0.1:5000:127.0.0.1:${server.port} "$@"; }\n`;
  const [, ...walk] = TRANSCRIPT; // the first one starts the server
  const script = walk.map(({ command }) => `${command}\nprintf '\\036'\n`).join("");
  const { stdout, stderr } = spawnSync("sh", ["-c", curl + script], { encoding: "utf8" });
  const page = stdout.replaceAll(/^(ETag: ")[0-9a-f]{8}(-\d+"\r)$/gm, `$1${EPOCH}$2`);
  const answers = page.split("\x1e");
  for (const [i, { command, printed }] of walk.entries()) {
    const got = { command, answer: comparable(answers[i] ?? "") };
    assert.deepEqual(got, { command, answer: comparable(printed) });
  }
  assert.equal(stderr, "");
  const statuses = walk.flatMap(({ printed }) => /^HTTP\/1.1 (\d{3})/.exec(printed)?.[1] ?? []);
  assert.deepEqual(statuses, ["201", "401", "403"]);
});

test("the server's first line is the one that README's first screen shows", async (t) => {
  const [first] = TRANSCRIPT;
  assert.equal(first?.command, "npx -y tsx@4.23.15 server.ts");
  const [line] = await run(t, [], { PORT: "0" }).prints(/^.*\n/);
  assert.equal(line.replace(/:\d+\//, ":5000/"), first.printed);
});

test("the first screen's table is the router table", () => {
  const rows = table(README, "method").map(([method, path]) => ({ method, path }));
  const store = new MemoryStore();
  const all = [...routes(store, new Accounts(store), "anyone"), openApiRoute()];
  const here = all.map(({ method, path }) => ({ method, path: path.pattern }));
  assert.deepEqual(rows, here);
});

test("the flags are those of --help, with their variables and defaults", async (t) => {
  const help = run(t, ["--help"]);
  await help.ended;
  const listed = [...help.out.matchAll(/^ {2}(--.{18}).*?(?:\((?:(\w+); )?([^()]+)\))?$/gm)]
    .map(([, flag = "", variable = "", value = ""]) => [flag.trim(), variable, value]);
  const rows = table(README, "flag").map((cells) => cells.slice(0, 3));
  assert.deepEqual(rows.filter(([flag]) => flag !== ""), listed);

  const pairs = help.out.matchAll(/^(TODO_\w+) and (TODO_\w+) .*?(?:\((\w+), (\w+)\))?\.$/gm);
  assert.deepEqual(
    rows.filter(([flag]) => flag === "").flatMap(([, names = "", value]) =>
      names.split(", ").map((name) => [name, value])
    ),
    [...pairs].flatMap((
      [, one, other, first = "", second = ""],
    ) => [[one, first], [other, second]]),
  );
});

test("the commands for Windows say the same as those for a Unix shell", () => {
  const blocks = blocksOf(README);
  const [bat = "", powershell = ""] = ["bat", "powershell"].map((language) =>
    blocks.find((block) => block.language === language)?.text
  );
  const sent = (command: string) => /http\S+/.exec(command)?.[0];
  const { command = "" } = TRANSCRIPT.find(({ command }) => command.includes("POST")) ??
    TRANSCRIPT.find(({ command }) => command.includes(" -d ")) ?? {};
  const url = command.replace("$todo", "http://127.0.0.1:5000/todo/api/v1.0");
  assert.equal(sent(bat), sent(url));
  assert.equal(sent(powershell), sent(url));
  const json = (text: string, form: RegExp) => form.exec(text)?.[1]?.replaceAll('\\"', '"');
  const title = json(command, /-d '(.*?)'/);
  assert.ok(title);
  assert.equal(json(bat, /-d "(.*)" http/), title);
  assert.equal(json(powershell, /^'(.*)' \|/), title);
});

test("the commands that start the server have flags that exist", () => {
  const commands = [...read(README).matchAll(/`([^`]*server\.ts[^`]*)`/g)].map(([, text = ""]) =>
    text
  );
  assert.ok(commands.length >= 3);
  for (const text of commands) readOptions(text.split("server.ts ")[1]?.split(" ") ?? [], {});
});

const POST = "POST /tasks";
const asText = { "Content-Type": "text/plain" };
/** For the examples in the table of errors: requests that get that status and message. */
const ERRORS: [status: string, line: string, options: Ask][] = [
  ["400", POST, { headers: asText, content: "{}" }],
  ["400", POST, { content: { description: 1 } }],
  ["400", "PUT /tasks/1", { content: {} }],
  ["400", "GET /tasks?don=true", {}],
  ["400", POST, { content: Buffer.from([0x22, 0xff, 0x22]) }],
  ["405", "PUT /tasks", { content: {} }],
  ["409", "POST /users", { content: { username: "miguel", password: "open sesame" } }],
  ["412", "DELETE /tasks/1", { headers: { "If-Match": '"old"' } }],
  ["413", POST, { content: " ".repeat(64 * 1024 + 1) }],
  ["415", POST, { headers: { "Content-Encoding": "gzip" }, content: "{}" }],
  ["421", "GET /tasks", { headers: { Host: "todo.example" } }],
];

test("the examples in the table of errors are messages that the server sends", async (t) => {
  const server = await start(t);
  const rows = table(README, "status").map(([status, , message]) => ({ status, message }));
  for (const [status, line, options] of ERRORS) {
    const answer = await ask(server, line, options);
    const [, quoted = ""] = /"message": (".*")/.exec(answer.text) ?? [];
    const message: unknown = JSON.parse(quoted);
    assert.equal(String(answer.status), status);
    assert.ok(rows.some((row) => row.status === status && row.message === message), answer.text);
  }
});
