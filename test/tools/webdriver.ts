// Drives Debian's Chromium through ChromeDriver: the W3C WebDriver protocol is JSON over HTTP, so
// `fetch` is enough (w3.org/TR/webdriver2). Tests wait for a condition, never for a time.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Why there is no browser here; false if there is one, and in CI, where there must be one. */
export const NO_BROWSER = process.env["CI"] === "true" ||
    ["chromedriver", "chromium"].every((name) => spawnSync(name, ["--version"]).status === 0)
  ? false
  : "the page is tested with: apt-get install chromium chromium-driver";

const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-component-extensions-with-background-pages",
  "--disable-extensions",
  "--disable-breakpad",
  "--disable-sync",
  "--hide-scrollbars",
  // A mouse: without a screen, Chromium has none, and so nothing to hover with.
  "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
];
const DEADLINE = 15_000; // ms, for each condition

/** Keys that are no characters (WebDriver §17.4.2). */
export const KEY = {
  tab: "\uE004",
  enter: "\uE007",
  shift: "\uE008",
  control: "\uE009",
  escape: "\uE00C",
  space: " ",
  end: "\uE010",
  left: "\uE012",
  right: "\uE014",
};

/** Calls ChromeDriver and unwraps its answer. */
async function command(url: string, method: string, body?: unknown): Promise<unknown> {
  const response = await fetch(url, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
  const { value } = await response.json() as { value: unknown };
  assert.ok(response.ok, JSON.stringify(value));
  return value;
}

/** The address of a ChromeDriver, once it listens. */
async function listening(driver: ChildProcess): Promise<string> {
  const ended = once(driver, "close").then(() => "ended");
  let printed = "";
  driver.stdout?.setEncoding("utf8").on("data", (text: string) => printed += text);
  for (;;) {
    const [, port] = /started successfully on port (\d+)/.exec(printed) ?? [];
    if (port !== undefined) return `http://127.0.0.1:${port}`;
    assert.ok(driver.stdout, "chromedriver prints nothing");
    assert.notEqual(await Promise.race([once(driver.stdout, "data"), ended]), "ended", printed);
  }
}

/** An entry of the browser's console. */
export interface Entry {
  readonly level: string;
  readonly message: string;
  readonly source: string;
}

/** A browser with one window, or with more. A test finds in it what a person would find. */
export class Browser {
  readonly #session: string;
  readonly #end: () => Promise<void>;

  constructor(session: string, end: () => Promise<void>) {
    this.#session = session;
    this.#end = end;
  }

  /** Starts a browser that has never been used. */
  static async start(): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), "todo-page-"));
    const driver = spawn("chromedriver", ["--port=0"]);
    const ended = once(driver, "close");
    const end = async () => {
      driver.kill();
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 10 });
    };
    const alwaysMatch = {
      browserName: "chrome",
      "goog:chromeOptions": {
        binary: "/usr/bin/chromium",
        args: [...ARGUMENTS, `--user-data-dir=${profile}`],
      },
      "goog:loggingPrefs": { browser: "ALL", performance: "ALL" },
      timeouts: { script: DEADLINE, pageLoad: DEADLINE },
    };
    const capabilities = { alwaysMatch };
    try {
      const sessions = `${await listening(driver)}/session`;
      const { sessionId } = await command(sessions, "POST", { capabilities }) as {
        sessionId: string;
      };
      return new Browser(`${sessions}/${sessionId}`, end);
    } catch (error) {
      await end();
      throw error;
    }
  }

  /** Ends the browser, and removes its files. */
  async close(): Promise<void> {
    await command(this.#session, "DELETE").finally(this.#end);
  }

  #post(path: string, body: unknown = {}): Promise<unknown> {
    return command(`${this.#session}/${path}`, "POST", body);
  }

  #get(path: string): Promise<unknown> {
    return command(`${this.#session}/${path}`, "GET");
  }

  async open(url: string): Promise<void> {
    await this.#post("url", { url });
  }

  async reload(): Promise<void> {
    await this.#post("refresh");
  }

  /** Runs the body of a function in the page. */
  run(script: string, ...args: unknown[]): Promise<unknown> {
    return this.#post("execute/sync", { script, args });
  }

  /** Runs the body of a function in the page that calls its last argument with a value. */
  runAsync(script: string, ...args: unknown[]): Promise<unknown> {
    return this.#post("execute/async", { script, args });
  }

  /** Waits until an expression in the page is true, and returns its value. */
  async until(expression: string, ...args: unknown[]): Promise<unknown> {
    const script = `const args = [...arguments], done = args.pop();
      const look = () => {
        const value = ((...args) => (${expression}))(...args);
        value ? done(value) : setTimeout(look, 20);
      };
      look();`;
    try {
      return await this.#post("execute/async", { script, args });
    } catch (error) {
      // Another page has replaced the one that was asked: ask that.
      if (/unloaded|navigation/.test(`${error}`)) return await this.until(expression, ...args);
      const text = await this.run("return document.body.innerText").catch(() => "");
      throw new Error(`never: ${expression} ${JSON.stringify(args)}\n${text}`, { cause: error });
    }
  }

  /** Waits for text to be seen on the page. */
  sees(text: string): Promise<unknown> {
    return this.until("document.body.innerText.includes(args[0])", text);
  }

  /** Waits for text to be gone. */
  seesNo(text: string): Promise<unknown> {
    return this.until("!document.body.innerText.includes(args[0])", text);
  }

  /** Waits for the element that a selector chooses, or a XPath, to be visible. */
  find(selector: string): Promise<unknown> {
    return this.until(
      `(() => {
        const found = args[0].startsWith("/")
          ? document.evaluate(args[0], document, null, 7)
          : { ...[...document.querySelectorAll(args[0])], snapshotItem(i) { return this[i] } };
        for (let i = 0, at; at = found.snapshotItem(i); i++) if (at.checkVisibility()) return at;
      })()`,
      selector,
    );
  }

  /** The button with this text or name. */
  button(name: string): Promise<unknown> {
    const text = JSON.stringify(name);
    return this.find(`//button[normalize-space() = ${text} or @aria-label = ${text}]`);
  }

  /** The field with this label, whatever hint may follow it. */
  field(label: string): Promise<unknown> {
    const text = JSON.stringify(label);
    const labelled = `//label[normalize-space((.//text()[normalize-space()])[1]) = ${text}]//*`;
    return this.find(`${labelled}[@name or @type] | //*[@name and @aria-label = ${text}]`);
  }

  /** Everything that can be filled in or pressed now. */
  async controls(): Promise<unknown[]> {
    return await this.run(`const all = document.querySelectorAll("input, textarea, button");
      const open = document.querySelector("dialog[open]") ?? document;
      return [...all].filter((control) => open.contains(control) &&
        control.checkVisibility({ visibilityProperty: true }))`) as unknown[];
  }

  async click(element: unknown): Promise<void> {
    await this.#post(`element/${idOf(element)}/click`);
  }

  /** Moves the mouse to an element. */
  async point(origin: unknown): Promise<void> {
    const move = { type: "pointerMove", duration: 0, x: 0, y: 0, origin };
    await this.#post("actions", { actions: [{ type: "pointer", id: "mouse", actions: [move] }] });
  }

  async press(button: string): Promise<void> {
    await this.click(await this.button(button));
  }

  /** Replaces the text of the field with this label, by typing. */
  async fill(label: string, text: string): Promise<void> {
    const field = await this.field(label);
    await this.#post(`element/${idOf(field)}/clear`);
    await this.#post(`element/${idOf(field)}/value`, { text });
  }

  /** Presses keys on the keyboard, one after another; a modifier is held until the end. */
  async keys(...keys: string[]): Promise<void> {
    const held = keys.filter((key) => key === KEY.shift || key === KEY.control);
    const rest = keys.filter((key) => !held.includes(key)).flatMap((key) => [...key]);
    const actions = [
      ...held.map((value) => ({ type: "keyDown", value })),
      ...rest.flatMap((value) => ["keyDown", "keyUp"].map((type) => ({ type, value }))),
      ...held.map((value) => ({ type: "keyUp", value })),
    ];
    await this.#post("actions", { actions: [{ type: "key", id: "keyboard", actions }] });
  }

  /** Types as a person does, so many milliseconds a key. */
  async type(text: string, pace: number): Promise<void> {
    const actions = [...text].flatMap((value) => [
      { type: "keyDown", value },
      { type: "keyUp", value },
      { type: "pause", duration: pace },
    ]);
    await this.#post("actions", { actions: [{ type: "key", id: "keyboard", actions }] });
  }

  /** Makes each request take so many milliseconds longer. */
  async latency(latency: number): Promise<void> {
    const speed = { downloadThroughput: -1, uploadThroughput: -1 };
    await this.cdp("Network.emulateNetworkConditions", { offline: false, latency, ...speed });
  }

  /** What a screen reader says of an element. */
  async label(element: unknown): Promise<string> {
    return String(await this.#get(`element/${idOf(element)}/computedlabel`));
  }

  async role(element: unknown): Promise<string> {
    return String(await this.#get(`element/${idOf(element)}/computedrole`));
  }

  /** Opens another window and switches to it. */
  async newWindow(): Promise<string> {
    const { handle } = await this.#post("window/new", { type: "window" }) as { handle: string };
    await this.turnTo(handle);
    return handle;
  }

  async window(): Promise<string> {
    return String(await this.#get("window"));
  }

  async windows(): Promise<string[]> {
    return await this.#get("window/handles") as string[];
  }

  async turnTo(handle: string): Promise<void> {
    await this.#post("window", { handle });
  }

  /** Hides the page, as another window in front of it or a phone's lock does; and shows it again. */
  async minimize(): Promise<void> {
    await this.#post("window/minimize");
  }

  async restore(): Promise<void> {
    await this.#post("window/rect", { width: 1000, height: 800 });
  }

  async closeWindow(): Promise<void> {
    await command(`${this.#session}/window`, "DELETE");
  }

  /** A command of the Chrome DevTools Protocol. */
  async cdp(cmd: string, params: object = {}): Promise<void> {
    await this.#post("goog/cdp/execute", { cmd, params });
  }

  /** Runs a script before those of the pages that are opened meanwhile. */
  async prepared(source: string, open: () => Promise<void>): Promise<void> {
    const cmd = "Page.addScriptToEvaluateOnNewDocument";
    const { identifier } = await this.#post("goog/cdp/execute", { cmd, params: { source } }) as {
      identifier: string;
    };
    await open();
    await this.cdp("Page.removeScriptToEvaluateOnNewDocument", { identifier });
  }

  /** Makes the page as large as on a screen of this size. */
  async size(width: number, height: number): Promise<void> {
    const mobile = width < 600;
    const metrics = { width, height, deviceScaleFactor: 1, mobile };
    await this.cdp("Emulation.setDeviceMetricsOverride", metrics);
  }

  /** Prefers light or dark. */
  async scheme(value: "light" | "dark"): Promise<void> {
    const features = [{ name: "prefers-color-scheme", value }];
    await this.cdp("Emulation.setEmulatedMedia", { features });
  }

  /** Has a finger in place of a mouse, or no more. */
  async touch(enabled: boolean): Promise<void> {
    await this.cdp("Emulation.setTouchEmulationEnabled", { enabled });
  }

  /** A PNG of what is seen. */
  async screenshot(): Promise<string> {
    return String(await this.#get("screenshot"));
  }

  /** The entries of the console since the last call. */
  async console(): Promise<Entry[]> {
    return await this.#post("se/log", { type: "browser" }) as Entry[];
  }

  /** The addresses of all requests since the last call. */
  async requests(): Promise<string[]> {
    const entries = await this.#post("se/log", { type: "performance" }) as Entry[];
    return entries.flatMap(({ message }) => {
      const { method, params } = JSON.parse(message).message;
      return method === "Network.requestWillBeSent" ? [String(params.request.url)] : [];
    });
  }
}

function idOf(element: unknown): string {
  assert.ok(typeof element === "object" && element !== null);
  const [id] = Object.values(element);
  return String(id);
}
