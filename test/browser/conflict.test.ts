// Two people change one task.

import assert from "node:assert/strict";
import { ask } from "../tools/start.ts";
import {
  another,
  box,
  browser,
  elsewhere,
  first,
  focus,
  said,
  signIn,
  story,
  taskOf,
  timePasses,
  titles,
  untilServer,
  value,
} from "../tools/stories.ts";
import { KEY } from "../tools/webdriver.ts";

story(
  "two windows edit one task: both versions are shown, each can stay",
  async (server) => {
    await signIn();
    await browser.click(await box("Learn Python"));
    await untilServer(async () => (await taskOf(server, 2)).done);
    const second = await another(server);
    await signIn();

    /** One window begins to edit, the other one saves, then the first one tries to save. */
    const collide = async (from: string, mine: string, theirs: string) => {
      await browser.turnTo(first);
      await browser.press(`Edit “${from}”`);
      await browser.turnTo(second);
      await browser.press(`Edit “${from}”`);
      await browser.fill("Title", theirs);
      await browser.press("Save");
      await browser.button(`Edit “${theirs}”`);
      await browser.turnTo(first);
      await browser.fill("Title", mine);
      await browser.press("Save");
      await browser.sees("This task was changed elsewhere");
      const versions = await browser.run(`return ["mine", "theirs"]
      .map((id) => document.querySelector("#" + id + " .title").textContent)`);
      assert.deepEqual(versions, [mine, theirs]);
      const marks = await browser.run(`return [...document.querySelectorAll("#conflict mark")]
        .map(({ textContent }) => textContent).filter((text) => text !== "")`);
      assert.deepEqual(marks, [mine, theirs].map((title) => title.replace("Learn ", "")));
    };
    await collide("Learn Python", "Learn Rust", "Learn Go");
    await browser.press("Go on editing");
    assert.equal(await value("Title"), "Learn Rust");
    await browser.press("Save");
    await browser.press("Save yours");
    await browser.button("Edit “Learn Rust”");
    assert.equal((await taskOf(server, 2)).title, "Learn Rust");

    await browser.turnTo(second);
    await browser.run("dispatchEvent(new Event('online'))");
    await browser.button("Edit “Learn Rust”");
    await collide("Learn Rust", "Learn C", "Learn Zig");
    await browser.keys(KEY.escape);
    await browser.seesNo("This task was changed elsewhere");
    await browser.press("Save");
    await browser.press("Keep the server’s");
    await browser.button("Edit “Learn Zig”");
    const { title, done } = await taskOf(server, 2);
    assert.deepEqual([title, done], ["Learn Zig", true]);
  },
  / 412 /,
);

story("a choice between versions ends with the account", async (server) => {
  await signIn();
  await browser.press("Edit “Learn Python”");
  await ask(server, "PUT /tasks/2", { content: { title: "Learn Go" } });
  await browser.fill("Title", "Learn Rust");
  await browser.press("Save");
  await browser.sees("This task was changed elsewhere");
  await elsewhere(server, "PUT /users/miguel", { content: { password: "close sesame" } });
  await browser.sees("You are signed out: your password was changed");
  await browser.seesNo("This task was changed elsewhere");
  assert.equal(await focus(), "password");
}, / (403|412) /);

story("a version that was not seen is neither ticked nor deleted", async (server) => {
  await signIn();
  // Whatever was changed: the page compares all fields.
  for (const content of [{ description: "Not yet" }, { done: true }, { title: "Keep Python" }]) {
    await browser.press("Delete “Learn Python”");
    await ask(server, "PUT /tasks/2", { content });
    await timePasses(); // which decides it
    await said("“Learn Python” isn’t deleted. It was changed elsewhere. Now it is like this.");
  }
  await browser.button("Edit “Keep Python”");
  assert.deepEqual(await titles(server), ["Buy groceries", "Keep Python"]);
}, / 412 /);
