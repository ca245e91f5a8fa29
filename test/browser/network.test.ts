// A bad network, other servers that respond, and slow responses.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { start, startProcess } from "../tools/start.ts";
import {
  box,
  browser,
  choose,
  count,
  isChecked,
  onPage,
  said,
  signIn,
  story,
  storyThrough,
  taskOf,
  timePasses,
  titles,
  untilServer,
  value,
  visit,
} from "../tools/stories.ts";

story("the server goes away, is busy, and comes back", async (_, t) => {
  const server = await startProcess(t, ["--quiet"]);
  await visit(server);
  await signIn();
  await browser.fill("New task", "While it is away");
  server.child.kill("SIGKILL");
  await server.ended;
  await timePasses();
  await browser.sees("The server can’t be reached. Trying again…");
  await browser.press("Add");
  await browser.sees("The server can’t be reached. Perhaps it is saved: Add looks for it first.");
  assert.equal(await value("New task"), "While it is away");
  await browser.click(await box("Buy groceries"));
  await said("“Buy groceries”: The server can’t be reached.");
  assert.equal(
    await browser.run("return arguments[0].checked", await box("Buy groceries")),
    false,
  );

  const busy = createServer((_, response) => response.writeHead(503, { "Retry-After": 1 }).end());
  await once(busy.listen(server.port, "127.0.0.1"), "listening");
  await timePasses();
  await browser.sees("The server is busy. Trying again…");
  await browser.press("Add");
  await browser.sees(
    "The server is busy. Perhaps it is saved: Add looks for it first. Try again in 1 s.",
  );
  busy.closeAllConnections();
  await once(busy.close(), "close");

  const again = await start(t, ["--quiet", "--port", `${server.port}`]);
  await timePasses();
  await browser.seesNo("Trying again…");
  await browser.press("Add");
  await browser.sees("Added “While it is away”.");
  assert.deepEqual((await titles(again)).at(-1), "While it is away");
  await browser.click(await box("Buy groceries"));
  await untilServer(async () => (await taskOf(again, 1)).done);
}, / 503 |ERR_CONNECTION|ERR_EMPTY/);

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
      await timePasses();
      await browser.sees(`The server answers ${status}. Trying again…`);
      await browser.click(await box("Buy groceries"));
      await said(`The server answers ${status}.`);
      assert.equal(await isChecked("Buy groceries"), false);
    }
    all(200, { "Content-Type": "text/html" }, "<h1>Sign in to our network</h1>");
    await timePasses();
    await browser.sees("Something else answered for the server");
    await browser.click(await box("Buy groceries"));
    await said("Something else answered");
    assert.equal(await isChecked("Buy groceries"), false);
    const date = new Date(Date.now() + 60_000).toUTCString();
    all(503, { "Retry-After": date });
    await timePasses();
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
