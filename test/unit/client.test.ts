// The address of a client, behind a proxy and without one.

import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { RequestClient } from "../../lib/wire/client.ts";

/** The address of a client whose request came from `value` with these header fields. */
function addressOf(fields: Record<string, string>, behindProxy = true, value = "127.0.0.1") {
  const socket = Object.defineProperty(new Socket(), "remoteAddress", { value });
  const request = Object.assign(new IncomingMessage(socket), { headers: fields });
  return new RequestClient(request, behindProxy).address;
}

test("behind a proxy, the last address in its field is the client's", () => {
  const rows: [fields: Record<string, string>, address: string][] = [
    [{}, "127.0.0.1"],
    [{ "x-forwarded-for": "" }, "127.0.0.1"],
    [{ "x-forwarded-for": "192.0.2.1" }, "192.0.2.1"],
    [{ "x-forwarded-for": "203.0.113.9, 192.0.2.1" }, "192.0.2.1"],
    [{ forwarded: "for=192.0.2.1" }, "192.0.2.1"],
    [{ forwarded: "for=203.0.113.9, for=192.0.2.1;proto=https" }, "192.0.2.1"],
    [{ forwarded: 'proto=https; For="[2001:db8::1]:4711"' }, "2001:db8::1"],
    [{ "x-forwarded-for": "192.0.2.1:4711" }, "192.0.2.1"],
    [{ forwarded: 'for="[2001:db8::1]"', "x-forwarded-for": "2001:db8::1" }, "2001:db8::1"],
    [{ forwarded: 'for="192.0.2.1:4711"', "x-forwarded-for": "192.0.2.1" }, "192.0.2.1"],
    [{ forwarded: "proto=https", "x-forwarded-for": "192.0.2.1" }, "192.0.2.1"],
    [{ forwarded: "proto=https;host=a" }, "127.0.0.1"],
    [{ forwarded: "for=unknown" }, "unknown"],
    [{ forwarded: "for=192.0.2.1", "x-forwarded-for": "192.0.2.1" }, "192.0.2.1"],
  ];
  for (const [fields, address] of rows) {
    assert.equal(addressOf(fields), address, JSON.stringify(fields));
  }
});

test("an IPv4 address is written as such where the server listens to IPv6, too", () => {
  for (const address of ["::ffff:192.0.2.1", "::FFFF:192.0.2.1"]) {
    assert.equal(addressOf({}, false, address), "192.0.2.1");
    assert.equal(addressOf({}, true, address), "192.0.2.1");
    assert.equal(addressOf({ "x-forwarded-for": address }), "192.0.2.1");
  }
  assert.equal(addressOf({}, false, "2001:db8::ffff:1"), "2001:db8::ffff:1");
});

test("a client cannot choose its address with the field that its proxy leaves alone", () => {
  const chosen = "203.0.113.9";
  for (
    const fields of [
      { forwarded: `for=${chosen}`, "x-forwarded-for": "192.0.2.1" },
      { forwarded: "for=192.0.2.1", "x-forwarded-for": chosen },
    ]
  ) {
    assert.equal(addressOf(fields), "127.0.0.1", JSON.stringify(fields));
  }
  assert.equal(addressOf({ forwarded: `for=${chosen}` }, false), "127.0.0.1");
  assert.equal(addressOf({ "x-forwarded-for": chosen }, false), "127.0.0.1");
});
