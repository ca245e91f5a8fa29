// Adding, editing, ticking and deleting tasks.

import assert from "node:assert/strict";
import { ask } from "../tools/start.ts";
import {
  announced,
  another,
  box,
  browser,
  choose,
  count,
  errorAt,
  first,
  focus,
  isChecked,
  shown,
  signIn,
  story,
  taskOf,
  timePasses,
  titles,
  untilServer,
  value,
} from "../tools/stories.ts";
import { KEY } from "../tools/webdriver.ts";

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
  await browser.run("window.confirm = () => true");
  await browser.keys(KEY.escape);
  await browser.button("Edit “Buy groceries”");
  assert.deepEqual(await shown(), ["Buy groceries", "Learn Python", "Read two books"]);

  await browser.press("Delete “Buy groceries”");
  await browser.sees("“Buy groceries” deleted");
  assert.equal(await focus(), "Undo: “Buy groceries” deleted");
  await browser.press("Undo: “Buy groceries” deleted");
  await browser.seesNo("” deleted");
  assert.equal(await focus(), "Delete “Buy groceries”");
  assert.equal(await announced(), "Undone: “Buy groceries”.");
  await browser.press("Delete “Learn Python”");
  assert.equal((await titles(server)).length, 3); // for nobody knows yet
  await timePasses();
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
  await browser.until(`performance.getEntriesByType("resource").some(({ name, responseEnd }) =>
    name.endsWith("/tasks/2") && responseEnd > 0)`); // its entity tag, which DELETE needs
  await browser.closeWindow();
  await browser.turnTo(first);
  await untilServer(async () => (await titles(server)).length === 0);
});

story("a click on a text edits it, and ticks nothing; addresses are links", async (server) => {
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
  // Who selects words, or follows a link, doesn't edit.
  await browser.run("getSelection().selectAllChildren(arguments[0])", title);
  await browser.run("arguments[0].click()", title);
  await browser.run("getSelection().removeAllRanges()");
  await browser.run(`const link = document.querySelector("#tasks a");
    link.addEventListener("click", (event) => event.preventDefault());
    link.click()`);
  assert.equal(await browser.run("return document.activeElement.name"), "title");
  assert.equal(await browser.run("return document.activeElement.form.id"), "add");
  await browser.click(title);
  assert.equal(await value("Title"), "Buy groceries");
  await browser.keys(KEY.escape);
  assert.equal(await isChecked("Buy groceries"), false);
  assert.equal(await focus(), "Edit “Buy groceries”");
});
