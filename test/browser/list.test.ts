// The list: filters, pages, and changes from elsewhere.

import assert from "node:assert/strict";
import { ask } from "../tools/start.ts";
import {
  announced,
  another,
  box,
  browser,
  choose,
  count,
  elsewhere,
  first,
  focus,
  onPage,
  shown,
  signIn,
  story,
  taskOf,
  titles,
  toPage,
  untilServer,
  value,
} from "../tools/stories.ts";

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
  const done = await browser.field("Done");
  assert.deepEqual([await browser.role(done), await browser.label(done)], ["radio", "Done"]);
  assert.equal(await browser.label(await browser.find("[role=radiogroup]")), "Show");
  await choose("Done");
  await count("1 done");
  assert.deepEqual(await shown(), ["Task 40"]);
  assert.equal(await browser.run("return location.search"), "?per_page=20&done=true&q=task+4");
  await browser.run("history.back()");
  await count("11 tasks");
  assert.equal(await value("Search"), "task 4");
  assert.equal(await browser.run("return arguments[0].checked", await browser.field("All")), true);
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

story("the newest tasks come first, if one likes, and the address says so", async (server) => {
  for (let i = 3; i <= 21; i++) {
    await ask(server, "POST /tasks", { content: { title: `Task ${i}` } });
  }
  await signIn();
  await onPage(1, 2);
  await choose("Newest first");
  await browser.until("document.querySelector('#tasks .title').textContent === 'Task 21'");
  await browser.press("Next");
  await onPage(2, 2);
  assert.deepEqual(await shown(), ["Buy groceries"]);
  await browser.fill("New task", "Task 22");
  await browser.press("Add");
  await onPage(1, 2); // where the new task is
  assert.equal((await shown() as string[])[0], "Task 22");
  await browser.reload();
  await signIn();
  await browser.until("document.querySelector('#tasks .title').textContent === 'Task 22'");
  assert.equal(
    await browser.run("return arguments[0].checked", await browser.field("Newest first")),
    true,
  );
  await choose("Newest first");
  await browser.until("document.querySelector('#tasks .title').textContent === 'Buy groceries'");
  assert.equal(await browser.run("return location.search"), "?per_page=20");
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
