// The pages are right: their links, maps and tables are compared with the files.

import assert from "node:assert/strict";
import { maxHeaderSize } from "node:http";
import { posix } from "node:path";
import { test } from "node:test";
import { readOptions } from "../../lib/options.ts";
import { type Block, blocksOf, filesIn, PAGES, read, table } from "../tools/pages.ts";

const FILES = filesIn("");

const MAX_LINES = 420;

test("README is short enough to be read", () => {
  const lines = read("README.md").trimEnd().split("\n").length;
  const size = `README.md has ${lines} lines, more than ${MAX_LINES}`;
  assert.ok(lines <= MAX_LINES, `${size}. A fork may raise MAX_LINES in test/unit/pages.test.ts.`);
});

/** The anchor that GitHub makes of a heading. */
const anchorOf = (heading: string) =>
  heading.toLowerCase().replace(/[^\w -]/g, "").replaceAll(" ", "-");

/** The links of a page: to a page or file of the project, and to a heading there. */
function linksOf(page: string): { to: string; anchor: string }[] {
  const text = read(page).replaceAll(/^```.*?^```$/gms, "");
  return [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link)
    .filter((link) => !link.startsWith("https://"))
    .map((link) => {
      const [file = "", anchor = ""] = link.split("#");
      return { to: file === "" ? page : posix.join(posix.dirname(page), file), anchor };
    });
}

test("every link leads to a file, and to a heading if it names one", () => {
  let count = 0;
  for (const page of PAGES) {
    for (const { to, anchor } of linksOf(page)) {
      count++;
      const isThere = FILES.some((file) => file === to || file.startsWith(`${to}/`));
      assert.ok(isThere, `${page}: there is no ${to}`);
      if (anchor === "") continue;
      const headings = [...read(to).matchAll(/^#+ (.*)$/gm)].map(([, text = ""]) => anchorOf(text));
      assert.ok(headings.includes(anchor), `${page}: ${to} has no heading #${anchor}`);
    }
  }
  assert.ok(count > 40);
});

test("npx is told which version of tsx to run, as the lock file has it", () => {
  const [, version] = /"tsx": "([\d.]+)"/.exec(read("package.json")) ?? [];
  const commands = [...PAGES, ...FILES.filter((file) => /^(lib|server)/.test(file))]
    .flatMap((file) => [...read(file).matchAll(/npx(?: -\S+)* tsx(\S*)/g)]);
  assert.ok(commands.length > 3);
  for (const [command, named] of commands) assert.equal(named, `@${version}`, command);
});

test("every page can be reached from README", () => {
  const seen = new Set(["README.md"]);
  for (const page of seen) {
    for (const { to } of linksOf(page)) if (to.endsWith(".md")) seen.add(to);
  }
  assert.deepEqual([...seen].sort(), [...PAGES].sort());
});

test("the map shows every file of lib, or the folder that it is in", () => {
  const [{ text: map }] = blocksOf("lib/README.md").filter(({ language }) => language === "") as [
    Block,
  ];
  const shown: string[] = [];
  const folders: string[] = [];
  for (const [, indent = "", name = ""] of map.matchAll(/^( *)(\S+)/gm)) {
    folders.length = indent.length / 2;
    if (name.endsWith("/")) folders.push(name);
    shown.push(name.endsWith("/") ? folders.join("") : folders.join("") + name);
  }
  for (const name of shown) assert.ok(FILES.some((file) => file.startsWith(name)), `no ${name}`);
  const whole = shown.filter((name) =>
    name.endsWith("/") && !shown.some((other) => other !== name && other.startsWith(name))
  );
  for (const file of FILES.filter((file) => file.startsWith("lib/") && !file.endsWith(".md"))) {
    const isThere = shown.includes(file) || whole.some((folder) => file.startsWith(folder));
    assert.ok(isThere, `the map of lib/README.md has no ${file}`);
  }
});

const declares = (text: string, name: string) =>
  new RegExp(`(function|class|interface|const) ${name}\\b|^  (async )?${name}\\(`, "m").test(text);

test("each function that a table names is in the file beside it", () => {
  const rows = [
    ...table("README.md", "in the tutorial").map(([, names = "", file = ""]) => ({ names, file })),
    ...table("lib/README.md", "step").map(([, , names = "", file = ""]) => ({ names, file })),
  ];
  assert.ok(rows.length > 25);
  for (const { names, file } of rows) {
    for (const name of names.split(", ")) {
      const text = read(file);
      const there = /^\w+$/.test(name) ? declares(text, name) : text.includes(name);
      assert.ok(there, `no ${name} in ${file}`);
    }
  }
});

test("the limits are those of the code", () => {
  for (const [limit = "", name = "", file = ""] of table("lib/wire/README.md", "limit")) {
    const text = read(file);
    assert.ok(declares(text, name), `no ${name} in ${file}`);
    const value = new RegExp(`const ${name}\\b.* = (.*)`).exec(text)?.[1] ?? "";
    const [number = ""] = /^\d+/.exec(limit) ?? [];
    assert.ok(
      /^(mostInHeap|parserFailure|LIMITS?)$/.test(name) || value.startsWith(number),
      `${limit}: ${value}`,
    );
  }
  assert.match(read("lib/wire/server.ts"), /headersTimeout: 10_000,\n *requestTimeout: 30_000,/);
  assert.equal(maxHeaderSize, 16 * 1024);
  assert.match(read("lib/app.ts"), /LIMIT = \{ user: 64 \* 1024, anyone: 16 \* 1024 \}/);
});

test("the operations whose speed is shown are those that the benchmark measures", () => {
  const [, heading = ""] = /^\| server \| (.*) \|$/m.exec(read("README.md")) ?? [];
  const measured = [...read("test/bench/bench.ts").matchAll(/\bname: "([^"]+)"/g)].map(([, name]) =>
    name
  );
  for (const name of heading.split(" | ")) assert.ok(measured.includes(name), name);
});

/** The commands of a block of sh: environment, and words without their quotes. */
function commandsIn(block: Block): { env: Record<string, string>; words: string[] }[] {
  const lines = block.text.replaceAll("\\\n", " ").trim().split("\n");
  return lines.filter((line) => !/^me=\d$/.test(line)).map((line) => {
    const words = [...line.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)]
      .map(([word]) => word.replaceAll(/['"]/g, "").replaceAll("$me", "1"));
    const first = words.findIndex((word) => !/^[A-Z_]+=/.test(word));
    const env = Object.fromEntries(words.slice(0, first).map((word) => word.split("=", 2)));
    return { env, words: words.slice(first) };
  });
}

const { scripts }: { scripts: Record<string, string> } = JSON.parse(read("package.json"));

/** Commands that running.test.ts or cluster.test.ts runs. */
const RUN_ELSEWHERE = /^(openssl|curl|docker|fuser|etcd|etcdctl|export|mv) /;

test("every command that is shown can be run", () => {
  let count = 0;
  for (const block of PAGES.flatMap(blocksOf).filter(({ language }) => language === "sh")) {
    for (const { env, words } of commandsIn(block)) {
      const line = words.join(" ");
      count++;
      const server = words.indexOf("server.ts");
      if (server > 0) readOptions(words.slice(server + 1), env); // throws if it does not know one
      else if (/^node --import tsx --test /.test(line)) {
        assert.ok(FILES.includes(words.at(-1) ?? ""), line);
        const [, name] = /--test-name-pattern (.*) test/.exec(line) ?? [];
        if (name) assert.match(read(words.at(-1) ?? ""), new RegExp(`^test\\(".*${name}`, "m"));
      } else if (words[0] === "npm") assert.ok(scripts[words[2] ?? ""], line);
      else if (line === "npx -y tsx@4.23.15 hello.ts") continue; // steps.test.ts runs it
      else if (words[0] === "npx") {
        const [, , tool = ""] = words;
        assert.ok(line === "npx tsc" || read(".ci/run").includes(`npx -y ${tool}`), line);
      } else assert.match(line, RUN_ELSEWHERE);
    }
  }
  assert.ok(count > 15);
  for (const page of PAGES) {
    for (const [, name = ""] of read(page).matchAll(/`npm run ([\w:]+)`/g)) {
      assert.ok(scripts[name]);
    }
  }
});

/** The test that checks the blocks of a page in a language. */
const HELD_BY: Readonly<Record<string, string>> = {
  "README.md console": "service/readme",
  "README.md sh": "unit/pages",
  "README.md bat": "service/readme",
  "README.md powershell": "service/readme",
  "lib/README.md ": "unit/pages",
  "lib/recipes.md ts": "slow/recipes",
  "lib/recipes.md diff": "slow/recipes",
  "lib/http/README.md sh": "unit/pages",
  "lib/http/README.md ts": "service/steps",
  "lib/http/README.md console": "service/steps",
  "lib/wire/README.md sh": "service/running",
  "lib/wire/README.md caddyfile": "service/running",
  "lib/wire/README.md nginx": "service/running",
  "lib/wire/README.md js": "service/running",
  "lib/wire/README.md ini": "service/running",
  "lib/wire/README.md dockerfile": "service/running",
  "lib/wire/README.md log": "service/running",
  "lib/store/README.md sh": "unit/pages",
  "lib/store/README.md bash": "service/database",
  "test/README.md sh": "unit/pages",
};

test("every block of code is run or checked by a test", () => {
  const kinds = new Set(
    PAGES.flatMap(blocksOf).map(({ page, language }) => `${page} ${language}`),
  );
  for (const kind of kinds) {
    const file = HELD_BY[kind];
    assert.ok(
      file !== undefined && FILES.includes(`test/${file}.test.ts`),
      `nothing holds ${kind}`,
    );
  }
  assert.deepEqual(Object.keys(HELD_BY).filter((kind) => !kinds.has(kind)), []);
});
