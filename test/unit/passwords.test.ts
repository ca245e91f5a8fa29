// Passwords and their hashes.

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { Client } from "../../lib/http/call.ts";
import { TUTORIAL } from "../../lib/todo/first.ts";
import { Passwords } from "../../lib/todo/passwords.ts";

const at = (address: string): Client => ({ address, until: Infinity, gone: false });

const CLIENT = at("127.0.0.1");
const CHEAP = "scrypt$8$8$1";
const REAL = "scrypt$17$8$1";
const KEY = String.raw`\$[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=$`; // and its salt

test("a hash fits one password only, and a salt makes each hash different", async () => {
  const passwords = new Passwords(CHEAP);
  const hash = await passwords.hash("correct horse", CLIENT);
  assert.match(hash, new RegExp(String.raw`^scrypt\$8\$8\$1${KEY}`));
  assert.notEqual(await passwords.hash("correct horse", CLIENT), hash);
  assert.equal(await passwords.verify("correct horse", hash, CLIENT), hash);
  assert.equal(await passwords.verify("correct horsf", hash, CLIENT), undefined);
  const others = ["", "$", `${CHEAP}$$`, hash.slice(0, -1), `${hash}=`, undefined];
  for (const [i, other] of others.entries()) { // each network rests after a wrong password
    assert.equal(await passwords.verify("", other, at(`127.0.1.${i}`)), undefined, `${other}`);
  }
});

test("a hash costs what OWASP advises, and the tutorial's hash is one", async () => {
  const passwords = new Passwords();
  const { password, hash } = TUTORIAL;
  assert.match(hash, new RegExp(String.raw`^scrypt\$17\$8\$1${KEY}`));
  assert.equal(await passwords.verify(password, hash, CLIENT), hash);
  assert.ok(passwords.isUsual(hash) && passwords.isUsual(await passwords.hash("x", CLIENT)));
  const old = hash.replace(`${REAL}$`, ""); // before a hash told its cost
  assert.equal(await passwords.verify(password, old, CLIENT), old);
});

test("a hash of another cost is still right, and comes back with today's cost", async () => {
  const passwords = new Passwords(CHEAP);
  for (const cost of ["scrypt$4$8$1", "scrypt$9$8$1", "scrypt$8$4$1", "scrypt$8$8$2"]) {
    const old = await new Passwords(cost).hash("correct horse", CLIENT);
    assert.ok(old.startsWith(`${cost}$`) && !passwords.isUsual(old));
    const kept = await passwords.verify("correct horse", old, CLIENT) ?? "";
    assert.ok(passwords.isUsual(kept), kept);
    assert.equal(await passwords.verify("correct horse", kept, CLIENT), kept);
    assert.equal(await passwords.verify("correct horsf", old, at(cost)), undefined);
  }
});

test("an unknown name takes as long as a wrong password", async () => {
  const passwords = new Passwords("scrypt$14$8$1");
  const hash = await passwords.hash("correct horse", CLIENT);
  const costOf = async (hash: string | undefined, address: string) => {
    const before = process.cpuUsage(); // of all threads; a busy machine does not change it
    assert.equal(await passwords.verify("", hash, at(address)), undefined);
    return process.cpuUsage(before).user;
  };
  const [unknown, wrong] = [await costOf(undefined, "a"), await costOf(hash, "b")];
  assert.ok(unknown > wrong / 2 && wrong > unknown / 2, `${unknown} and ${wrong} µs`);
});
