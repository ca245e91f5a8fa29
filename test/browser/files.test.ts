// The files of the page, as a browser fetches them, and what it is allowed to do with them.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import {
  ask,
  BASE,
  bytes,
  dial,
  MIGUEL,
  type Received,
  type Server,
  start,
  startProcess,
  statuses,
} from "../tools/start.ts";
import { browser, leave, signIn, story, type Task, visit } from "../tools/stories.ts";
import { NO_BROWSER } from "../tools/webdriver.ts";

const ROOT = new URL("../..", import.meta.url);
const FOLDER = new URL("lib/page/", ROOT);
const FILES = readdirSync(FOLDER).filter((name) => /\.(html|css|js|svg)$/.test(name)).sort();
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml; charset=utf-8",
};
const read = (name: string) => readFileSync(new URL(name, FOLDER), "utf8");
const pathOf = (name: string) => name === "index.html" ? "/" : `/page/${name}`;

/** Sends a request without credentials, for a path from the root. */
const fetchFile = (
  server: Server,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Received> => ask(server, `${method} /${path}`, { authorization: undefined, headers });

test("anyone gets each file of the page, with its media type", async (t) => {
  const server = await start(t, ["--quiet"]);
  for (const name of FILES) {
    const got = await fetchFile(server, "GET", pathOf(name));
    assert.equal(got.status, 200, name);
    assert.equal(got.text, read(name), name);
    const { headers } = got;
    assert.equal(headers["content-type"], TYPES[name.split(".")[1] ?? ""]);
    assert.equal(headers["content-length"], `${Buffer.byteLength(got.text)}`);
    assert.equal(headers["cache-control"], "private, no-cache");
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["referrer-policy"], "no-referrer");
    assert.equal(headers["cross-origin-resource-policy"], "same-origin");
    assert.equal(headers["cross-origin-opener-policy"], "same-origin");
    assert.match(
      `${headers["content-security-policy"]}`,
      /^default-src 'none'; .*ancestors 'none'/,
    );
    assert.match(headers.etag ?? "", /^"[\w-]{43}"$/);

    const again = await fetchFile(server, "GET", pathOf(name), {
      "If-None-Match": headers.etag ?? "",
    });
    assert.deepEqual([again.status, again.text, again.headers.etag], [304, "", headers.etag]);
    const head = await fetchFile(server, "HEAD", pathOf(name));
    const { date: _, ...fields } = head.headers;
    const { date: __, ...expected } = headers;
    assert.deepEqual([head.status, head.text, fields], [200, "", expected]);
    const allow = "GET, HEAD, OPTIONS";
    const options = await fetchFile(server, "OPTIONS", pathOf(name));
    assert.deepEqual([options.status, options.headers.allow], [204, allow]);
    const post = await fetchFile(server, "POST", pathOf(name));
    assert.deepEqual([post.status, post.headers.allow], [405, allow]);
  }
  for (const path of ["/page", "/page/", "/page/page.ts", "/page/..%2Fapp.ts", "/index.html"]) {
    assert.equal((await fetchFile(server, "GET", path)).status, 404, path);
  }
});

test("a server without a free descriptor still has the page", {
  skip: process.platform !== "linux" && "prlimit takes the descriptors away",
}, async (t) => {
  const server = await startProcess(t, ["--quiet"]);
  const client = await dial(t, server.port, bytes("HEAD /"));
  await client.receives(/\r\n\r\n/); // the connection has its descriptor
  execFileSync("prlimit", ["--nofile=3", "--pid", `${server.child.pid}`]);
  for (const name of FILES) {
    client.text = "";
    client.socket.write(bytes(`HEAD ${pathOf(name)}`));
    assert.deepEqual(statuses(await client.receives(/\r\n\r\n/)), [200], name);
  }
});

const MOST_BYTES = 62_500;

test("the page is small and plain, and loads only its own files", () => {
  const size = FILES.map((name) => readFileSync(new URL(name, FOLDER)).length);
  const all = size.reduce((sum, bytes) => sum + bytes);
  const raise =
    "To raise the limit, as a fork may, change MOST_BYTES in test/browser/files.test.ts";
  assert.ok(all <= MOST_BYTES, `the page has ${all} bytes, more than ${MOST_BYTES}. ${raise}.`);
  const html = read("index.html");
  const asked = [...html.matchAll(/ (?:src|href)="([^"]*)"/g)].map(([, address]) => `/${address}`);
  const imported = FILES.flatMap((name) =>
    [...read(name).matchAll(/^(?:import|}) .*"\.\/([a-z]+\.js)";$/gm)].map(([, file = ""]) =>
      pathOf(file)
    )
  );
  assert.deepEqual([...new Set(["/", ...asked, ...imported])].sort(), FILES.map(pathOf).sort());
  const preloaded = [...html.matchAll(/"modulepreload" href="([^"]*)"/g)].map(([, path]) => path);
  const scripts = FILES.filter((name) => name.endsWith(".js") && name !== "app.js");
  assert.deepEqual(preloaded, scripts.map((name) => `page/${name}`)); // no trip for each import
  assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|<script(?! type="module" src)/);
  for (const name of FILES) {
    assert.doesNotMatch(
      read(name),
      /innerHTML|insertAdjacent|eval\(|[lS]ocalStorage|Storage\b|\.cookie/,
    );
    assert.doesNotMatch(read(name).replaceAll("http://www.w3.org/2000/svg", ""), /\bhttps?:\/\/\w/);
  }
});

// What the tutorial's author's own JavaScript client sends (it is jQuery's $.ajax, with
// `cache: false` and `beforeSend` for the credentials), and what it expects.
test("the tutorial author's own client gets what it expects", async (t) => {
  const server = await start(t, ["--quiet"]);
  const jquery = (authorization: string) => ({
    "X-Requested-With": "XMLHttpRequest",
    Accept: "application/json, text/javascript, */*; q=0.01",
    Authorization: authorization,
    Origin: server.origin,
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
  });
  const tasksUri = `/${BASE}/tasks`;
  const wrong = await ask(server, `GET ${tasksUri}?_=1369012345678`, {
    headers: jquery(`Basic ${btoa("miguel:flask")}`),
    authorization: undefined,
  });
  assert.equal(wrong.status, 403);
  assert.equal(wrong.headers["www-authenticate"], undefined);

  const send = async (method: string, uri: string, content?: unknown) => {
    const headers = { ...jquery(MIGUEL), "Content-Type": "application/json" };
    const target = uri.replace(server.origin, "/") + (method === "GET" ? "?_=1369012345679" : "");
    const got = await ask(server, `${method} ${target}`, { headers, content });
    return { status: got.status, json: got.json as { tasks: Task[]; task: Task; result: unknown } };
  };
  const { json: { tasks } } = await send("GET", tasksUri);
  assert.deepEqual(tasks.map(({ title, done }) => [title, done]), [
    ["Buy groceries", false],
    ["Learn Python", false],
  ]);
  const added = await send("POST", tasksUri, { title: "Read a book", description: "" });
  assert.equal(added.status, 201);
  const { uri } = added.json.task;
  // Its edit dialog sends all three back; its "mark" buttons only `done`.
  const edited = await send("PUT", uri, { title: "Read", description: "Ulysses", done: true });
  assert.deepEqual([edited.status, edited.json.task], [
    200,
    { title: "Read", done: true, description: "Ulysses", uri },
  ]);
  assert.equal((await send("PUT", uri, { done: false })).json.task.done, false);
  assert.deepEqual(await send("DELETE", uri), { status: 200, json: { result: true } });
  assert.equal((await send("GET", tasksUri)).json.tasks.length, 2);
});

story("it is its own files, each asked for once, and nothing moves", async (server) => {
  await browser.until("document.readyState === 'complete' && !showRegistration.hidden");
  const asked = await browser.requests();
  // Only browsers that show an icon load it.
  const own = FILES.filter((name) => name !== "icon.svg").map((name) =>
    server.origin + pathOf(name)
  );
  own.push(`${server.origin}${BASE}/users`); // whether anyone may register
  assert.deepEqual(asked.filter((url) => !url.endsWith("/icon.svg")).sort(), own.sort());
  await signIn();
  await browser.sees("Buy groceries");
  await ask(server, "POST /tasks", { content: { title: "From elsewhere" } });
  await browser.sees("From elsewhere");
  assert.equal(await browser.run("return window.shifts"), 0, "something moved by itself");
  const kept = "return [document.cookie, localStorage.length, sessionStorage.length]";
  assert.deepEqual(await browser.run(kept), ["", 0, 0]);
});

test(
  "the policy works: what the stories must not see is seen here",
  { skip: NO_BROWSER },
  async (t) => {
    const server = await start(t, ["--quiet"]);
    await visit(server);
    await browser.run("new Image().src = 'http://127.0.0.1:9/'");
    await browser.run("document.body.style.cssText = ''; document.head.append('style')");
    await browser.run("document.head.append(document.createElement('style'))");
    await browser.run("document.querySelector('style').textContent = 'b{}'");
    await browser.until("window.violations.length >= 2");
    assert.match(String(await browser.run("return violations.sort().join()")), /^img.*,style/);
    assert.match(JSON.stringify(await browser.console()), /Content Security Policy/);
    const html = await browser.run(
      "try { document.body.innerHTML = '<b>' } catch (e) { return e.name }",
    );
    assert.equal(html, "TypeError"); // Trusted Types: no text becomes HTML
    await leave();
  },
);
