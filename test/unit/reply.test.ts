// Failures as responses: their messages, and a bug of ours.

import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { HttpError } from "../../lib/http/reply.ts";
import { serve } from "../../lib/wire/server.ts";

test("a handler's failure is a 500; its message is logged, and not sent", async (t) => {
  const logged = t.mock.method(console, "error", () => {});
  const { server, stop } = serve(() => Promise.reject(new Error("a secret")));
  t.after(stop);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  for (const method of ["GET", "POST"]) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method });
    assert.equal(answer.status, 500);
    assert.equal(answer.headers.get("Cache-Control"), "no-store");
    assert.deepEqual(await answer.json(), { error: "Internal server error" });
  }
  assert.deepEqual(logged.mock.calls.map((call) => String(call.arguments[0])), [
    "Error: a secret",
    "Error: a secret",
  ]);
});

test("a message of 900 bytes is sent whole, a longer one is cut between two characters", () => {
  const sent = (message: string) => JSON.parse(new HttpError(400, message).text).message;
  const whole = "x".repeat(900);
  assert.equal(sent(whole), whole);
  assert.equal(sent(`${whole}y`), `${whole}…`);
  assert.equal(sent(`${"x".repeat(899)}ü`), `${"x".repeat(899)}…`);
  assert.equal(sent("\u0001".repeat(151)), `${"\u0001".repeat(150)}…`); // six bytes each in JSON
});
