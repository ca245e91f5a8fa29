// Signing in and out, registering, and the account.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer } from "node:http";
import { ask, BASE, start } from "../tools/start.ts";
import {
  browser,
  choose,
  count,
  elsewhere,
  errorAt,
  focus,
  said,
  signIn,
  story,
  timePasses,
  titles,
  value,
  visit,
} from "../tools/stories.ts";
import { KEY } from "../tools/webdriver.ts";

story("a wrong password: no dialog, and words at the field", async () => {
  await browser.press("Sign in");
  assert.equal(await errorAt("Username"), "Please fill in this field.");
  await browser.fill("Username", "miguel");
  await browser.fill("Password", "wröng ☃");
  await browser.press("Sign in");
  assert.equal(await errorAt("Password"), "The username or the password is wrong.");
  await browser.fill("Password", "python");
  assert.equal(await browser.run("return document.querySelectorAll('.error').length"), 0);
  await browser.press("Sign in");
  await browser.sees("Buy groceries");
}, / 403 /);

story("register: each error is shown at its field", async (server) => {
  await browser.fill("Username", "su san");
  await browser.press("Register");
  assert.equal(await value("Username"), "su san");
  await browser.fill("New password", "sesame");
  await browser.press("Register");
  assert.match(await errorAt("New password"), /8 characters/);
  await browser.fill("New password", "ópen sésame ☃");
  await browser.fill("E-mail", "susan");
  await browser.press("Register");
  assert.match(await errorAt("E-mail"), /@/);
  await browser.fill("E-mail", "susan@example.com");
  await browser.press("Register");
  const name =
    "Username must be 1 to 64 letters, digits, dots, hyphens or underscores, and not . or ..";
  assert.equal(await errorAt("Username"), name);
  await browser.fill("Username", "miguel");
  await browser.press("Register");
  assert.equal(await errorAt("Username"), "There is a user miguel already.");
  await browser.fill("Username", "susan");
  await browser.press("Register");
  await browser.sees("Nothing to do.");
  await browser.sees("susan");
  await browser.fill("New task", "Open up");
  await browser.press("Add");
  await count("1 task");
  const susan = `Basic ${Buffer.from("susan:ópen sésame ☃").toString("base64")}`;
  assert.deepEqual(await titles(server, susan), ["Open up"]);
  const { json } = await ask(server, "GET /users/susan", { authorization: susan });
  assert.equal((json as { user: { email: string } }).user.email, "susan@example.com");

  await browser.press("Account");
  await browser.press("Delete account");
  await errorAt("Delete my account and all my tasks. Nobody can bring them back.");
  await browser.click(
    await browser.field("Delete my account and all my tasks. Nobody can bring them back."),
  );
  await browser.press("Delete account");
  await browser.sees("Your account and its tasks are deleted.");
  assert.equal(await focus(), "username");
  assert.equal((await ask(server, "GET /tasks", { authorization: susan })).status, 401);
}, / (400|409) /);

story("a new password, set here and set elsewhere", async (server) => {
  await signIn();
  await browser.press("Account");
  await browser.fill("New password", "short");
  await browser.keys(KEY.enter);
  assert.match(await errorAt("New password"), /8 characters/);
  await browser.fill("New password", "open sesame");
  await browser.keys(KEY.enter);
  await browser.sees("Your password is changed.");
  const open = `Basic ${btoa("miguel:open sesame")}`;
  await elsewhere(server, "POST /tasks", { authorization: open, content: { title: "Still here" } });
  await browser.sees("Still here"); // the next poll sends the new one
  assert.equal((await ask(server, "GET /tasks")).status, 401);

  await browser.fill("New task", "Half a tit");
  await browser.press("Delete “Buy groceries”");
  const content = { password: "close sesame" };
  await elsewhere(server, "PUT /users/miguel", { authorization: open, content });
  await browser.sees("You are signed out: your password was changed");
  assert.equal(await focus(), "password");
  await browser.requests();
  // Deletion of the hidden tasks is tried once with the old password; then the page is quiet.
  await timePasses();
  await said("The username or the password is wrong.");
  assert.deepEqual((await browser.requests()).filter((url) => url.includes("/tasks?")), []);
  await signIn("miguel", "close sesame");
  assert.equal(await value("New task"), "Half a tit");
}, / 403 /);

story("a name and a password in the page's address don't keep it from working", async (server) => {
  await browser.open(server.origin.replace("//", "//somebody:secret@"));
  await signIn();
  await browser.sees("Buy groceries");
  await choose("Open");
  await count("2 open");
});

story("a server that takes no users offers no registration", async (server, t) => {
  await visit(server);
  await browser.until("showRegistration.checkVisibility()");
  await visit(await start(t, ["--quiet", "--no-registration"]));
  await browser.until(`performance.getEntriesByType("resource").some(({ name, responseEnd }) =>
    name.endsWith("/users") && responseEnd > 0)`);
  await signIn();
  assert.equal(await browser.run("return showRegistration.hidden && registration.hidden"), true);
});

story(
  "a form of another site changes nothing, even if the browser sends the password",
  async (server, t) => {
    const tasks = `${server.origin}${BASE}/tasks`;
    const kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"];
    const elsewhere = createServer((request, response) => {
      const kind = kinds[Number(request.url?.slice(1))] ?? "";
      response.writeHead(200, { "Content-Type": "text/html" }).end(
        `<form method="post" enctype="${kind}" action="${tasks}">
        <input name='{"title":"Evil","description":"' value='"}'><button>Win</button></form>`,
      );
    });
    await once(elsewhere.listen(0, "127.0.0.1"), "listening");
    t.after(() => {
      elsewhere.closeAllConnections();
      elsewhere.close();
    });
    const address = elsewhere.address();
    assert.ok(typeof address === "object" && address !== null);
    // From now on, the browser sends these credentials with every request to that origin.
    await browser.open(tasks.replace("//", "//miguel:python@"));
    await browser.sees("Buy groceries");
    for (const [i, kind] of kinds.entries()) {
      await browser.open(`http://127.0.0.1:${address.port}/${i}`);
      await browser.press("Win");
      await browser.sees(`Content-Type is ${kind}`);
      assert.deepEqual(await titles(server), ["Buy groceries", "Learn Python"], kind);
    }
    await visit(server);
  },
  / 40[014] /,
);
