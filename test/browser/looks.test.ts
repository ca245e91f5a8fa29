// How the page looks, with the keyboard alone, and for people who see little or nothing.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { ask, start } from "../tools/start.ts";
import {
  box,
  browser,
  count,
  errorAt,
  focus,
  none,
  said,
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
import { KEY, NO_BROWSER } from "../tools/webdriver.ts";

/** A folder for a picture of each state, for people to look at. */
const SHOTS = process.env["PAGE_SHOTS"];
const shot = async () => Buffer.from(await browser.screenshot(), "base64");

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
const axeFound: Record<string, string[]> = {};

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
  for (const selector of ["#add input", "#add button", "#said", "#filter :checked"]) {
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
  assert.equal(await browser.run(visible, "button, form, #toast"), 0, "printed");
  assert.equal(await browser.run(visible, "#tasks .title"), 3);
  const [ink = ""] = await style("#tasks .title", ["color"]);
  const isDark = (ink.match(/\d+/g) ?? []).every((channel) => Number(channel) < 128);
  assert.ok(isDark, ink); // on whatever paper there is
  if (SHOTS) writeFileSync(`${SHOTS}/print.png`, await shot());
  await emulate([]);
});

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
  await tabTo("done");
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

story("the words of a row are seen where the mouse or the keyboard's focus is", async () => {
  await signIn();
  const [first, second] = await browser.run("return document.querySelectorAll('li')") as unknown[];
  /** How much of the words of each row is seen, from 0 to 1. */
  const seen = () =>
    browser.run(`return [...document.querySelectorAll(".actions")]
      .map((actions) => Number(getComputedStyle(actions).opacity))`);
  await browser.point(await browser.find("header h1"));
  assert.deepEqual(await seen(), [0, 0], "at rest");
  await browser.point(second);
  assert.deepEqual(await seen(), [0, 1], "with the mouse at the second row");
  await browser.point(await browser.find("header h1"));
  await browser.run("arguments[0].querySelector('.box').focus()", first);
  await browser.keys(KEY.tab);
  assert.deepEqual(await seen(), [1, 0], "with the focus in the first row");
  assert.equal(await focus(), "Edit “Buy groceries”");
  await browser.keys(KEY.tab);
  assert.equal(await focus(), "Delete “Buy groceries”");
});

story(
  "on a phone, a row is all text, and opens at a tap with what there is to do",
  async (server) => {
    await browser.size(375, 667);
    await signIn();
    const ends = await browser.run(`return ["#tasks", "li .text", "#add button"].map((selector) =>
    document.querySelector(selector).getBoundingClientRect().right)`) as number[];
    assert.deepEqual(new Set(ends).size, 1, `the right edges are ${ends}`);
    assert.equal(await browser.run("return document.querySelectorAll('.actions').length"), 2);
    await browser.click(await browser.find('//p[. = "Learn Python"]'));
    assert.equal(await value("Title"), "Learn Python");
    await browser.click(await browser.find(".editor .delete"));
    await browser.sees("“Learn Python” deleted");
    assert.deepEqual(await shown(), ["Buy groceries"]);
    await browser.press("Undo: “Learn Python” deleted");
    assert.deepEqual(await shown(), ["Buy groceries", "Learn Python"]);
    await browser.click(await browser.find('//p[. = "Learn Python"]'));
    await browser.click(await browser.find(".editor .delete"));
    await timePasses();
    await untilServer(async () => (await titles(server)).length === 1);
  },
);

story("where nothing hovers, a row has no words until a tap opens it", async (server) => {
  await browser.touch(true);
  await signIn();
  assert.equal(await browser.run("return matchMedia('(hover: none)').matches"), true);
  const right = (selector: string) =>
    browser.run(
      "return document.querySelector(arguments[0]).getBoundingClientRect().right",
      selector,
    );
  assert.equal(await right("li .text"), await right("#tasks"), "words take room");
  const words = "return getComputedStyle(document.querySelector('li .actions')).opacity";
  assert.equal(await browser.run(words), "0");
  await browser.click(await browser.find('//p[. = "Learn Python"]'));
  assert.equal(await value("Title"), "Learn Python");
  const isSeen = `return arguments[0].checkVisibility({ opacityProperty: true })`;
  for (const name of ["button", "button.cancel", "button.delete"]) {
    assert.equal(await browser.run(isSeen, await browser.find(`.editor ${name}`)), true, name);
  }
  await browser.click(await browser.find(".editor .delete"));
  await timePasses();
  await untilServer(async () => (await titles(server)).length === 1);
});

story("the description is asked for when a task is typed, and nothing moves", async () => {
  await browser.size(1000, 800);
  await signIn();
  const look = async () =>
    await browser.run(
      `const { opacity } = getComputedStyle(document.querySelector("#add textarea"));
      return [opacity, document.querySelector("#tasks").getBoundingClientRect().top]`,
    ) as number[];
  const [typing, top] = await look();
  assert.equal(typing, "1", "with the focus in the form");
  const search = await browser.field("Search");
  await browser.click(search);
  assert.deepEqual(await look(), ["0", top], "with the focus elsewhere");
  await browser.click(await browser.field("Description"));
  await browser.keys("Ulysses");
  await browser.click(search);
  assert.deepEqual(await look(), ["1", top], "with text in it");
});

story(
  "one right edge, boxes without a filling, no line below a word that does nothing",
  async (server) => {
    for (let n = 3; n <= 21; n++) {
      await ask(server, "POST /tasks", { content: { title: `Task ${n}` } });
    }
    await ask(server, "PUT /tasks/2", { content: { done: true } });
    await browser.scheme("dark");
    await signIn();
    await browser.find("#deleteDone");
    const ends = await browser.run(
      `const right = (range) => Math.round(range.getBoundingClientRect().right);
    return ["#signOut", "#deleteDone", "li .delete", "#add button", "#tasks"].map((selector) => {
      const range = document.createRange();
      const element = document.querySelector(selector);
      range.selectNodeContents(element);
      return right(element.matches(".quiet") ? range : element);
    })`,
    ) as number[];
    assert.ok(Math.max(...ends) - Math.min(...ends) <= 1, `the right edges are ${ends}`);
    const style = (selector: string, name: string) =>
      browser.run(
        "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]",
        selector,
        name,
      );
    assert.equal(await style(".box", "appearance"), "none");
    assert.equal(await style(".box", "backgroundColor"), await style("html", "backgroundColor"));
    assert.equal(await style("li .description", "fontSize"), "14px");
    await browser.point(await browser.button("Next"));
    assert.equal(await style("[value=next]", "textDecorationLine"), "underline");
    await browser.point(await browser.button("Previous"));
    assert.equal(await style("[value=prev]", "textDecorationLine"), "none");
  },
);

story("the form to sign in says what this is, and stays where it is", async () => {
  await browser.sees("Keep a list of what you have to do");
  const card = async () =>
    await browser.run(`const { left, right, top } = welcome.getBoundingClientRect();
      const main = welcome.parentElement.getBoundingClientRect();
      return [left - main.left, main.right - right, top]`) as number[];
  const before = await card();
  assert.equal(before[0], before[1], "not in the middle");
  await browser.press("Sign in");
  await errorAt("Username");
  assert.deepEqual(await card(), before);
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
  const fits = async (what: string) =>
    assert.equal(await browser.run(wide), false, `${what} scrolls sideways`);
  await fits("the list");
  await browser.click(await browser.find("#tasks .title"));
  assert.equal(await value("Title"), evil);
  await browser.press("Delete");
  await fits("Undo");
  await browser.click(await browser.find("#undo"));
  await browser.size(320, 700);
  await browser.run("arguments[0].value = 'x'.repeat(5000)", await browser.field("New task"));
  await browser.press("Add");
  await said(`Added “${"x".repeat(59)}…”.`);
  await fits("the message");
  const small = "return document.getElementById('said').offsetHeight < 120";
  assert.equal(await browser.run(small), true, "the message takes the screen");
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
          none(`${state}, ${scheme}, ${width}`, await browser.run(FAULTS) as string[]);
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
          axeFound[`${state}, ${scheme}`] = await browser.runAsync(AXE_RUN, options) as string[];
        }
      }
      await browser.size(1000, 800);
      const roles = ["button", "textbox", "searchbox", "checkbox", "radio", "spinbutton"];
      for (const control of await browser.controls()) {
        const [role, label] = [await browser.role(control), await browser.label(control)];
        assert.ok(roles.includes(role), `${state}: role ${role} is not among ${roles.join(", ")}`);
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

test(
  "axe-core finds no fault in any of these states",
  { skip: AXE || process.env["CI"] === "true" ? NO_BROWSER : "AXE=path/to/axe.min.js runs it" },
  () => {
    assert.ok(Object.keys(axeFound).length > 15, "AXE is the path of axe-core's axe.min.js");
    for (const [state, violations] of Object.entries(axeFound)) {
      none(state, violations);
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
    writeFileSync(new URL("../../.github/page.png", import.meta.url), png);
  },
);
