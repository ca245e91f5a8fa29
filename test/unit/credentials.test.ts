// Basic credentials out of a field, and the answer to who has none.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
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
    [`Basic  ${base64("miguel:python")}`, pair("miguel", "python")],
    ["Basic YTpiYw==", pair("a", "bc")],
    ["Basic YTpiYw", pair("a", "bc")], // without its padding
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

test("no credentials is 401 with a challenge, and 403 without one to a browser's script", () => {
  const challenge = {
    "WWW-Authenticate": 'Basic realm="Authentication Required", charset="UTF-8"',
  };
  const rows: [name: string, value: string, status: number][] = [
    ["accept", "*/*", 401],
    ["sec-fetch-dest", "document", 401],
    ["x-requested-with", "com.example.app", 401],
    ["sec-fetch-dest", "empty", 403],
    ["x-requested-with", "XMLHttpRequest", 403],
  ];
  for (const [name, value, status] of rows) {
    const { status: got, fields, text } = unauthorized({ [name]: value });
    assert.equal(got, status, `${name}: ${value}`);
    assert.deepEqual(fields, status === 401 ? challenge : {}, `${name}: ${value}`);
    assert.deepEqual(JSON.parse(text), { error: "Unauthorized access" });
  }
});
