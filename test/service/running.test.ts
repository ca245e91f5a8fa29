// What lib/wire/README.md shows for running the server is run, or parsed as its program would.

import assert from "node:assert/strict";
import { execFile, execFileSync, spawn, type SpawnOptions, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { runInNewContext } from "node:vm";
import { readOptions } from "../../lib/options.ts";
import { selfSigned } from "../tools/certificate.ts";
import { newFolder } from "../tools/files.ts";
import { blocksOf, blockUnder, read } from "../tools/pages.ts";
import { ask, BASE, start, startProcess } from "../tools/start.ts";

const PAGE = "lib/wire/README.md";
const under = (heading: string, language = "sh") => blockUnder(PAGE, heading, language);
const without = (tool: string) =>
  spawnSync(tool, ["--version"]).error !== undefined && process.env["CI"] === undefined &&
  `needs ${tool}`;
const ROOT = new URL("../..", import.meta.url);
/** Ends a process or a group, if it is still there. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
const words = (line: string) => line.trim().split(/\s+/);

/** Starts a server with a command of several processes. Resolves with its URL when it listens. */
async function listening(t: TestContext, command: string[], options: SpawnOptions) {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { ...options, stdio: "pipe", detached: true });
  t.after(() => child.pid && kill(-child.pid));
  let out = "";
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    out += chunk;
    if (out.includes("Listening")) break;
  }
  const [, url = ""] = /Listening on (\S+)/.exec(out) ?? [];
  return { child, url };
}

test("HTTPS: the certificate is made, the server takes it, curl trusts it", {
  skip: without("openssl") || without("curl"),
}, async (t) => {
  const cwd = await newFolder(t);
  const [making, asking] = blocksOf(PAGE).filter(({ heading, language }) =>
    heading === "HTTPS" && language === "sh"
  );
  const [openssl = "", node = ""] = making?.text.split("\n") ?? [];
  execFileSync("sh", ["-c", openssl], { cwd, stdio: "ignore" });
  const args = words(node.split("server.ts ")[1] ?? "");
  const { cert, key } = readOptions(args, {})?.tls ?? {};
  assert.deepEqual([cert?.text, key?.text], ["todo.crt", "todo.key"]);
  const files = args.map((word) => word.startsWith("todo.") ? `${cwd}/${word}` : word);
  const { port } = await start(t, files.map((word) => word === "5443" ? "0" : word));
  const curl = asking?.text.trim().replace("curl", `curl -sS --connect-to ::127.0.0.1:${port}`) ??
    "";
  const { stdout } = await promisify(execFile)("sh", ["-c", curl], { cwd });
  assert.match(stdout, /"uri": "https:\/\/localhost:5443\/todo/);
});

test("the health check succeeds while the server runs, and fails when it is gone", {
  skip: without("curl"),
}, async (t) => {
  const server = await startProcess(t, ["--quiet"]);
  const check = under("Health checks").trim().replace(":5000", `:${server.port}`);
  const container = /^HEALTHCHECK CMD (.*)$/m.exec(under("In a container", "dockerfile"))?.[1] ??
    "";
  const [, ...args]: string[] = JSON.parse(container.replace(":5000", `:${server.port}`));
  const codes = () => [
    spawnSync("sh", ["-c", check]).status === 0,
    spawnSync(process.execPath, args).status === 0,
  ];
  assert.deepEqual(codes(), [true, true]);
  server.child.kill();
  await server.ended;
  assert.deepEqual(codes(), [false, false]);
});

test("the log's line is in the form that is shown", async (t) => {
  const server = await startProcess(t);
  await ask(server, "GET /tasks");
  const [line] = await server.prints(/^.* 200 \d+\n/m);
  const form = (line: string) => line.replace(/\[.*\]/, "[time]").replace(/\d+\n$/, "bytes\n");
  assert.equal(form(line), form(under("The log", "log")));
});

test("nginx: the configuration is valid", { skip: without("nginx") }, async (t) => {
  const folder = await newFolder(t);
  const servers = under("Behind a proxy", "nginx");
  const { cert, key } = selfSigned();
  writeFileSync(`${folder}/fullchain.pem`, cert);
  writeFileSync(`${folder}/privkey.pem`, key);
  const here = servers.replaceAll("/etc/letsencrypt/live/todo.example", folder)
    .replace("listen 443 ", "listen 127.0.0.1:8 ").replace("listen 80;", "listen 127.0.0.1:9;");
  writeFileSync(
    `${folder}/nginx.conf`,
    `pid ${folder}/pid; error_log ${folder}/log; events {} http { access_log off; ${here} }`,
  );
  const checked = spawnSync("nginx", ["-t", "-p", folder, "-c", `${folder}/nginx.conf`], {
    encoding: "utf8",
  });
  assert.equal(checked.status, 0, checked.stderr);
  const upstream = /127\.0\.0\.1:5000/;
  assert.match(servers, upstream);
  assert.match(under("Behind a proxy", "caddyfile"), upstream);
});

test("CORS: the script gets the tasks", async (t) => {
  const origin = "https://app.example";
  const server = await start(t, ["--quiet", "--cors-origin", origin], {
    TODO_PASSWORD: "open sesame",
  });
  const script = under("Web pages of other origins (CORS)", "js");
  const fetch = async (url: string, { headers }: { headers: Record<string, string> }) => {
    const line = `GET ${new URL(url).pathname.replace("/todo/api/v1.0", "")}`;
    const sent = { ...headers, Origin: origin };
    return await ask(server, line, { headers: sent, authorization: headers["Authorization"] });
  };
  const body = `(async () => { ${script} return response; })()`;
  const { status, headers } = await runInNewContext(body, { fetch, btoa });
  assert.equal(status, 200);
  assert.equal(headers["access-control-allow-origin"], origin);
});

test("systemd: the unit starts the server with flags that exist, and waits for its end", () => {
  const unit = under("systemd", "ini");
  const [, program, file, args = ""] = /^ExecStart=(\S+) (\S+) (.*)$/m.exec(unit) ?? [];
  assert.deepEqual([program, file], ["/usr/bin/node", "server.ts"]);
  // With Node 20 the line has --import tsx, and Node looks for that from the working directory.
  assert.match(unit, /^WorkingDirectory=\/srv\/todo$/m);
  const options = readOptions(words(args), { TODO_PASSWORD: "open sesame" });
  const [, folder] = /^StateDirectory=(.*)$/m.exec(unit) ?? [];
  assert.equal(options?.db, `/var/lib/${folder}/tasks.sqlite`);
  assert.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) > 10);
  for (const line of unit.split("\n")) assert.match(line, /^(\[\w+\]|[A-Z]\w+=.+|)$/);
});

test("npm ci && npm start works in a copy of the project, with NODE_ENV=production too", async (t) => {
  const cwd = await newFolder(t);
  for (const name of ["package.json", "package-lock.json", ".npmrc", "server.ts", "lib"]) {
    cpSync(new URL(name, ROOT), `${cwd}/${name}`, { recursive: true });
  }
  const env = { ...process.env, NODE_ENV: "production" };
  const options = ["--prefer-offline", "--ignore-scripts", "--no-audit"];
  await promisify(execFile)("npm", ["ci", ...options], { cwd, env });
  const { url } = await listening(t, words("npm start -- --port 0 --quiet"), { cwd, env });
  assert.equal((await fetch(new URL(`${BASE}/openapi.json`, url))).status, 200);
});

test("a container has every file that the server needs, and its flags", () => {
  const file = under("In a container", "dockerfile");
  const copied = [...file.matchAll(/^COPY (.*) \S+$/gm)].flatMap(([, names = ""]) => words(names));
  assert.deepEqual(copied.sort(), ["lib", "package.json", "server.ts"]);
  for (const name of copied) assert.ok(existsSync(new URL(`../../${name}`, import.meta.url)), name);
  const [, variables = ""] = /^ENV (.*)$/m.exec(file) ?? [];
  const env = Object.fromEntries(words(variables).map((pair) => pair.split("=", 2)));
  const [, build = "", run = ""] =
    /^(docker build .*)\n(docker run .*)\n$/.exec(under("In a container")) ?? [];
  const [, password = ""] = /-e TODO_PASSWORD='(.*?)'/.exec(run) ?? [];
  const options = readOptions([], { ...env, TODO_PASSWORD: password });
  const [, volume] = /^VOLUME (.*)$/m.exec(file) ?? [];
  assert.equal(options?.db, `${volume}/tasks.sqlite`);
  assert.match(
    run,
    new RegExp(`-p 127.0.0.1:${options?.port}:${options?.port} -v \\w+:${volume} todo$`),
  );
  assert.match(build, / -t todo \.$/);
  const [, command = ""] = /^CMD (.*)$/m.exec(file) ?? [];
  assert.deepEqual(JSON.parse(command), ["node", "server.ts"]);
  assert.ok(Number(/^FROM node:(\d+)/m.exec(file)?.[1]) >= 24);
  assert.match(read("server.ts"), /^import/m);
});

test("the command ends a server that was left running", { skip: without("fuser") }, async (t) => {
  const server = await startProcess(t, ["--quiet"]);
  const command = under("Why not npx").trim().replace("5000", `${server.port}`);
  execFileSync("sh", ["-c", command], { stdio: "ignore" });
  assert.deepEqual(await server.ended, { code: 0, signal: null });
});

for (const command of ["npm start -- --port 0", "npx -y tsx@4.23.15 server.ts --port 0"]) {
  test(`a signal to the first process ends the server: ${command}`, {
    skip: process.platform !== "linux" && "parents are read from /proc",
  }, async (t) => {
    const { npm_lifecycle_event: _, ...env } = process.env;
    const { child, url } = await listening(t, words(command), { cwd: ROOT, env });
    // The server has the same standard error, so that ends with it.
    const ended = once(child.stderr.resume(), "close");
    child.kill("SIGTERM");
    await once(child, "exit");
    await ended;
    await assert.rejects(fetch(url), /fetch failed/);
  });
}

test("a server that an npm script leaves in the background goes on without it", {
  skip: process.platform !== "linux" && "parents are read from /proc",
}, async (t) => {
  const script = "node --import tsx server.ts --port 0 --quiet & read line";
  const env = { ...process.env, npm_lifecycle_event: "npx", npm_lifecycle_script: script };
  const { child, url } = await listening(t, ["sh", "-c", script], { cwd: ROOT, env });
  child.stdin.end();
  await once(child, "exit");
  const address = new URL(`${BASE}/openapi.json`, url);
  for (const start = performance.now(); performance.now() - start < 2500;) { // two looks
    assert.equal((await fetch(address)).status, 200);
  }
});
