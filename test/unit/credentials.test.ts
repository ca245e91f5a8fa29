// Basic credentials in a field, and the response to a client that has none.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { test } from "node:test";
import { type Credentials, parseCredentials, unauthorized } from "../../lib/http/credentials.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const pair = (username: string, password: string): Credentials => ({ username, password });

test("a Basic field gives a name and a password, cut at the first colon", () => {
  const rows: [field: string, credentials: Credentials][] = [
    [`Basic ${base64("miguel:python")}`, pair("miguel", "python")],
    [`Basic ${base64("miguel:py:th:on")}`, pair("miguel", "py:th:on")],
    [`Basic ${base64(":python")}`, pair("", "python")],
    [`Basic ${base64("miguel:")}`, pair("miguel", "")],
    [`Basic ${base64(":")}`, pair("", "")],
    [`Basic ${base64(" miguel : python ")}`, pair(" miguel ", " python ")],
    [`Basic ${base64("żółw:日本語😀")}`, pair("żółw", "日本語😀")],
    [`basic ${base64("miguel:python")}`, pair("miguel", "python")],
    [`BASIC ${base64("miguel:python")}`, pair("miguel", "python")],
    [`bAsIc ${base64("miguel:python")}`, pair("miguel", "python")],
    [`Basic  ${base64("miguel:python")}`, pair("miguel", "python")],
    [`Basic     ${base64("miguel:python")}`, pair("miguel", "python")],
    ["Basic YTpiYw==", pair("a", "bc")],
    ["Basic YTpiYw", pair("a", "bc")], // without its padding
    ["Basic YTpiYw=", pair("a", "bc")],
    [`Basic ${base64("a:\u00a0\u00ad\u2028")}`, pair("a", "\u00a0\u00ad\u2028")],
  ];
  for (const [field, credentials] of rows) {
    assert.deepEqual(parseCredentials(field), credentials, field);
  }
});

test("a field of any other form gives nothing, and never throws", () => {
  const rows: (string | undefined)[] = [
    undefined,
    "",
    "Basic",
    "Basic ",
    "Basic ====",
    "Basic A",
    "Basic !!!!",
    "Basic miguel:python", // not Base64
    `Basic ${base64("miguel")}`, // no colon
    // Control characters (RFC 7617 §2), NUL above all.
    ...["\0", "\t", "\n", "\x1f", "\x7f", "\x80", "\x9f"].flatMap((control) => [
      `Basic ${base64(`miguel:python${control}`)}`,
      `Basic ${base64(`mig${control}uel:python`)}`,
      `Basic ${base64(`${control}:`)}`,
    ]),
    `Basic ${Buffer.from("migu\xe9l:python", "latin1").toString("base64")}`, // not UTF-8
    `Basic ${base64("miguel:python")} and more`,
    `Basic ${base64("miguel:python")}, Basic ${base64("susan:bye")}`, // two fields
    `Basic${base64("miguel:python")}`,
    `Basic\t${base64("miguel:python")}`,
    `Basics ${base64("miguel:python")}`,
    `Bearer ${base64("miguel:python")}`,
    'Digest username="miguel"',
    base64("miguel:python"),
  ];
  for (const field of rows) assert.equal(parseCredentials(field), undefined, `${field}`);
});

test("no credentials: 401 with a challenge, or 403 without one for a browser's script", () => {
  const challenge = {
    "WWW-Authenticate": 'Basic realm="Authentication Required", charset="UTF-8"',
  };
  const firefox = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept-language": "en-US,en;q=0.5",
  };
  const curl = { "user-agent": "curl/8.14.1", accept: "*/*" };
  const powerShell = {
    "user-agent": "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1",
  };
  const page = { ...firefox, accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
  const rows: [headers: IncomingHttpHeaders, status: number][] = [
    [{}, 401],
    [{ accept: "*/*" }, 401],
    [{ "sec-fetch-dest": "document" }, 401],
    [{ "x-requested-with": "com.example.app" }, 401],
    [{ "sec-fetch-dest": "empty" }, 403],
    [{ "x-requested-with": "XMLHttpRequest" }, 403],
    [curl, 401],
    [{ ...curl, "accept-language": "en" }, 401],
    [powerShell, 401],
    [{ ...powerShell, accept: "*/*" }, 401],
    // A browser that sends no Sec-Fetch fields, as over plain http.
    [{ ...firefox, accept: "*/*" }, 403],
    [{ ...firefox, accept: "application/json" }, 403],
    [firefox, 403],
    [page, 401],
    // If it sends them, they count more than the other fields.
    [{ ...page, "sec-fetch-dest": "empty" }, 403],
    [{ ...firefox, accept: "*/*", "sec-fetch-dest": "image" }, 401],
    [{ ...curl, "x-requested-with": "XMLHttpRequest" }, 403],
  ];
  for (const [headers, status] of rows) {
    const { status: got, fields, text } = unauthorized(headers);
    const name = JSON.stringify(headers);
    assert.equal(got, status, name);
    assert.deepEqual(fields, status === 401 ? challenge : {}, name);
    assert.deepEqual(JSON.parse(text), { error: "Unauthorized access" }, name);
  }
});

test("credentials that are not UTF-8 get a message, others none", () => {
  const message = "the credentials are not UTF-8; let your client encode them as UTF-8";
  const latin1 = `Basic ${Buffer.from("miguel:pyth\xf3n", "latin1").toString("base64")}`;
  const utf8 = `Basic ${base64("miguel:pyth\xf3n")}`;
  for (const script of [{}, { "sec-fetch-dest": "empty" }]) {
    const said = (authorization: string) =>
      JSON.parse(unauthorized({ ...script, authorization }).text);
    assert.deepEqual(said(latin1), { error: "Unauthorized access", message });
    for (
      const field of [utf8, "Basic", "Basic !", `Bearer ${latin1.slice(6)}`, `${utf8}, ${latin1}`]
    ) {
      assert.deepEqual(said(field), { error: "Unauthorized access" }, field);
    }
  }
});
