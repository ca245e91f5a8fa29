// Stories about the page, as a person uses it in a browser. A file of stories has one browser. Each
// story has its own server, and so its own origin.

import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type Proxy, startProxy } from "./proxy.ts";
import { ask, MIGUEL, type Server, start } from "./start.ts";
import { Browser, KEY, NO_BROWSER } from "./webdriver.ts";

/** Changes something elsewhere. The page sees it at once, because "online" makes it ask again. */
export async function elsewhere(...args: Parameters<typeof ask>): Promise<void> {
  await ask(...args);
  await browser.run("dispatchEvent(new Event('online'))");
}

export interface Task {
  readonly title: string;
  readonly done: boolean;
  readonly description: string;
  readonly uri: string;
}

/** Asks the server until a condition is true. */
export async function untilServer(has: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !await has();) {
    assert.ok(Date.now() < end, `never ${has}`);
    await setTimeout(10); // the others, on the same machine, have their turn
  }
}

export async function titles(server: Server, authorization = MIGUEL): Promise<string[]> {
  const { json } = await ask(server, "GET /tasks", { authorization });
  return (json as { tasks: Task[] }).tasks.map(({ title }) => title);
}

export async function taskOf(server: Server, id: number): Promise<Task> {
  return ((await ask(server, `GET /tasks/${id}`)).json as { task: Task }).task;
}

/**
 * Runs before the page's own scripts: notes what the policy forbids, and what moves by itself, and
 * keeps the times that the page waits for.
 */
const WATCH = `{
    const { setTimeout, clearTimeout } = window;
    const waits = new Map();
    window.setTimeout = (act, ms, ...args) => {
      const id = setTimeout(() => end(), ms);
      const end = () => {
        window.clearTimeout(id);
        act(...args);
      };
      if (ms >= 1000) waits.set(id, end);
      return id;
    };
    window.clearTimeout = (id) => {
      clearTimeout(id);
      waits.delete(id);
    };
    window.endWaits = () => {
      for (const [id, end] of [...waits]) if (waits.has(id)) end();
    };
  }
  window.violations = [];
  window.shifts = 0;
  addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    violations.push(violatedDirective + " " + blockedURI));
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) shifts += value;
  }).observe({ type: "layout-shift", buffered: true });`;

export let browser: Browser;
export let first: string; // its window

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
export async function another(server: Server): Promise<string> {
  const handle = await browser.newWindow();
  await watch();
  await visit(server);
  return handle;
}

/** Opens the page of a server, at its size on a desk. */
export async function visit(server: Server): Promise<void> {
  await browser.size(1000, 800);
  await browser.open(server.origin);
}

/** Leaves the page, and its windows but one, and forgets what it did. */
export async function leave(): Promise<void> {
  for (const handle of await browser.windows()) {
    await browser.turnTo(handle);
    if (handle !== first) await browser.closeWindow();
  }
  await browser.turnTo(first);
  await browser.open("data:,");
  await browser.cdp("Emulation.setEmulatedMedia", { features: [], media: "" });
  await browser.touch(false);
  await browser.console();
  await browser.requests();
}

/** A story about the page of a server. `provokes` matches the refusals that belong to it. */
export function story(
  name: string,
  tell: (server: Server, t: TestContext) => Promise<void>,
  provokes?: RegExp,
): void {
  test(name, { skip: NO_BROWSER }, async (t) => {
    const server = await start(t, ["--quiet"]);
    try {
      await visit(server);
      await tell(server, t);
      // The browser logs every refusal, even if the page handles it. It may log nothing else.
      const told = (await browser.console()).map(({ source, message }) => `${source} ${message}`);
      const isProvoked = (line: string) =>
        line.startsWith("network ") && provokes?.test(line) === true;
      none("in the browser's console", told.filter((line) => !isProvoked(line)));
      none("forbidden by the policy", await browser.run("return window.violations") as string[]);
      // The server, a proxy, or an icon that the browser draws in its own controls.
      const isOurs = (url: string) => /^(http:\/\/(\w+:\w+@)?127\.0\.0\.1:|data:)/.test(url);
      none("requested elsewhere", (await browser.requests()).filter((url) => !isOurs(url)));
    } finally {
      await leave();
    }
  });
}

/** Fails if there is any of these. */
export const none = (what: string, found: readonly string[]) =>
  assert.equal(found.length, 0, `${what}: ${found.join("\n")}`);

/** A story with a proxy between the browser and the server. */
export function storyThrough(
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

/** As if so much time went by that all that the page waits for is over. */
export const timePasses = () => browser.run("endWaits()");

export async function signIn(username = "miguel", password = "python"): Promise<void> {
  await browser.fill("Username", username);
  await browser.fill("Password", password);
  await browser.press("Sign in");
  await browser.find("#list");
}

export async function value(label: string): Promise<string> {
  return String(await browser.run("return arguments[0].value", await browser.field(label)));
}

/** Waits until a field has an error and the focus, and returns the error. */
export async function errorAt(label: string): Promise<string> {
  const error = `args[0].ariaInvalid === "true" && document.activeElement === args[0] &&
    document.getElementById(args[0].getAttribute("aria-describedby")).textContent`;
  return String(await browser.until(error, await browser.field(label)));
}

export const box = (title: string) =>
  browser.find(`//li[.//*[@class = "title"] = ${JSON.stringify(title)}]//input`);
export const choose = async (option: string) => browser.click(await browser.field(option));
export const count = (text: string) =>
  browser.until("document.getElementById('count').textContent.startsWith(args[0])", text);
export const onPage = (number: number, last: number) =>
  browser.until(
    `document.getElementById("page").value === String(args[0]) &&
      document.getElementById("tasks").ariaLabel === "Tasks, page " + args[0] + " of " + args[1]`,
    number,
    last,
  );
export const shown = () =>
  browser.run(`return [...document.querySelectorAll("#tasks .view .title")]
    .filter((title) => title.checkVisibility()).map(({ textContent }) => textContent)`);
export const toPage = async (number: number) => {
  await browser.run("arguments[0].select()", await browser.field("Page"));
  await browser.keys(String(number), KEY.enter);
};
export const announced = () =>
  browser.run("return document.getElementById('announcement').textContent");
export const said = (text: string) =>
  browser.until("document.getElementById('said').textContent.includes(args[0])", text);
export const focus = () =>
  browser.run(`const { ariaLabel, textContent, name } = document.activeElement;
    return ariaLabel || textContent || name`);

export const isChecked = async (title: string) =>
  await browser.run("return arguments[0].checked", await box(title));
/** Whether the browser would ask before it leaves the page. */
export const asksToStay = () =>
  browser.run("return !dispatchEvent(new Event('beforeunload', { cancelable: true }))");
