// What other browsers, other clocks and people's habits do to the page.

import assert from "node:assert/strict";
import { ask } from "../tools/start.ts";
import {
  announced,
  box,
  browser,
  choose,
  count,
  elsewhere,
  errorAt,
  focus,
  onPage,
  shown,
  signIn,
  story,
  taskOf,
  timePasses,
  titles,
  untilServer,
  value,
  visit,
} from "../tools/stories.ts";
import { KEY } from "../tools/webdriver.ts";

const confirmWith = (choice: boolean) =>
  browser.run("window.asked = 0; window.confirm = () => (asked++, arguments[0])", choice);

story("Escape asks before it throws away what was typed", async (server) => {
  await signIn();
  await browser.press("Edit “Learn Python”");
  await confirmWith(false);
  await browser.keys(" well", KEY.escape);
  assert.equal(await value("Title"), "Learn Python well");
  await browser.press("Cancel");
  assert.equal(await value("Title"), "Learn Python well");
  assert.equal(await browser.run("return asked"), 2);
  await confirmWith(true);
  await browser.keys(KEY.escape);
  await browser.button("Edit “Learn Python”");
  await browser.press("Edit “Learn Python”");
  assert.equal(await value("Title"), "Learn Python");
  await browser.keys(KEY.escape); // nothing was typed, so nothing is asked
  assert.equal(await browser.run("return asked"), 1);

  await browser.latency(1000);
  await browser.press("Edit “Learn Python”");
  await confirmWith(false);
  await browser.keys(KEY.end, " well", KEY.enter, " and soon", KEY.escape); // it is being saved
  assert.equal(await browser.run("return asked"), 1);
  assert.equal(await value("Title"), "Learn Python well and soon");
  await untilServer(async () => (await taskOf(server, 2)).title === "Learn Python well");
  await browser.latency(0);
  await browser.keys(KEY.enter);
  await browser.button("Edit “Learn Python well and soon”");
  assert.equal(await announced(), "Saved.");
});

story("in Safari, the Escape that ends a composition leaves the editor open", async () => {
  await signIn();
  await browser.press("Edit “Learn Python”");
  await browser.run(`document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key: "Escape", keyCode: 229, bubbles: true }))`);
  assert.equal(await value("Title"), "Learn Python");
});

story(
  "in Safari, where a click gives a button no focus, another page begins at its top",
  async (server) => {
    for (let id = 3; id <= 41; id++) {
      await ask(server, "POST /tasks", { content: { title: `Task ${id}` } });
    }
    await signIn();
    await onPage(1, 3);
    await browser.run("document.activeElement.blur(); scrollTo(0, 1e6)");
    await browser.run("pages.requestSubmit(pages.querySelector('[value=next]'))");
    await browser.until("document.activeElement.ariaLabel === 'Tasks, page 2 of 3'");
    assert.equal(await announced(), "Tasks, page 2 of 3");
    // A number may be written in other ways.
    for (const text of ["01", "3.0", "1e0"]) {
      await browser.run("arguments[0].select()", await browser.field("Page"));
      await browser.keys(text, KEY.enter);
      await onPage(Number(text), 3);
    }
  },
);

story("an address with a wrong query shows all tasks", async (server) => {
  for (const query of ["?page=01", "?done=maybe", "?nothing=1"]) {
    await browser.open(`${server.origin}/${query}`);
    await signIn();
    await count("2 tasks, 2 open");
    assert.equal(await browser.run("return location.search"), "?per_page=20");
  }
  await browser.run(
    "history.pushState(null, '', '?page=0'); history.pushState(null, '', '?'); history.back()",
  );
  await browser.until("location.search === '?per_page=20'");
  await browser.seesNo("Trying again…");
}, / 400 /);

story("a list without per_page comes in pages", async (server) => {
  for (let id = 3; id <= 25; id++) {
    await ask(server, "POST /tasks", { content: { title: `Task ${id}` } });
  }
  await browser.open(`${server.origin}/?done=false`);
  await signIn();
  await onPage(1, 2);
  assert.equal((await shown() as string[]).length, 20);
});

for (
  const [object, name] of [
    ["AbortSignal", "any"],
    ["AbortSignal", "timeout"],
    ["HTMLElement.prototype", "showPopover"],
    ["Element.prototype", "ariaBusy"],
  ] as const
) {
  story(`a browser without ${object}.${name} shows a sentence, and no form`, async (server) => {
    const source = `delete ${object}.${name}`;
    await browser.prepared(source, () => visit(server));
    await browser.sees("It needs JavaScript, and a browser of the last two years.");
    assert.equal(await browser.run("return document.readyState"), "complete");
    assert.equal(await browser.run("return welcome.hidden"), true);
  });
}

story("where fields don't grow with their text, a description still has some lines", async () => {
  await signIn();
  await browser.press("Edit “Learn Python”");
  for (const [selector, lines] of [["#add textarea", 2], [".editor textarea", 3]] as const) {
    const field = await browser.find(selector);
    await browser.run("arguments[0].style.fieldSizing = 'fixed'", field); // as in older browsers
    const seen = await browser.run(
      `const { paddingBlock, lineHeight } = getComputedStyle(arguments[0]);
      return (arguments[0].clientHeight - 2 * parseFloat(paddingBlock)) / parseFloat(lineHeight)`,
      field,
    );
    assert.ok(Number(seen) >= lines, `${selector}: ${seen} lines`);
  }
});

story("a clock that is set back keeps no row", async (server) => {
  await signIn();
  await choose("Open");
  await browser.click(await box("Learn Python"));
  await browser.run("const now = Date.now; Date.now = () => now() - 3_600_000");
  await untilServer(async () => (await taskOf(server, 2)).done);
  await timePasses();
  await browser.seesNo("Learn Python");
  await count("1 open");
});

story("the count is not read out again if it is the same", async (server) => {
  await signIn();
  await count("2 tasks, 2 open");
  await browser.run(`window.changes = 0;
    new MutationObserver(() => changes++).observe(count, { childList: true, characterData: true })`);
  await elsewhere(server, "PUT /tasks/2", { content: { title: "Learn Go" } });
  await browser.sees("Learn Go");
  assert.equal(await browser.run("return changes"), 0);
  await elsewhere(server, "PUT /tasks/2", { content: { done: true } });
  await count("2 tasks, 1 open");
  assert.equal(await browser.run("return changes > 0"), true);
});

story("no field is wrong before a form is sent", async () => {
  const invalid = () =>
    browser.run("return document.querySelectorAll(':invalid, [aria-invalid]').length");
  await signIn();
  await browser.press("Account");
  assert.equal(await invalid(), 0);
  await browser.press("Delete account");
  await errorAt("Delete my account and all my tasks. Nobody can bring them back.");
});

story("addresses keep their brackets, and end where the sentence does", async (server) => {
  const description =
    "https://en.wikipedia.org/wiki/Mercury_(planet) (see https://a.example/b_(c)). " +
    "見てhttps://例え.example/道。次 http://(";
  await ask(server, "PUT /tasks/1", { content: { description } });
  await signIn();
  await browser.find("#tasks a");
  const links = "return [...document.querySelectorAll('#tasks a')].map((a) => a.textContent)";
  assert.deepEqual(await browser.run(links), [
    "https://en.wikipedia.org/wiki/Mercury_(planet)",
    "https://a.example/b_(c)",
    "https://例え.example/道",
  ]);
  const text = "return document.querySelector('#tasks .description').textContent";
  assert.equal(await browser.run(text), description);
});

story("pasted lines are offered as tasks", async (server) => {
  await signIn();
  const paste = (text: string) =>
    browser.run(
      `const data = new DataTransfer(); data.setData("text", arguments[0]);
      const field = document.querySelector("#add [name=title]");
      field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
      field.value += arguments[0].replaceAll("\\n", " ");`,
      text,
    );
  await paste("Milk\n- Bread\n\n  * Eggs\n");
  await browser.sees("3 lines are pasted.");
  assert.equal((await titles(server)).length, 2); // offered, not forced
  await browser.press("Add 3 tasks");
  await browser.sees("Added “Eggs”.");
  assert.deepEqual((await titles(server)).slice(2), ["Milk", "Bread", "Eggs"]);
  assert.equal(await value("New task"), "");
  await paste("Tea\nCoffee");
  await browser.sees("2 lines are pasted.");
  await browser.press("Add");
  await browser.sees("Added “Tea Coffee”.");
  await browser.seesNo("lines are pasted");
  await paste("One line\n");
  await browser.seesNo("lines are pasted");
});

story("Ctrl+Enter in a description sends the form", async (server) => {
  await signIn();
  await browser.fill("New task", "Milk");
  await browser.fill("Description", "Two bottles");
  await browser.keys(KEY.control, KEY.enter);
  await browser.sees("Added “Milk”.");
  await browser.press("Edit “Milk”");
  await browser.keys(KEY.tab, "!");
  await browser.keys(KEY.control, KEY.enter);
  await untilServer(async () => (await taskOf(server, 3)).description.includes("!"));
});

story("after signing out, Back shows no query; the name stays if one had to", async (server) => {
  await signIn();
  await browser.fill("Search", "python");
  await count("1 task");
  await choose("Open");
  await count("1 open");
  await browser.press("Sign out");
  await browser.sees("You are signed out.");
  const back = `const [done] = arguments;
    addEventListener("popstate", () => done(location.search), { once: true });
    history.back()`;
  assert.equal(await browser.runAsync(back), "");
  assert.equal(await value("Username"), "");
  await signIn();
  await elsewhere(server, "PUT /users/miguel", { content: { password: "close sesame" } });
  await browser.sees("You are signed out: your password was changed");
  assert.equal(await value("Username"), "miguel");
  assert.equal(await focus(), "password");
}, / 403 /);
