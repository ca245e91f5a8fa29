// Nothing that is typed is lost.

import assert from "node:assert/strict";
import { ask } from "../tools/start.ts";
import {
  asksToStay,
  browser,
  choose,
  signIn,
  story,
  storyThrough,
  taskOf,
  titles,
  untilServer,
  value,
} from "../tools/stories.ts";
import { KEY } from "../tools/webdriver.ts";

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
