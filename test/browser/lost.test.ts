// Lost responses: nothing is there twice, nothing is gone, and no question needs to be asked.

import assert from "node:assert/strict";

import {
  asksToStay,
  box,
  browser,
  count,
  errorAt,
  said,
  signIn,
  storyThrough,
  taskOf,
  titles,
  untilServer,
  value,
} from "../tools/stories.ts";
import { KEY } from "../tools/webdriver.ts";

const LOST = /ERR_(EMPTY_RESPONSE|CONTENT_LENGTH_MISMATCH|INCOMPLETE_CHUNKED_ENCODING)| 412 /;

for (const lost of ["all", "rest"] as const) {
  storyThrough(
    `a task whose response is lost (${lost}) is found, and is not added twice`,
    async (proxy, server) => {
      await signIn();
      proxy.lose = (line) => line.startsWith("POST") ? lost : undefined;
      await browser.fill("New task", "Buy groceries"); // there is one like it already
      await browser.keys(KEY.enter);
      await browser.sees("Added “Buy groceries”.");
      assert.deepEqual(await titles(server), ["Buy groceries", "Learn Python", "Buy groceries"]);

      // Now the page cannot even look. It says what it does not know, and looks when it can.
      proxy.lose = (line) => /^POST|title_prefix/.test(line) ? lost : undefined;
      await browser.fill("New task", "Milk");
      await browser.fill("Description", "Two bottles");
      await browser.press("Add");
      await browser.sees(
        "The server can’t be reached. Perhaps it is saved: Add looks for it first.",
      );
      assert.equal(await value("New task"), "Milk");
      await browser.button("Edit “Milk”"); // the page goes on reading the list
      proxy.lose = () => undefined;
      await browser.press("Add");
      await browser.sees("Added “Milk”.");
      assert.equal((await titles(server)).length, 4);

      // If it was not saved, the same press adds it.
      proxy.answer = (line, response) =>
        /^POST|title_prefix/.test(line) && Boolean(response.destroy());
      await browser.fill("New task", "Milk");
      await browser.fill("Description", "Two bottles");
      await browser.press("Add");
      await browser.sees("Perhaps it is saved");
      proxy.answer = () => false;
      await browser.press("Add");
      await count("5 tasks");
      assert.deepEqual((await titles(server)).slice(2), ["Buy groceries", "Milk", "Milk"]);
    },
    LOST,
  );

  storyThrough(
    `a change whose response is lost (${lost}) is no conflict with oneself`,
    async (proxy, server) => {
      await signIn();
      proxy.lose = (line) => line.startsWith("PUT") ? lost : undefined;
      await browser.press("Edit “Learn Python”");
      await browser.fill("Title", "Learn Go");
      await browser.press("Save");
      await browser.sees("The server can’t be reached. Try again in a moment.");
      assert.equal((await taskOf(server, 2)).title, "Learn Go");
      proxy.lose = () => undefined;
      await browser.press("Save");
      await browser.button("Edit “Learn Go”");
      assert.equal(await browser.run("return conflict.open"), false);
      assert.equal(await asksToStay(), false);
    },
    LOST,
  );
}

storyThrough("a registration whose list did not come is still a registration", async (proxy) => {
  await browser.press("Register");
  await browser.fill("Username", "susan ");
  await browser.fill("New password", "open sesame");
  proxy.answer = (line, response) => line.startsWith("GET") && Boolean(response.destroy());
  await browser.press("Register");
  await browser.sees("The server can’t be reached. Try again in a moment.");
  proxy.answer = () => false;
  await browser.press("Register");
  await browser.sees("Nothing to do.");
  await browser.press("Sign out");
  // The response to a registration is lost.
  await browser.press("Register");
  await browser.fill("Username", "dave");
  await browser.fill("New password", "open sesame");
  proxy.lose = (line) => line.startsWith("POST") ? "all" : undefined;
  await browser.press("Register");
  await browser.sees("The server can’t be reached. Try again in a moment.");
  proxy.lose = () => undefined;
  await browser.press("Register");
  await browser.sees("Nothing to do.");
  await browser.press("Sign out");
  await browser.press("Register");
  await browser.fill("Username", "susan");
  await browser.fill("New password", "another one");
  await browser.press("Register");
  assert.equal(await errorAt("Username"), "There is a user susan already.");
}, / 409 |ERR_EMPTY_RESPONSE/);

storyThrough("a gateway's own JSON is no answer of the server", async (proxy, server) => {
  await signIn();
  await browser.sees("Buy groceries");
  const bodies = [
    { error: { code: 500 } },
    { error: true },
    { error: "x", fields: null },
    {
      error: "x",
      message: {},
    },
    [],
    null,
    5,
    "",
  ];
  for (const [i, body] of bodies.entries()) {
    const status = 550 + i;
    proxy.answer = (_, response) => Boolean(response.writeHead(status).end(JSON.stringify(body)));
    await browser.run("dispatchEvent(new Event('online'))");
    const words = typeof body === "object" && body !== null && "error" in body &&
        body.error === "x"
      ? ("message" in body ? "[object Object]." : "X.")
      : `The server answers ${status}.`;
    await browser.sees(`${words} Trying again…`);
    await browser.click(await box("Buy groceries"));
    await said(`“Buy groceries”: ${words}`);
    assert.equal(
      await browser.run("return arguments[0].checked", await box("Buy groceries")),
      false,
    );
  }
  proxy.answer = () => false;
  await browser.run("dispatchEvent(new Event('online'))");
  await browser.seesNo("Trying again…");
  assert.equal((await titles(server)).length, 2);
}, / 55\d /);

storyThrough("without X-Total-Count, the tasks that came are counted", async (proxy) => {
  proxy.spoil = ({ "x-total-count": _, ...headers }) => headers;
  await signIn();
  await count("2 tasks, 2 open");
});

storyThrough("a page whose script is lost asks to be loaded again", async (proxy) => {
  proxy.lose = (line) => line === "GET /page/list.js" ? "all" : undefined;
  await browser.reload();
  await browser.sees("This page is still loading. If it takes long, please reload it.");
  proxy.lose = () => undefined;
  await browser.reload();
  await browser.find("#signIn");
  await browser.seesNo("still loading");
}, /ERR_EMPTY_RESPONSE/);

storyThrough("a corrected password is sent, though the wrong one is under way", async (proxy) => {
  let open = () => {};
  await browser.fill("Username", "miguel "); // with the blank that phones add
  await browser.fill("Password", "pyton");
  proxy.asked = [];
  proxy.gate = new Promise<void>((resolve) => open = resolve);
  await browser.keys(KEY.enter);
  await untilServer(() => Promise.resolve(proxy.asked.length > 0));
  await browser.fill("Password", "python");
  await browser.keys(KEY.enter);
  open();
  await browser.sees("Buy groceries");
  await browser.sees("miguel");
}, / 403 /);
