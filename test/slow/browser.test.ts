// The page, as a person uses it in a browser, and its files, as a browser fetches them.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import process from "node:process";
import { after, before, describe, test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { ask, BASE, MIGUEL, type Received, type Server, start } from "../tools/start.ts";
import { type Proxy, startProxy } from "../tools/proxy.ts";
import { Browser, KEY, NO_BROWSER } from "../tools/webdriver.ts";

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

// The files, over plain HTTP

test("anyone gets each file of the page, with its media type", async (t) => {
  const server = await start(t, ["--quiet"]);
  for (const name of FILES) {
    const got = await fetchFile(server, "GET", pathOf(name));
    assert.equal(got.status, 200, name);
    assert.equal(got.text, read(name));
    const { headers } = got;
    assert.equal(headers["content-type"], TYPES[name.split(".")[1] ?? ""]);
    assert.equal(headers["content-length"], `${Buffer.byteLength(got.text)}`);
    assert.equal(headers["cache-control"], "private, no-cache");
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["referrer-policy"], "no-referrer");
    assert.equal(headers["cross-origin-resource-policy"], "same-origin");
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

test("the page is small and plain, and loads only its own files", () => {
  const size = FILES.map((name) => readFileSync(new URL(name, FOLDER)).length);
  assert.ok(size.reduce((sum, bytes) => sum + bytes) < 48_000, `${size}`);
  const html = read("index.html");
  const asked = [...html.matchAll(/ (?:src|href)="([^"]*)"/g)].map(([, address]) => `/${address}`);
  const imported = FILES.flatMap((name) =>
    [...read(name).matchAll(/^(?:import|}) .*"\.\/([a-z]+\.js)";$/gm)].map(([, file = ""]) =>
      pathOf(file)
    )
  );
  assert.deepEqual([...new Set(["/", ...asked, ...imported])].sort(), FILES.map(pathOf).sort());
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

/** Changes something elsewhere. The page sees it at once, because "online" makes it ask again. */
async function elsewhere(...args: Parameters<typeof ask>): Promise<void> {
  await ask(...args);
  await browser.run("dispatchEvent(new Event('online'))");
}

interface Task {
  readonly title: string;
  readonly done: boolean;
  readonly description: string;
  readonly uri: string;
}

/** Asks the server until a condition is true. */
async function untilServer(has: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !await has();) {
    assert.ok(Date.now() < end, `never ${has}`);
    await setImmediate(); // others have their turn, the proxy among them
  }
}

async function titles(server: Server, authorization = MIGUEL): Promise<string[]> {
  const { json } = await ask(server, "GET /tasks", { authorization });
  return (json as { tasks: Task[] }).tasks.map(({ title }) => title);
}

async function taskOf(server: Server, id: number): Promise<Task> {
  return ((await ask(server, `GET /tasks/${id}`)).json as { task: Task }).task;
}

// In a browser: one for all stories. Each story has its own server, and so its own origin.

/** A folder for a picture of each state, for people to look at. */
const SHOTS = process.env["PAGE_SHOTS"];
const shot = async () => Buffer.from(await browser.screenshot(), "base64");

/** Runs before the page's own scripts: notes what the policy forbids, and what moves by itself. */
const WATCH = `window.violations = [];
  window.shifts = 0;
  addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    violations.push(violatedDirective + " " + blockedURI));
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) shifts += value;
  }).observe({ type: "layout-shift", buffered: true });`;

/** Faults of the page in its current state: missing names, little room, low contrast. */
const FAULTS = `const faults = [];
  const parse = (color) => color.match(/[0-9.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = parse(color).map((c) => c / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (parse(backgroundColor)[3] !== 0) return backgroundColor;
    }
  };
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const say = (element, what) => faults.push(what + ": " + element.outerHTML.slice(0, 120));
  for (const element of document.querySelectorAll("body *")) {
    if (!element.checkVisibility() || element.closest(".unseen")) continue;
    const style = getComputedStyle(element);
    const words = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim() !== "");
    if (words && contrast(style.color, behind(element)) < 4.5) say(element, "too faint");
    if (element.placeholder) {
      const { color } = getComputedStyle(element, "::placeholder");
      if (contrast(color, behind(element)) < 4.5) say(element, "placeholder too faint");
    }
    if (element.matches("input, textarea, select, button")) {
      const { width, height } = (element.closest("label.check") ?? element)
        .getBoundingClientRect();
      if (Math.min(width, height) < 24) say(element, "too small");
      if (element.matches("[name]")) {
        const edge = contrast(style.borderBottomColor, behind(element.parentElement));
        if (edge < 3) say(element, "edge too faint");
      }
    }
  }
  if (document.documentElement.scrollWidth > innerWidth) faults.push("scrolls sideways");
  if (document.documentElement.lang !== "en") faults.push("no language");
  return faults;`;

/** The faults that axe-core finds in the current state. `AXE` is the path of its axe.min.js. */
const AXE = process.env["AXE"];
const AXE_RUN = `const [options, done] = arguments;
  axe.run(document, { resultTypes: ["violations"], ...options }).then(({ violations }) =>
    done(violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join())));`;
const axeFound: Record<string, unknown> = {};

let browser: Browser;
let first: string; // its window

before(async () => {
  if (NO_BROWSER !== false) return;
  browser = await Browser.start();
  first = await browser.window();
  await watch();
  await leave(); // the browser's own first page
});

after(() => browser?.close());

const watch = () => browser.cdp("Page.addScriptToEvaluateOnNewDocument", { source: WATCH });

/** Turns to another window of the same browser, at the same page: its handle. */
async function another(server: Server): Promise<string> {
  const handle = await browser.newWindow();
  await watch();
  await visit(server);
  return handle;
}

/** Opens the page of a server, at its size on a desk. */
async function visit(server: Server): Promise<void> {
  await browser.size(1000, 800);
  await browser.open(server.origin);
}

/** Leaves the page, and its windows but one, and forgets what it did. */
async function leave(): Promise<void> {
  for (const handle of await browser.windows()) {
    await browser.turnTo(handle);
    if (handle !== first) await browser.closeWindow();
  }
  await browser.turnTo(first);
  await browser.open("data:,");
  await browser.cdp("Emulation.setEmulatedMedia", { features: [], media: "" });
  await browser.console();
  await browser.requests();
}

interface Story {
  readonly name: string;
  readonly tell: (server: Server, t: TestContext) => Promise<void>;
  readonly provokes: RegExp | undefined;
}
const stories: Story[] = [];

/** Notes a story about the page of a server. `provokes` matches the refusals that belong to it. */
function story(name: string, tell: Story["tell"], provokes?: RegExp): void {
  stories.push({ name, tell, provokes });
}

async function tellStory({ tell, provokes }: Story, server: Server, t: TestContext) {
  try {
    await visit(server);
    await tell(server, t);
    // The browser logs every refusal, even if the page handles it. It may log nothing else.
    const told = (await browser.console()).map(({ source, message }) => `${source} ${message}`);
    const isProvoked = (line: string) =>
      line.startsWith("network ") && provokes?.test(line) === true;
    assert.deepEqual(told.filter((line) => !isProvoked(line)), []);
    assert.deepEqual(await browser.run("return window.violations"), []);
    const elsewhere = (await browser.requests())
      .filter((url) => !/^http:\/\/(\w+:\w+@)?127\.0\.0\.1:/.test(url)); // the server, or a proxy
    assert.deepEqual(elsewhere, []);
  } finally {
    await leave();
  }
}

async function signIn(username = "miguel", password = "python"): Promise<void> {
  await browser.fill("Username", username);
  await browser.fill("Password", password);
  await browser.press("Sign in");
  await browser.find("#list");
}

async function value(label: string): Promise<string> {
  return String(await browser.run("return arguments[0].value", await browser.field(label)));
}

/** Waits until a field has an error and the focus, and returns the error. */
async function errorAt(label: string): Promise<string> {
  const error = `args[0].ariaInvalid === "true" && document.activeElement === args[0] &&
    document.getElementById(args[0].getAttribute("aria-describedby")).textContent`;
  return String(await browser.until(error, await browser.field(label)));
}

const box = (title: string) =>
  browser.find(`//li[.//*[@class = "title"] = ${JSON.stringify(title)}]//input`);
const choose = async (option: string) => {
  await browser.run(
    `const [select, text] = arguments;
    select.value = [...select.options].find((option) => option.text === text).value;
    select.dispatchEvent(new Event("input", { bubbles: true }))`,
    await browser.field("Show"),
    option,
  );
};
const count = (text: string) =>
  browser.until("document.getElementById('count').textContent.startsWith(args[0])", text);
const onPage = (number: number, last: number) =>
  browser.until(
    `document.getElementById("page").value === String(args[0]) &&
      document.getElementById("of").textContent === "of " + args[1]`,
    number,
    last,
  );
const shown = () =>
  browser.run(`return [...document.querySelectorAll("#tasks .view .title")]
    .filter((title) => title.checkVisibility()).map(({ textContent }) => textContent)`);
const toPage = async (number: number) => {
  await browser.run("arguments[0].select()", await browser.field("Page"));
  await browser.keys(String(number), KEY.enter);
};
const announced = () => browser.run("return document.getElementById('announcement').textContent");
const said = (text: string) =>
  browser.until("document.getElementById('said').textContent.includes(args[0])", text);
const focus = () =>
  browser.run(`const { ariaLabel, textContent, name } = document.activeElement;
    return ariaLabel || textContent || name`);

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
  assert.equal(await browser.run("return window.shifts"), 0);
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

story("a wrong password: no dialog, and words at the field", async () => {
  await browser.press("Sign in");
  assert.equal(await errorAt("Username"), "Please fill in this field.");
  await browser.fill("Username", "miguel");
  await browser.fill("Password", "wröng ☃");
  await browser.press("Sign in");
  assert.equal(await errorAt("Password"), "The username or the password is wrong.");
  await browser.fill("Password", "python");
  assert.equal(await browser.run("return document.querySelectorAll('.error').length"), 0);
  await browser.press("Sign in");
  await browser.sees("Buy groceries");
}, / 403 /);

story("register: each error is shown at its field", async (server) => {
  await browser.fill("Username", "su san");
  await browser.press("Register");
  assert.equal(await value("Username"), "su san");
  await browser.fill("New password", "sesame");
  await browser.press("Register");
  assert.match(await errorAt("New password"), /8 characters/);
  await browser.fill("New password", "ópen sésame ☃");
  await browser.fill("E-mail", "susan");
  await browser.press("Register");
  assert.match(await errorAt("E-mail"), /@/);
  await browser.fill("E-mail", "susan@example.com");
  await browser.press("Register");
  const name =
    "Username must be 1 to 64 letters, digits, dots, hyphens or underscores, and not . or ..";
  assert.equal(await errorAt("Username"), name);
  await browser.fill("Username", "miguel");
  await browser.press("Register");
  assert.equal(await errorAt("Username"), "There is a user miguel already.");
  await browser.fill("Username", "susan");
  await browser.press("Register");
  await browser.sees("Nothing to do.");
  await browser.sees("susan");
  await browser.fill("New task", "Open up");
  await browser.press("Add");
  await count("1 task");
  const susan = `Basic ${Buffer.from("susan:ópen sésame ☃").toString("base64")}`;
  assert.deepEqual(await titles(server, susan), ["Open up"]);
  const { json } = await ask(server, "GET /users/susan", { authorization: susan });
  assert.equal((json as { user: { email: string } }).user.email, "susan@example.com");

  await browser.press("Account");
  await browser.press("Delete account");
  await errorAt("Delete my account and all my tasks. Nobody can bring them back.");
  await browser.click(
    await browser.field("Delete my account and all my tasks. Nobody can bring them back."),
  );
  await browser.press("Delete account");
  await browser.sees("Your account and its tasks are deleted.");
  assert.equal(await focus(), "username");
  assert.equal((await ask(server, "GET /tasks", { authorization: susan })).status, 401);
}, / (400|409) /);

story("add, edit, tick, delete, undo", async (server) => {
  await signIn();
  await browser.press("Add");
  assert.equal(await errorAt("New task"), "Please fill in this field.");
  await browser.fill("New task", "Read a book");
  await browser.fill("Description", "Ulysses\nor another");
  await browser.press("Add");
  await browser.sees("Added “Read a book”.");
  assert.deepEqual([await value("New task"), await value("Description")], ["", ""]);
  await count("3 tasks");

  await browser.press("Edit “Read a book”");
  await browser.fill("Title", " ");
  await browser.press("Save");
  assert.equal(await errorAt("Title"), "Please fill in this field.");
  await browser.fill("Title", "Read two books");
  await browser.press("Save");
  await browser.button("Edit “Read two books”");
  assert.equal(await focus(), "Edit “Read two books”");
  await browser.click(await box("Read two books"));
  await untilServer(async () => (await taskOf(server, 3)).done);
  assert.equal((await taskOf(server, 3)).description, "Ulysses\nor another");
  await browser.click(await box("Read two books"));
  await untilServer(async () => !(await taskOf(server, 3)).done);

  await browser.press("Edit “Buy groceries”");
  await browser.fill("Title", "Never mind");
  await browser.keys(KEY.escape);
  await browser.button("Edit “Buy groceries”");
  assert.deepEqual(await shown(), ["Buy groceries", "Learn Python", "Read two books"]);

  await browser.press("Delete “Buy groceries”");
  await browser.sees("“Buy groceries” deleted");
  assert.equal(await focus(), "Undo: “Buy groceries” deleted");
  await browser.press("Undo: “Buy groceries” deleted");
  await browser.seesNo("” deleted");
  assert.equal(await focus(), "Delete “Buy groceries”");
  await browser.press("Delete “Learn Python”");
  assert.equal((await titles(server)).length, 3); // for nobody knows yet
  await untilServer(async () => (await titles(server)).length === 2);
  await count("2 tasks");
  assert.deepEqual(await shown(), ["Buy groceries", "Read two books"]);
  assert.deepEqual(await titles(server), ["Buy groceries", "Read two books"]);
});

story("all done tasks are deleted at once, and one Undo brings them back", async (server) => {
  for (let id = 3; id <= 25; id++) {
    await ask(server, "POST /tasks", { content: { title: `Task ${id}` } });
    await ask(server, `PUT /tasks/${id}`, { content: { done: true } });
  }
  await signIn();
  await count("25 tasks, 2 open");
  await browser.press("Delete what is done");
  await browser.sees("23 tasks deleted");
  await browser.until("document.activeElement.ariaLabel === 'Undo: 23 tasks deleted'");
  assert.deepEqual(await shown(), ["Buy groceries", "Learn Python"]);
  await browser.press("Undo: 23 tasks deleted");
  await browser.sees("Task 20");
  assert.equal((await titles(server)).length, 25);
  await browser.press("Delete what is done");
  await browser.sees("23 tasks deleted");
  await ask(server, "PUT /tasks/3", { content: { title: "Not done after all", done: false } });
  await choose("Open"); // which decides it
  await untilServer(async () => (await titles(server)).length === 3);
  await count("3 open");
  for (const title of ["Buy groceries", "Learn Python", "Not done after all"]) {
    await browser.click(await box(title));
  }
  await browser.sees("All done.");
}, / 412 /);

story("tasks that look deleted are deleted when the page is left", async (server) => {
  await signIn();
  await browser.press("Delete “Buy groceries”");
  await browser.press("Sign out");
  await browser.sees("You are signed out.");
  assert.deepEqual(await titles(server), ["Learn Python"]);
  assert.equal(await browser.run("return document.querySelectorAll('#tasks li').length"), 0);
  await another(server);
  await signIn();
  await browser.press("Delete “Learn Python”");
  await browser.sees("“Learn Python” deleted");
  await browser.closeWindow();
  await browser.turnTo(first);
  await untilServer(async () => (await titles(server)).length === 0);
});

story("filters and pages, by the service's own links", async (server) => {
  for (let i = 3; i <= 100; i++) {
    await ask(server, "POST /tasks", { content: { title: `Task ${i}` } });
  }
  await signIn();
  await onPage(1, 5);
  await count("100 tasks, 100 open");
  assert.equal((await shown() as string[]).length, 20);
  await browser.press("Previous"); // there is none, and nothing happens
  await browser.press("Next");
  await onPage(2, 5);
  assert.equal((await shown() as string[])[0], "Task 21");
  await browser.until("document.activeElement.ariaLabel === 'Tasks, page 2 of 5'");
  assert.equal(await announced(), "Tasks, page 2 of 5");
  await toPage(5);
  await onPage(5, 5);
  await toPage(3);
  await onPage(3, 5);
  await browser.until("document.activeElement.ariaLabel === 'Tasks, page 3 of 5'");
  await browser.run("history.back()");
  await onPage(5, 5);
  await browser.run("history.back()");
  await onPage(2, 5);
  await browser.press("Previous");
  await onPage(1, 5);
  await browser.fill("New task", "Task 101");
  await browser.press("Add");
  await onPage(6, 6);
  assert.deepEqual(await shown(), ["Task 101"]);
  await browser.press("Delete “Task 101”");
  await onPage(5, 5); // the sixth page went with its last task

  await browser.fill("Search", "task 4");
  await count("11 tasks, 11 open");
  await browser.click(await box("Task 40"));
  await count("11 tasks, 10 open");
  await choose("Done");
  await count("1 done");
  assert.deepEqual(await shown(), ["Task 40"]);
  assert.equal(await browser.run("return location.search"), "?per_page=20&done=true&q=task+4");
  await browser.run("history.back()");
  await count("11 tasks");
  assert.equal(await value("Search"), "task 4");
  await choose("Open");
  await count("10 open");
  await browser.click(await box("Task 41")); // which stays for a while
  await count("9 open");
  await browser.click(await box("Task 41"));
  await count("10 open");
  assert.equal((await taskOf(server, 41)).done, false);
  await browser.click(await box("Task 41"));
  await count("9 open");
  await browser.reload();
  await signIn();
  await count("9 open");
  assert.deepEqual((await shown() as string[]).slice(0, 2), ["Task 4", "Task 42"]);
  await browser.fill("New task", "Elsewhere");
  await browser.press("Add");
  await browser.sees("Added “Elsewhere”. It isn’t among these.");
  await browser.fill("Search", "nowhere");
  await browser.sees("Nothing found.");
  await count("0 open");
  await browser.press("Sign out");
  assert.equal(await browser.run("return location.search"), "");
});

story("changes from elsewhere are shown, and text that is being typed stays", async (server) => {
  await signIn();
  await browser.fill("New task", "Half a tit");
  await browser.press("Edit “Learn Python”");
  await browser.fill("Title", "Learn Pyth");
  await ask(server, "PUT /tasks/1", { content: { title: "Buy bread", done: true } });
  await elsewhere(server, "POST /tasks", { content: { title: "Read a book" } });
  await browser.sees("Read a book");
  await browser.sees("Buy bread");
  assert.equal(await browser.run("return arguments[0].checked", await box("Buy bread")), true);
  assert.equal(await focus(), "title");
  await browser.keys("on");
  assert.equal(await value("Title"), "Learn Python");
  assert.equal(await value("New task"), "Half a tit");

  await ask(server, "DELETE /tasks/1");
  await elsewhere(server, "DELETE /tasks/2");
  await browser.seesNo("Buy bread");
  await count("1 task");
  await browser.fill("Title", "Learn Rust");
  await browser.press("Save");
  await browser.sees("“Learn Rust” isn’t saved. It was deleted elsewhere.");
  await browser.press("Add again");
  await browser.button("Edit “Learn Rust”");
  assert.deepEqual(await titles(server), ["Read a book", "Learn Rust"]);
  assert.deepEqual(await shown(), ["Read a book", "Learn Rust"]);
}, / 404 /);

story(
  "two windows edit one task: both versions are shown, each can stay",
  async (server) => {
    await signIn();
    await browser.click(await box("Learn Python"));
    await untilServer(async () => (await taskOf(server, 2)).done);
    const second = await another(server);
    await signIn();

    /** One window begins to edit, the other one saves, then the first one tries to save. */
    const collide = async (from: string, mine: string, theirs: string) => {
      await browser.turnTo(first);
      await browser.press(`Edit “${from}”`);
      await browser.turnTo(second);
      await browser.press(`Edit “${from}”`);
      await browser.fill("Title", theirs);
      await browser.press("Save");
      await browser.button(`Edit “${theirs}”`);
      await browser.turnTo(first);
      await browser.fill("Title", mine);
      await browser.press("Save");
      await browser.sees("This task was changed elsewhere");
      const versions = await browser.run(`return ["mine", "theirs"]
      .map((id) => document.querySelector("#" + id + " .title").textContent)`);
      assert.deepEqual(versions, [mine, theirs]);
    };
    await collide("Learn Python", "Learn Rust", "Learn Go");
    await browser.press("Go on editing");
    assert.equal(await value("Title"), "Learn Rust");
    await browser.press("Save");
    await browser.press("Save yours");
    await browser.button("Edit “Learn Rust”");
    assert.equal((await taskOf(server, 2)).title, "Learn Rust");

    await browser.turnTo(second);
    await browser.run("dispatchEvent(new Event('online'))");
    await browser.button("Edit “Learn Rust”");
    await collide("Learn Rust", "Learn C", "Learn Zig");
    await browser.keys(KEY.escape);
    await browser.seesNo("This task was changed elsewhere");
    await browser.press("Save");
    await browser.press("Keep the server’s");
    await browser.button("Edit “Learn Zig”");
    const { title, done } = await taskOf(server, 2);
    assert.deepEqual([title, done], ["Learn Zig", true]);
  },
  / 412 /,
);

story("a choice between versions ends with the account", async (server) => {
  await signIn();
  await browser.press("Edit “Learn Python”");
  await ask(server, "PUT /tasks/2", { content: { title: "Learn Go" } });
  await browser.fill("Title", "Learn Rust");
  await browser.press("Save");
  await browser.sees("This task was changed elsewhere");
  await elsewhere(server, "PUT /users/miguel", { content: { password: "close sesame" } });
  await browser.sees("You are signed out: your password was changed");
  await browser.seesNo("This task was changed elsewhere");
  assert.equal(await focus(), "username");
}, / (403|412) /);

story("a version that was not seen is neither ticked nor deleted", async (server) => {
  await signIn();
  await browser.press("Delete “Learn Python”");
  await ask(server, "PUT /tasks/2", { content: { title: "Keep Python" } });
  await choose("Open"); // which decides it
  await browser.sees("“Learn Python”: It was changed elsewhere. Now it is like this.");
  await browser.button("Edit “Keep Python”");
  assert.deepEqual(await titles(server), ["Buy groceries", "Keep Python"]);
}, / 412 /);

story("a new password, set here and set elsewhere", async (server) => {
  await signIn();
  await browser.press("Account");
  await browser.fill("New password", "short");
  await browser.keys(KEY.enter);
  assert.match(await errorAt("New password"), /8 characters/);
  await browser.fill("New password", "open sesame");
  await browser.keys(KEY.enter);
  await browser.sees("Your password is changed.");
  const open = `Basic ${btoa("miguel:open sesame")}`;
  await elsewhere(server, "POST /tasks", { authorization: open, content: { title: "Still here" } });
  await browser.sees("Still here"); // the next poll sends the new one
  assert.equal((await ask(server, "GET /tasks")).status, 401);

  await browser.fill("New task", "Half a tit");
  await browser.press("Delete “Buy groceries”");
  const content = { password: "close sesame" };
  await elsewhere(server, "PUT /users/miguel", { authorization: open, content });
  await browser.sees("You are signed out: your password was changed");
  assert.equal(await focus(), "username");
  await browser.requests();
  // Deletion of the hidden tasks is tried once with the old password; then the page is quiet.
  await said("The username or the password is wrong.");
  assert.deepEqual((await browser.requests()).filter((url) => url.includes("/tasks?")), []);
  await signIn("miguel", "close sesame");
  assert.equal(await value("New task"), "Half a tit");
}, / 403 /);

story("the server goes away, is busy, and comes back", async (server, t) => {
  await signIn();
  await browser.fill("New task", "While it is away");
  server.child.kill("SIGKILL");
  await server.ended;
  await browser.sees("The server can’t be reached. Trying again…");
  await browser.press("Add");
  await browser.sees("The server can’t be reached. Try again in a moment.");
  assert.equal(await value("New task"), "While it is away");
  await browser.click(await box("Buy groceries"));
  await said("“Buy groceries”: The server can’t be reached.");
  assert.equal(
    await browser.run("return arguments[0].checked", await box("Buy groceries")),
    false,
  );

  const busy = createServer((_, response) => response.writeHead(503, { "Retry-After": 1 }).end());
  await once(busy.listen(server.port, "127.0.0.1"), "listening");
  await browser.sees("The server is busy. Trying again…");
  await browser.press("Add");
  await browser.sees("The server is busy. Try again in 1 s.");
  busy.closeAllConnections();
  await once(busy.close(), "close");

  const again = await start(t, ["--quiet", "--port", `${server.port}`]);
  await browser.seesNo("Trying again…");
  await browser.press("Add");
  await browser.sees("Added “While it is away”.");
  assert.deepEqual((await titles(again)).at(-1), "While it is away");
  await browser.click(await box("Buy groceries"));
  await untilServer(async () => (await taskOf(again, 1)).done);
}, / 503 |ERR_CONNECTION|ERR_EMPTY/);

story(
  "a hidden page sends no requests, and sends one at once when it is seen",
  async (server) => {
    await signIn();
    const asked = () =>
      browser.run(`return performance.getEntriesByType("resource")
      .filter(({ name }) => name.includes("/tasks")).length`);
    await browser.press("Delete “Buy groceries”");
    await browser.minimize();
    await untilServer(async () => (await titles(server)).length === 1); // what looked deleted
    assert.equal(await browser.run("return document.hidden"), true);
    const before = await asked();
    // Time passes: enough for another window, which is seen, to be told of something new.
    await another(server);
    await signIn();
    await elsewhere(server, "POST /tasks", { content: { title: "From elsewhere" } });
    await browser.sees("From elsewhere");
    await browser.closeWindow();
    await browser.turnTo(first);
    assert.equal(await asked(), before);
    await browser.restore();
    await browser.sees("From elsewhere");
  },
);

story("typed tasks are added, whole and in order, however fast the typing", async (server) => {
  const words = ["Milk", "Bread", "Butter", "Eggs"];
  const before = [0, 3, 20, 45, 25]; // tasks
  const paces = [0, 50, 300].flatMap((delay) => [30, 60, 140].map((pace) => ({ delay, pace })));
  for (const [i, length] of before.entries()) {
    const user = { username: `user${i}`, password: "open sesame" };
    await ask(server, "POST /users", { authorization: undefined, content: user });
    const authorization = `Basic ${btoa(`${user.username}:${user.password}`)}`;
    for (let n = 1; n <= length; n++) {
      await ask(server, "POST /tasks", { authorization, content: { title: `Task ${n}` } });
    }
    await signIn(user.username, user.password);
    if (i === 4) await choose("Done");
    const expected = await titles(server, authorization);
    for (const { delay, pace } of paces.filter((_, n) => n % before.length === i)) {
      await browser.latency(delay);
      await browser.click(await browser.field("New task"));
      await browser.type(words.map((word) => word + KEY.enter).join(""), pace);
      expected.push(...words);
      await untilServer(async () =>
        (await titles(server, authorization)).length >= expected.length
      );
      const state = `${length} tasks, ${pace} ms a key, ${delay} ms of latency`;
      assert.deepEqual(await titles(server, authorization), expected, state);
      await browser.sees("Added “Eggs”.");
      assert.equal(await value("New task"), "");
    }
    await browser.latency(0);
    await browser.press("Sign out");
    await browser.sees("You are signed out.");
  }
});

/** A story with a proxy between the browser and the server. */
function storyThrough(
  name: string,
  tell: (proxy: Proxy, server: Server) => Promise<void>,
  provokes?: RegExp,
): void {
  story(name, async (server, t) => {
    const proxy = await startProxy(t, server);
    await browser.open(proxy.origin);
    await tell(proxy, server);
  }, provokes);
}

const isChecked = async (title: string) =>
  await browser.run("return arguments[0].checked", await box(title));
/** Whether the browser would ask before it leaves the page. */
const asksToStay = () =>
  browser.run("return !dispatchEvent(new Event('beforeunload', { cancelable: true }))");

storyThrough(
  "a task that cannot be added comes back, and the browser asks before leaving the page",
  async (proxy, server) => {
    await signIn();
    assert.equal(await asksToStay(), false);
    await browser.fill("Description", "Half a descr");
    assert.equal(await asksToStay(), true);
    await browser.fill("Description", "");
    let fail = () => {};
    proxy.answer = (line, response) => {
      if (!line.startsWith("POST")) return false;
      fail = () => response.writeHead(503).end();
      return true;
    };
    await browser.fill("New task", "  Milk ");
    await browser.keys(KEY.enter);
    await browser.until("document.activeElement.value === ''");
    await browser.keys("Bread");
    fail();
    await browser.sees("“Milk” isn’t saved. The server is busy.");
    assert.equal(await value("New task"), "Bread");
    proxy.answer = () => false;
    await browser.press("Add again");
    await browser.sees("Added “Milk”.");
    assert.equal(await value("New task"), "Bread");
    assert.deepEqual((await titles(server)).slice(2), ["Milk"]);
    proxy.answer = (line, response) =>
      line.startsWith("POST") && Boolean(response.writeHead(413).end());
    await browser.keys(KEY.enter);
    await browser.sees("The server answers 413.");
    assert.equal(await value("New task"), "Bread");
  },
  / (503|413) /,
);

storyThrough(
  "a save under way does not change text that is typed meanwhile",
  async (proxy, server) => {
    let open = () => {};
    const close = () => proxy.gate = new Promise<void>((resolve) => open = resolve);
    await signIn();
    await browser.press("Edit “Learn Python”");
    await browser.run(`document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key: "Escape", isComposing: true, bubbles: true }))`);
    assert.equal(await value("Title"), "Learn Python"); // Escape ended the composition alone
    await browser.keys(" well");
    assert.equal(await asksToStay(), true);
    const isAsked = () => untilServer(() => Promise.resolve(proxy.asked.length > 0));
    close();
    proxy.asked = [];
    await browser.keys(KEY.enter, " and soon");
    await isAsked();
    open();
    await untilServer(async () => (await taskOf(server, 2)).title === "Learn Python well");
    await browser.until("!document.querySelector('.editor[aria-busy]')");
    assert.equal(await value("Title"), "Learn Python well and soon");
    await browser.until("document.activeElement.name === 'title'");
    close();
    proxy.asked = [];
    await browser.keys(KEY.enter);
    await isAsked();
    await browser.keys(KEY.escape); // the text is sent already, so the editor opens with it again
    await browser.press("Edit “Learn Python well”");
    assert.equal(await value("Title"), "Learn Python well and soon");
    await browser.keys(KEY.end, "er");
    open();
    await browser.until("!document.querySelector('.editor[aria-busy]')");
    assert.equal(await value("Title"), "Learn Python well and sooner");
    await browser.keys(KEY.enter);
    await browser.button("Edit “Learn Python well and sooner”");
    assert.equal((await taskOf(server, 2)).title, "Learn Python well and sooner");
    assert.equal(await asksToStay(), false);

    await browser.press("Edit “Learn Python well and sooner”");
    await browser.fill("Title", "Learn");
    close();
    proxy.asked = [];
    await browser.keys(KEY.enter);
    await isAsked();
    await browser.keys(" Go", KEY.enter, KEY.enter); // the second save waits for the first one
    assert.equal(await asksToStay(), true);
    open();
    await browser.button("Edit “Learn Go”");
    assert.equal((await taskOf(server, 2)).title, "Learn Go");
    const puts = proxy.asked.filter((line) => line === "PUT /tasks/2");
    assert.equal(puts.length, 2, `${proxy.asked}`);
  },
);

storyThrough(
  "responses from other servers break nothing, and no request repeats for ever",
  async (proxy, server) => {
    await signIn();
    await browser.sees("Buy groceries");
    const all = (status: number, headers = {}, text = "") => {
      proxy.asked = [];
      proxy.answer = (_, response) => Boolean(response.writeHead(status, headers).end(text));
    };
    for (const status of [404, 431, 500]) {
      all(status);
      await browser.sees(`The server answers ${status}. Trying again…`);
      await browser.click(await box("Buy groceries"));
      await said(`The server answers ${status}.`);
      assert.equal(await isChecked("Buy groceries"), false);
    }
    all(200, { "Content-Type": "text/html" }, "<h1>Sign in to our network</h1>");
    await browser.sees("Something else answered for the server");
    await browser.click(await box("Buy groceries"));
    await said("Something else answered");
    assert.equal(await isChecked("Buy groceries"), false);
    const date = new Date(Date.now() + 60_000).toUTCString();
    all(503, { "Retry-After": date });
    await browser.sees("The server is busy. Trying again…");
    const from = Number(await browser.run("return performance.now()"));
    await browser.until("performance.now() > args[0] + 3000", from);
    assert.ok(proxy.asked.length <= 2, `${proxy.asked}`);
    proxy.answer = () => false;
    await browser.run("dispatchEvent(new Event('online'))");
    await browser.seesNo("Trying again…");
    await browser.click(await box("Buy groceries"));
    await untilServer(async () => (await taskOf(server, 1)).done);
  },
  / (404|431|500|503) /,
);

storyThrough(
  "with entity tags that a proxy changes, editing works or shows a message",
  async (proxy, server) => {
    await signIn();
    let done = false;
    for (
      const change of [(tag: string) => `W/${tag}`, (tag: string) => tag.replace(/"$/, '-gzip"')]
    ) {
      proxy.spoil = ({ etag, ...headers }) => etag ? { ...headers, etag: change(etag) } : headers;
      proxy.asked = [];
      done = !done;
      await browser.click(await box("Buy groceries"));
      await untilServer(async () => (await taskOf(server, 1)).done === done);
      await browser.until("!document.querySelector('li[aria-busy]')");
      assert.deepEqual(proxy.asked.filter((line) => line.startsWith("PUT")), ["PUT /tasks/1"]);
    }
    proxy.spoil = ({ etag: _, ...headers }) => ({ ...headers, etag: '"spoilt"' });
    proxy.asked = [];
    await browser.click(await box("Learn Python"));
    await browser.sees("It isn’t saved: something on the way spoils its entity tag.");
    assert.equal(await isChecked("Learn Python"), false);
    assert.equal(proxy.asked.filter((line) => line.startsWith("PUT")).length, 3);
  },
  / 412 /,
);

story("a name and a password in the page's address don't keep it from working", async (server) => {
  await browser.open(server.origin.replace("//", "//somebody:secret@"));
  await signIn();
  await browser.sees("Buy groceries");
  await choose("Open");
  await count("2 open");
});

story("a server that takes no users offers no registration", async (server, t) => {
  await visit(server);
  await browser.until("showRegistration.checkVisibility()");
  await visit(await start(t, ["--quiet", "--no-registration"]));
  await browser.until(`performance.getEntriesByType("resource").some(({ name, responseEnd }) =>
    name.endsWith("/users") && responseEnd > 0)`);
  await signIn();
  assert.equal(await browser.run("return showRegistration.hidden && registration.hidden"), true);
});

story("double click edits, a title's click doesn't tick, addresses are links", async (server) => {
  const description =
    "See https://example.com/a_b?c=d#e, or (http://example.org). javascript:alert(1)";
  await ask(server, "PUT /tasks/1", { content: { description } });
  await signIn();
  const link = "return [...document.querySelectorAll('#tasks a')].map((a) => [a.href, a.rel])";
  await browser.find("#tasks a");
  assert.deepEqual(await browser.run(link), [
    ["https://example.com/a_b?c=d#e", "noreferrer"],
    ["http://example.org/", "noreferrer"],
  ]);
  const title = await browser.find('//p[. = "Buy groceries"]');
  await browser.click(title);
  assert.equal(await isChecked("Buy groceries"), false);
  await browser.run("arguments[0].dispatchEvent(new Event('dblclick', { bubbles: true }))", title);
  assert.equal(await focus(), "title");
});

storyThrough("what takes longer than 300 ms is seen to be waited for", async (proxy) => {
  let open = () => {};
  const close = () => proxy.gate = new Promise<void>((resolve) => open = resolve);
  const line = "getComputedStyle(document.querySelector(args[0]), '::before')";
  const waits = async (selector: string, act: () => Promise<void>) => {
    close();
    await act();
    await browser.until(
      `document.querySelector(args[0])?.ariaBusy === "true" && ${line}.visibility === "visible"`,
      selector,
    );
    const look = `const args = arguments; return [${line}.animationDelay, ${line}.borderTopWidth]`;
    assert.deepEqual(await browser.run(look, selector), ["0.3s", "2px"], selector);
    open();
    await browser.until(`document.querySelector(args[0])?.ariaBusy !== "true"`, selector);
  };
  await browser.fill("Username", "miguel");
  await browser.fill("Password", "python");
  await waits("#signIn", () => browser.press("Sign in"));
  await browser.sees("Buy groceries");
  for (let n = 3; n <= 21; n++) {
    await browser.fill("New task", `Task ${n}`);
    if (n < 21) await browser.press("Add");
  }
  await browser.sees("Added “Task 20”.");
  await waits("#outbox", () => browser.press("Add"));
  await onPage(2, 2);
  await waits("#tasks", () => browser.press("Previous"));
  await onPage(1, 2);
  const first = await box("Buy groceries");
  await waits("li", () => browser.click(first));
  await waits("#tasks", () => choose("Open"));
  await count("20 open");
});

story("in forced colours and on paper, everything can still be told apart", async (server) => {
  const emulate = (features: object[], media = "") =>
    browser.cdp("Emulation.setEmulatedMedia", { features, media });
  await ask(server, "PUT /tasks/1", { content: { done: true } });
  await signIn();
  await emulate([{ name: "forced-colors", value: "active" }]);
  const style = async (selector: string, names: string[]) =>
    await browser.run(
      `const style = getComputedStyle(document.querySelector(arguments[0]));
      return arguments[1].map((name) => style[name])`,
      selector,
      names,
    ) as string[];
  await browser.press("Delete “Learn Python”");
  await browser.press("Undo: “Learn Python” deleted");
  await browser.fill("New task", "Read");
  await browser.press("Add");
  await said("Added “Read”.");
  for (const selector of ["#add input", "#add button", "#said", "select"]) {
    const [width, color, paper] = await style(selector, [
      "borderTopWidth",
      "borderTopColor",
      "backgroundColor",
    ]);
    assert.equal(width, "1px", selector);
    assert.notEqual(color, paper, `${selector} has no edge`);
  }
  assert.deepEqual(await style(".done .title", ["textDecorationLine"]), ["line-through"]);
  if (SHOTS) writeFileSync(`${SHOTS}/forced colours.png`, await shot());

  await browser.scheme("dark");
  await emulate([{ name: "prefers-color-scheme", value: "dark" }], "print");
  const visible = `return [...document.querySelectorAll(arguments[0])]
    .filter((at) => at.checkVisibility()).length`;
  assert.equal(await browser.run(visible, "button, form, #toast"), 0);
  assert.equal(await browser.run(visible, "#tasks .title"), 3);
  const [ink = ""] = await style("#tasks .title", ["color"]);
  const isDark = (ink.match(/\d+/g) ?? []).every((channel) => Number(channel) < 128);
  assert.ok(isDark, ink); // on whatever paper there is
  if (SHOTS) writeFileSync(`${SHOTS}/print.png`, await shot());
  await emulate([]);
});

story(
  "a form of another site changes nothing, even if the browser sends the password",
  async (server, t) => {
    const tasks = `${server.origin}${BASE}/tasks`;
    const kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"];
    const elsewhere = createServer((request, response) => {
      const kind = kinds[Number(request.url?.slice(1))] ?? "";
      response.writeHead(200, { "Content-Type": "text/html" }).end(
        `<form method="post" enctype="${kind}" action="${tasks}">
        <input name='{"title":"Evil","description":"' value='"}'><button>Win</button></form>`,
      );
    });
    await once(elsewhere.listen(0, "127.0.0.1"), "listening");
    t.after(() => {
      elsewhere.closeAllConnections();
      elsewhere.close();
    });
    const address = elsewhere.address();
    assert.ok(typeof address === "object" && address !== null);
    // From now on, the browser sends these credentials with every request to that origin.
    await browser.open(tasks.replace("//", "//miguel:python@"));
    await browser.sees("Buy groceries");
    for (const [i, kind] of kinds.entries()) {
      await browser.open(`http://127.0.0.1:${address.port}/${i}`);
      await browser.press("Win");
      await browser.sees(`Content-Type is ${kind}`);
      assert.deepEqual(await titles(server), ["Buy groceries", "Learn Python"], kind);
    }
    await visit(server);
  },
  / 40[014] /,
);

story("with the keyboard alone", async (server) => {
  /** Presses Tab until the focus is there. It must be visible all the way. */
  const tabTo = async (name: string, ...modifiers: string[]) => {
    for (let presses = 0; await focus() !== name; presses++) {
      assert.ok(presses < 40, `Tab never leads to ${name}`);
      await browser.keys(...modifiers, KEY.tab);
      const seen = `const at = document.activeElement;
        return at.computedStyleMap().get("outline-style").value !== "none"`;
      assert.ok(await browser.run(seen), `the focus is not seen after ${await focus()}`);
    }
  };
  await tabTo("username");
  await browser.keys("miguel", KEY.tab, "python", KEY.enter);
  await browser.sees("Buy groceries");
  await browser.until("document.activeElement.name === 'title'");
  await browser.keys("Read a book", KEY.enter);
  await browser.sees("Added “Read a book”.");
  await tabTo("Show");
  await browser.keys(KEY.right, KEY.right);
  await count("0 done");
  await browser.keys(KEY.left, KEY.left);
  await count("3 tasks");
  await tabTo("“Buy groceries”");
  await browser.keys(KEY.space);
  await untilServer(async () => (await taskOf(server, 1)).done);
  await tabTo("Edit “Learn Python”");
  await browser.keys(KEY.enter);
  await browser.until("document.activeElement.name === 'title'");
  await browser.keys(KEY.end, " well", KEY.enter);
  await browser.button("Edit “Learn Python well”");
  await tabTo("Delete “Learn Python well”");
  await browser.keys(KEY.enter);
  await browser.sees("“Learn Python well” deleted");
  await browser.keys(KEY.enter);
  await browser.seesNo("” deleted");
  assert.equal(await focus(), "Delete “Learn Python well”");
  await tabTo("“Learn Python well”", KEY.shift);
  await browser.keys(KEY.enter);
  await browser.until("document.activeElement.name === 'title'");
  await browser.keys(KEY.escape);
  assert.equal(await focus(), "Edit “Learn Python well”");
  await tabTo("Delete what is done", KEY.shift);
  await browser.keys(KEY.enter);
  await browser.sees("“Buy groceries” deleted");
  assert.equal(await focus(), "Undo: “Buy groceries” deleted");
  await browser.keys(KEY.enter);
  await browser.seesNo("” deleted");
  assert.equal(await focus(), "Delete what is done");
  await tabTo("Account", KEY.shift);
  await browser.keys(KEY.enter);
  await browser.until("document.activeElement.id === 'accountHeading'");
  await tabTo("password");
  await browser.keys(KEY.escape);
  await tabTo("Sign out");
  await browser.keys(KEY.enter);
  await browser.sees("You are signed out.");
  assert.equal(await focus(), "username");
});

story("a task's text is only text, however long, and needs no wider screen", async (server) => {
  const long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk".repeat(4);
  const evil = `<img src=x onerror=alert(1)><script>alert(2)</script>&amp; ${long}`;
  await ask(server, "PUT /tasks/1", { content: { title: evil, description: `\n${evil}` } });
  await browser.size(375, 700);
  await signIn();
  await browser.sees("Donaudampf");
  assert.equal((await shown() as string[])[0], evil);
  assert.equal(await browser.run("return document.querySelectorAll('#tasks img, b').length"), 0);
  const wide = "return document.documentElement.scrollWidth > innerWidth";
  assert.equal(await browser.run(wide), false);
  await browser.click(await browser.find(".edit"));
  assert.equal(await value("Title"), evil);
  await browser.keys(KEY.escape);
  await browser.click(await browser.find(".delete"));
  assert.equal(await browser.run(wide), false);
  await browser.click(await browser.find("#undo"));
  await browser.size(320, 700);
  await browser.run("arguments[0].value = 'x'.repeat(5000)", await browser.field("New task"));
  await browser.press("Add");
  await said(`Added “${"x".repeat(59)}…”.`);
  assert.equal(await browser.run(wide), false);
  const small = "return document.getElementById('said').offsetHeight < 120";
  assert.equal(await browser.run(small), true);
  assert.equal((await taskOf(server, 3)).title.length, 5000);
});

story(
  "every state has names, contrast and room, in both schemes and widths",
  async (server) => {
    const check = async (state: string) => {
      for (const scheme of ["light", "dark"] as const) {
        await browser.scheme(scheme);
        for (const width of [1280, 375, 320]) {
          await browser.size(width, 700);
          const faults = await browser.run(FAULTS);
          assert.deepEqual(faults, [], `${state}, ${scheme}, ${width}`);
          if (SHOTS) writeFileSync(`${SHOTS}/${state}-${scheme}-${width}.png`, await shot());
        }
        await browser.run("document.documentElement.style.fontSize = '200%'");
        await browser.size(375, 700);
        const wide = "return document.documentElement.scrollWidth - innerWidth";
        assert.equal(await browser.run(wide), 0, `${state}, letters of double size`);
        if (SHOTS) writeFileSync(`${SHOTS}/${state}-${scheme}-large.png`, await shot());
        await browser.run("document.documentElement.style.fontSize = ''");
        if (AXE) {
          if (!await browser.run("return 'axe' in window")) {
            await browser.run(readFileSync(AXE, "utf8"));
          }
          // The two schemes differ only in their colours.
          const options = scheme === "light" ? {} : { runOnly: ["color-contrast"] };
          axeFound[`${state}, ${scheme}`] = await browser.runAsync(AXE_RUN, options);
        }
      }
      await browser.size(1000, 800);
      const roles = ["button", "textbox", "searchbox", "checkbox", "combobox", "spinbutton"];
      for (const control of await browser.controls()) {
        const [role, label] = [await browser.role(control), await browser.label(control)];
        assert.ok(roles.includes(role), `${state}: ${role}`);
        assert.notEqual(label, "", `${state}: a ${role} without a name`);
      }
    };
    await browser.open(`${server.origin}/?per_page=3`);
    const pressByKey = async (name: string) => {
      await browser.run("arguments[0].focus()", await browser.button(name));
      await browser.keys(KEY.enter);
    };
    await check("signing in");
    await browser.press("Register");
    await check("registering");
    await browser.press("Sign in instead");
    await browser.press("Sign in");
    await check("without a name");
    await signIn();
    await ask(server, "PUT /tasks/1", { content: { done: true } });
    const long = "x".repeat(140);
    await ask(server, "PUT /tasks/2", { content: { title: long, description: long } });
    await ask(server, "POST /tasks", {
      content: { title: "שלום עולם", description: `http://${long}` },
    });
    await ask(server, "POST /tasks", { content: { title: "Task 4" } });
    await browser.fill("New task", long);
    await browser.fill("Description", long);
    await browser.fill("Search", long.replaceAll("x", "y"));
    await browser.sees("Nothing found.");
    await check("nothing found");
    await browser.fill("New task", "");
    await browser.fill("Description", "");
    await browser.run("history.back()");
    await count("4 tasks");
    await check("the list");
    await pressByKey("Delete what is done"); // so that Undo waits for as long as the check takes
    await check("undoing all that is done");
    await browser.press("Undo: “Buy groceries” deleted");
    await ask(server, "PUT /tasks/3", { content: { title: "One" } });
    assert.equal(await browser.role(await browser.find("#tasks")), "list");
    await browser.press("Edit “One”");
    await browser.fill("Title", "");
    await browser.press("Save");
    await check("editing");
    await browser.fill("Title", "Mine");
    await ask(server, "PUT /tasks/3", { content: { title: "Theirs" } });
    await browser.press("Save");
    await browser.sees("Which version should stay?");
    await check("choosing");
    assert.equal(
      await browser.label(await browser.find("#conflict")),
      "This task was changed elsewhere",
    );
    assert.equal(await browser.role(await browser.find("#conflict")), "dialog");
    await browser.press("Keep the server’s");
    await pressByKey("Delete “Theirs”");
    await check("undoing");
    await browser.press("Account");
    await check("the account");
    await browser.press("Cancel");
    await browser.press("Sign out");
    await browser.sees("You are signed out.");
    await check("signed out");
    await browser.scheme("light");
  },
  / 400 /,
);

// While one story uses the browser, the next one starts its server.
describe("stories", { concurrency: 2, skip: NO_BROWSER }, () => {
  let last: Promise<unknown> = Promise.resolve();
  for (const one of stories) {
    test(one.name, async (t) => {
      const server = await start(t, ["--quiet"]);
      const told = last.then(() => tellStory(one, server, t));
      last = told.catch(() => {}); // it is this test's failure, not the next one's
      await told;
    });
  }
});

test(
  "axe-core finds no fault in any of these states",
  { skip: AXE || process.env["CI"] === "true" ? NO_BROWSER : "AXE=path/to/axe.min.js runs it" },
  () => {
    assert.ok(Object.keys(axeFound).length > 15, "AXE is the path of axe-core's axe.min.js");
    for (const [state, violations] of Object.entries(axeFound)) {
      assert.deepEqual(violations, [], state);
    }
  },
);

test(
  "the picture in the README",
  { skip: NO_BROWSER || process.env["PAGE_PICTURE"] !== "1" && "PAGE_PICTURE=1 takes it" },
  async (t) => {
    const server = await start(t, ["--quiet"]);
    await ask(server, "POST /tasks", {
      content: { title: "Read a book", description: "Ulysses" },
    });
    await visit(server);
    await browser.size(800, 620);
    await signIn();
    await browser.click(await box("Buy groceries"));
    await untilServer(async () => (await taskOf(server, 1)).done);
    await count("3 tasks");
    const png = Buffer.from(await browser.screenshot(), "base64");
    assert.ok(png.length < 60_000);
    writeFileSync(new URL(".github/page.png", ROOT), png);
  },
);
