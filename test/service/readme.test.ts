// The README keeps its word: its transcripts are typed, its tables and its map are compared.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { openApiRoute } from "../../lib/openapi/openapi.ts";
import { routes } from "../../lib/routes.ts";
import { MemoryStore } from "../../lib/store/memory.ts";
import { Accounts } from "../../lib/todo/accounts.ts";
import { type Ask, ask, run, start } from "../tools/start.ts";

const ROOT = new URL("../..", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, ROOT), "utf8").replaceAll("\r\n", "\n");
const README = read("README.md");

const { stdout: version } = spawnSync("sh", ["-c", "curl --version"], { encoding: "utf8" });
const NO_CURL = Number(/^curl (\d+\.\d+)/.exec(version)?.[1] ?? 0) >= 7.84
  ? false
  : "the transcripts need sh, and curl 7.84 or newer";

/** What stands after `$ ` in the console blocks, and what is printed beneath it. */
function transcripts(): { command: string; printed: string }[] {
  const blocks = [...README.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  return blocks.flatMap((block) => block.split(/^\$ /m).slice(1)).map((text) => {
    const end = text.indexOf("\n");
    return { command: text.slice(0, end), printed: text.slice(end + 1) };
  });
}

/** The rows of the table whose first column has this heading, as cells without backticks. */
function table(heading: string): string[][] {
  const [, rows = ""] = README.split(new RegExp(`^\\| ${heading} \\|.*\n\\|[ |-]+\\|\n`, "m"));
  assert.notEqual(rows, "", `no table begins with ${heading}`);
  const lines = rows.slice(0, rows.search(/^(?!\|)/m)).trimEnd().split("\n");
  return lines.map((line) =>
    line.slice(2, -2).split("|").map((cell) => cell.replaceAll("`", "").trim())
  );
}

/** What curl prints, with its header section's CRLF to be seen, and the time left open. */
function comparable(answer: string): string[] {
  const date = /^Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r$/;
  return answer.split("\n").map((line) => date.test(line) ? "Date: now\r" : line);
}

/** As curl prints it: CRLF in the header section. */
function onTheWire(printed: string): string {
  const end = printed.startsWith("HTTP/") ? printed.indexOf("\n\n") + 2 : 0;
  return printed.slice(0, end).replaceAll("\n", "\r\n") + printed.slice(end);
}

const EPOCH = "5d1c9a7e"; // stands on the page for what each start of the server has another of

test("the transcripts are what sh and curl print, in one session", { skip: NO_CURL }, async (t) => {
  const server = await start(t);
  await ask(server, "GET /users/miguel"); // answered once the first password is hashed
  // The commands stay as they are: curl connects elsewhere, and even the port in a uri is 5000.
  const curl = `curl() { command curl -q --silent --show-error --max-time 10 --noproxy "*" \\
    --connect-to 127.0.0.1:5000:127.0.0.1:${server.port} "$@"; }\n`;
  const [, ...walk] = transcripts(); // the first one starts the server
  const script = walk.map(({ command }) => `${command}\nprintf '\\036'\n`).join("");
  const { stdout, stderr } = spawnSync("sh", ["-c", curl + script], { encoding: "utf8" });
  const page = stdout.replaceAll(/^(ETag: ")[0-9a-f]{8}(-\d+"\r)$/gm, `$1${EPOCH}$2`);
  const answers = page.split("\x1e");
  for (const [i, { command, printed }] of walk.entries()) {
    const got = { command, answer: comparable(answers[i] ?? "") };
    assert.deepEqual(got, { command, answer: comparable(onTheWire(printed)) });
  }
  assert.equal(stderr, "");
  const statuses = walk.flatMap(({ printed }) => /^HTTP\/1.1 (\d{3})/.exec(printed)?.[1] ?? []);
  const reading = "200 200 404 201 200 200 401 403 200 304";
  assert.equal(statuses.join(" "), `${reading} 200 412 201 401 200 204`);
});

test("the server says on its first line what the first screen shows", async (t) => {
  const [first] = transcripts();
  assert.equal(first?.command, "npx -y tsx server.ts");
  const [line] = await run(t, [], { PORT: "0" }).prints(/^.*\n/);
  assert.equal(line.replace(/:\d+\//, ":5000/"), first.printed);
});

test("the first screen's table is the router table", () => {
  const rows = table("method").map(([method, path]) => ({ method, path }));
  const store = new MemoryStore();
  const here = [...routes(store, new Accounts(store, true)), openApiRoute]
    .map(({ method, path }) => ({ method, path: path.pattern }));
  assert.deepEqual(rows, here);
});

test("the flags are those of --help, with their variables and defaults", async (t) => {
  const help = run(t, ["--help"]);
  await help.ended;
  const listed = [...help.out.matchAll(/^ {2}(--.{18}).*?(?:\((\w+); (.+)\))?$/gm)]
    .map(([, flag = "", variable = "", value = ""]) => [flag.trim(), variable, value]);
  const rows = table("flag").map((cells) => cells.slice(0, 3));
  assert.deepEqual(rows.filter(([flag]) => flag !== ""), listed);

  const [, names = "", values = ""] = /^(TODO_.*) name .*\((.*)\)/m.exec(help.out) ?? [];
  const defaults = values.split(", ");
  assert.deepEqual(
    rows.filter(([flag]) => flag === ""),
    names.split(" and ").map((name, i) => ["", name, defaults[i]]),
  );
});

test("the map shows every file there is, and no other", () => {
  const [, map = ""] = /^## The map.*?^```\n(.*?)^```$/ms.exec(README) ?? [];
  const folders: string[] = [];
  const shown: string[] = [];
  for (const [, indent = "", name = ""] of map.matchAll(/^( *)(\S+)/gm)) {
    folders.length = indent.length / 2;
    if (name.endsWith("/")) folders.push(name);
    else shown.push(folders.join("") + name);
  }
  assert.deepEqual(shown.sort(), ["server.ts", ...walk("lib/")].sort());
});

function walk(folder: string): string[] {
  return readdirSync(new URL(folder, ROOT), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(`${folder}${entry.name}/`) : [folder + entry.name]
  );
}

test("what a tutorial's function became is in the file that is named", () => {
  for (const [, names = "", file = ""] of table("in the tutorial")) {
    const text = read(file);
    for (const name of names.split(", ")) {
      const declared = new RegExp(
        `(function|class|interface|const) ${name}\\b|^  (async )?${name}\\(`,
        "m",
      );
      const there = /^\w+$/.test(name) ? declared.test(text) : text.includes(name);
      assert.ok(there, `no ${name} in ${file}`);
    }
  }
});

test("the operations whose speed is shown are those that the benchmark measures", () => {
  const [, heading = ""] = /^\| server \| (.*) \|$/m.exec(README) ?? [];
  const measured = [...read("test/bench/bench.ts").matchAll(/\bname: "([^"]+)"/g)].map(([, name]) =>
    name
  );
  for (const name of heading.split(" | ")) assert.ok(measured.includes(name), name);
});

test("the interface of a store is the one there is", () => {
  const [, shown] = /^```ts\n(.*?)^```$/ms.exec(README) ?? [];
  const declared = [
    ...read("lib/store/store.ts").matchAll(/^export interface (Task|User|)Store .*?^\}\n/gms),
  ].map(([text]) => text.replaceAll(/^ *\/\*\*.*?\*\/\n|^\n/gms, ""));
  assert.equal(declared.length, 3);
  assert.equal(shown, declared.join("\n"));
  const named = ["KINDS", "openStore"].filter((name) => README.includes(`\`${name}\``));
  assert.ok(read("test/store/store.test.ts").includes(`const ${named[0]}`));
  assert.ok(read("lib/store/open.ts").includes(`function ${named[1]}`));
});

test("every link leads to a file or a heading", () => {
  const headings = [...README.matchAll(/^## (.*)$/gm)].map(([, heading = ""]) => heading);
  const anchors = headings.map((heading) => `#${heading.toLowerCase().replaceAll(" ", "-")}`);
  const files = ["server.ts", "lib/http", ...walk("lib/"), ...walk(".github/")];
  const links = [...README.matchAll(/\]\(([^)]+)\)/g)].map(([, target = ""]) => target);
  assert.ok(links.length > 5);
  for (const link of links) {
    const known = link.startsWith("https://") || [...anchors, ...files].includes(link);
    assert.ok(known, link);
  }
});

const POST = "POST /tasks";
const asText = { "Content-Type": "text/plain" };
/** For examples in the table of errors: a request that gets this status and message. */
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
  ["421", "GET /tasks", { headers: { Host: "todo.example" } }],
  ["415", POST, { headers: { "Content-Encoding": "gzip" }, content: "{}" }],
  ["417, 501, 505", "PROPFIND /tasks", {}],
];

test("the examples in the table of errors are the server's own words", async (t) => {
  const server = await start(t);
  const rows = table("status").map(([status, , message]) => ({ status, message }));
  for (const [status, line, options] of ERRORS) {
    const answer = await ask(server, line, options);
    const [, quoted = ""] = /"message": (".*")/.exec(answer.text) ?? [];
    const message: unknown = JSON.parse(quoted);
    assert.ok(status.includes(String(answer.status)), answer.text);
    assert.ok(rows.some((row) => row.status === status && row.message === message), answer.text);
  }
});
