// What a handler is given: values, and functions that need no object in front of them.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { createApp } from "../../lib/app.ts";
import type { Call } from "../../lib/http/call.ts";
import { basic } from "../../lib/http/credentials.ts";
import { printJson } from "../../lib/http/reply.ts";
import { path, route } from "../../lib/http/router.ts";
import { MemoryStore } from "../../lib/store/memory.ts";
import { Accounts } from "../../lib/todo/accounts.ts";
import { serve } from "../../lib/wire/server.ts";
import { boundTo } from "../../lib/wire/target.ts";

/** A handler that takes the functions out of the call first. */
async function handle({ params, user, json, authorize, clientHas, checkConditions, client }: Call) {
  checkConditions('"a"');
  const has = clientHas('"a"');
  const content = await json();
  const { username } = await authorize();
  const gone = client.gone;
  return {
    status: 200,
    text: printJson({ params, user: user.username, username, has, content, gone }),
  };
}

test("the functions of a call work without the call", async (t) => {
  const accounts = new Accounts(new MemoryStore());
  const given = { username: "miguel", password: "python" };
  await accounts.addFirst(given, "a hash", []); // remembered, so that nothing is hashed
  const table = [route("PUT", path("/lists/<string:name>"), "user", handle)];
  const { server, stop } = serve(createApp(table, accounts));
  t.after(stop);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const answer = await fetch(`http://${boundTo(server.address())}/lists/a%20b`, {
    method: "PUT",
    headers: {
      Authorization: basic(given),
      "Content-Type": "application/json",
      "If-Match": '"a"',
      "If-None-Match": '"b"',
    },
    body: "[1]",
  });
  assert.deepEqual(await answer.json(), {
    params: { name: "a b" },
    user: "miguel",
    username: "miguel",
    has: false,
    content: [1],
    gone: false,
  });
});
