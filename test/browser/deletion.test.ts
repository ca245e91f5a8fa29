// Deletions: on top of one's own changes, where one reads, of many, and those that fail.

import assert from "node:assert/strict";
import { ask, type Server } from "../tools/start.ts";
import {
  box,
  browser,
  count,
  focus,
  said,
  shown,
  signIn,
  story,
  storyThrough,
  timePasses,
  titles,
  untilServer,
} from "../tools/stories.ts";
import { KEY } from "../tools/webdriver.ts";

async function addTasks(server: Server, last: number, isDone: (id: number) => boolean) {
  for (let id = 3; id <= last; id++) {
    await ask(server, "POST /tasks", { content: { title: `Task ${id}` } });
    if (isDone(id)) await ask(server, `PUT /tasks/${id}`, { content: { done: true } });
  }
}

story("a task is deleted with one's own changes, even those under way", async (server) => {
  await signIn();
  await browser.click(await box("Learn Python"));
  await browser.press("Delete “Learn Python”");
  assert.deepEqual(await shown(), ["Buy groceries"]);
  await count("1 task");
  await timePasses();
  await untilServer(async () => (await titles(server)).length === 1);
  await browser.latency(500);
  await browser.click(await box("Buy groceries"));
  await browser.press("Delete “Buy groceries”");
  assert.deepEqual(await shown(), []);
  await browser.sees("Nothing to do.");
  await timePasses();
  await untilServer(async () => (await titles(server)).length === 0);

  await ask(server, "POST /tasks", { content: { title: "Milk" } });
  await browser.press("Edit “Milk”");
  await browser.fill("Title", "Bread");
  await browser.keys(KEY.enter, KEY.escape); // while it is saved
  await browser.press("Delete “Milk”");
  assert.deepEqual(await shown(), []);
  await timePasses();
  await untilServer(async () => (await titles(server)).length === 0);
  await browser.latency(0);
  await count("0 tasks");
  assert.equal(await browser.run("return said.textContent"), "");
});

story("nothing moves when a task is deleted, but the rows below it", async (server) => {
  await addTasks(server, 40, () => false);
  await signIn();
  await browser.open(`${server.origin}/?per_page=40`);
  await signIn();
  const place = async (title: string) =>
    await browser.run("return arguments[0].getBoundingClientRect().top", await box(title));
  await box("Task 20");
  for (const width of [1000, 375]) {
    await browser.size(width, 700);
    await browser.run("arguments[0].scrollIntoView({ block: 'center' })", await box("Task 20"));
    const before = await place("Task 19");
    const click = `document.querySelector("[aria-label='Delete “Task 20”']").click()`;
    await browser.run(click);
    await browser.seesNo("Task 20\n");
    assert.equal(await place("Task 19"), before);
    await browser.press("Undo: “Task 20” deleted");
    await box("Task 20");
    assert.equal(await place("Task 19"), before);
  }
  await browser.size(1000, 700);
  await browser.run("scrollTo(0, 0)");
  const before = await place("Task 3");
  await browser.press("Delete “Task 4”");
  await browser.sees("“Task 4” deleted");
  assert.equal(await place("Task 3"), before);
  await timePasses();
  await browser.seesNo("“Task 4” deleted");
  assert.equal(await place("Task 3"), before);
});

story("from Undo, Tab and Escape lead back to where the task was", async (server) => {
  await addTasks(server, 6, () => false);
  await signIn();
  for (const [key, title, next] of [[KEY.tab, 3, 4], [KEY.escape, 6, 5]] as const) {
    await browser.run("arguments[0].focus()", await browser.button(`Delete “Task ${title}”`));
    await browser.keys(KEY.enter);
    await browser.sees(`“Task ${title}” deleted`);
    await browser.keys(key);
    assert.equal(await focus(), `Delete “Task ${next}”`);
    await browser.press(`Undo: “Task ${title}” deleted`);
    assert.equal(await focus(), `Delete “Task ${title}”`);
  }
  // A browser that does not focus a button that is clicked.
  await browser.run("document.activeElement.blur()");
  await browser.run(`document.querySelector("[aria-label='Delete “Task 3”']").click()`);
  await browser.run("document.activeElement.blur(); undo.click()");
  assert.equal(await focus(), "Delete “Task 3”");
});

storyThrough(
  "many tasks are deleted several at a time, and a failure says what it left",
  async (proxy, server) => {
    await addTasks(server, 62, (id) => id > 22);
    for (const id of [1, 2]) await ask(server, `PUT /tasks/${id}`, { content: { done: true } });
    let [now, most] = [0, 0];
    const tried = new Set<string>();
    await signIn();
    await count("62 tasks, 20 open");
    await browser.press("Delete what is done");
    await browser.sees("42 tasks deleted");
    await count("20 tasks, 20 open");
    proxy.answer = (line, response) => {
      if (!line.startsWith("DELETE")) return false;
      most = Math.max(most, ++now);
      response.on("close", () => now--);
      const isLost = line.endsWith("/30") || (/[05]$/.test(line) && !tried.has(line));
      tried.add(line);
      return isLost && Boolean(response.destroy());
    };
    await timePasses();
    await said("“Task 30” isn’t deleted. The server can’t be reached.");
    await count("21 tasks, 20 open");
    assert.equal((await titles(server)).length, 21);
    assert.ok(most > 1 && most <= 6, `${most} at a time`);
    proxy.answer = () => false;

    proxy.answer = (line, response) => line.startsWith("DELETE") && Boolean(response.destroy());
    await browser.press("Delete “Task 3”");
    await timePasses();
    await said("“Task 3” isn’t deleted. The server can’t be reached.");
    await box("Task 3");
  },
  /ERR_EMPTY_RESPONSE/,
);

storyThrough("a deletion whose response is lost is a deletion", async (proxy, server) => {
  await signIn();
  let lost = 0;
  proxy.lose = (line) => line.startsWith("DELETE") && lost++ === 0 ? "all" : undefined;
  await browser.press("Delete “Buy groceries”");
  await timePasses();
  await untilServer(async () => (await titles(server)).length === 1);
  await untilServer(() => Promise.resolve(proxy.asked.includes("GET /tasks/1")));
  await browser.until("!summary.ariaBusy");
  await count("1 task");
  assert.equal(await browser.run("return said.textContent"), "");
}, / 404 |ERR_EMPTY_RESPONSE/);

story("where no row is left on the page, words say so", async (server) => {
  await addTasks(server, 30, (id) => id <= 18);
  for (const id of [1, 2]) await ask(server, `PUT /tasks/${id}`, { content: { done: true } });
  await signIn();
  await browser.press("Delete what is done");
  await browser.run("arguments[0].focus()", await browser.find("#undo"));
  await browser.keys(KEY.shift); // by the keyboard, so that Undo waits
  const rest = await shown() as string[];
  assert.deepEqual(rest, ["Task 19", "Task 20"]);
  for (const title of rest) await browser.press(`Delete “${title}”`);
  await browser.sees("No more on this page.");
  await count("10 tasks, 10 open");
});
