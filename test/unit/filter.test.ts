// The filters of a list, value by value.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { type Filter, FILTERS, passes } from "../../lib/todo/filter.ts";
import type { TaskFields } from "../../lib/store/store.ts";
import { task } from "../tools/stores.ts";

const MILK = task({ title: "Buy milk", description: "Two bottles", done: true });

const ROWS: [filter: Filter, passes: boolean, fields?: Partial<TaskFields>][] = [
  [{}, true],
  [{ done: undefined, title_prefix: undefined, q: undefined }, true],
  [{ done: "true" }, true],
  [{ done: "false" }, false],
  [{ done: "false" }, true, { done: false }],
  [{ title_prefix: "" }, true],
  [{ title_prefix: "Buy" }, true],
  [{ title_prefix: "Buy milk" }, true],
  [{ title_prefix: "Buy milk " }, false],
  [{ title_prefix: "buy" }, false],
  [{ title_prefix: "milk" }, false],
  [{ title_prefix: "Two" }, false],
  [{ title_prefix: "B.*" }, false],
  [{ title_prefix: "\u00e9" }, false, { title: "e\u0301" }],
  [{ q: "" }, true],
  [{ q: "MILK" }, true],
  [{ q: "buy M" }, true],
  [{ q: "bottle" }, true],
  [{ q: "milk bottles" }, false], // one text, not two words
  [{ q: "milkTwo" }, false], // not across title and description
  [{ q: "." }, false],
  [{ q: "ÜBER" }, true, { title: "über" }],
  [{ q: "über" }, true, { description: "ÜBER" }],
  ...["café", "cafe\u0301", "CAFÉ", "cafe", "afe\u0323"].flatMap((q): typeof ROWS => [
    [{ q }, true, { title: "le café" }],
    [{ q }, true, { description: "LE CAFE\u0301" }],
    [{ q }, true, { title: "ｃａｆｅ" }], // full width
    [{ q }, false, { title: "kaffee" }],
  ]),
  ...["STRASSE", "straße", "Strasse", "STRAẞE"].flatMap((q): typeof ROWS => [
    [{ q }, true, { title: "Hauptstraße 1" }],
    [{ q }, true, { title: "HAUPTSTRASSE 1" }],
    [{ q }, true, { title: "HAUPTSTRAẞE 1" }],
    [{ q }, false, { title: "strase" }],
  ]),
  [{ q: "istanbul" }, true, { title: "İstanbul" }],
  [{ q: "İSTANBUL" }, true, { title: "istanbul" }],
  [{ q: "οδος" }, true, { title: "ΟΔΟΣ" }],
  [{ q: "οδοσ" }, true, { title: "οδός" }],
  [{ q: "ΟΔΟΣ" }, true, { title: "οδοσα" }], // a part of a word
  [{ q: "\u1112\u1161\u11ab" }, true, { title: "한" }],
  [{ q: "한" }, true, { title: "\u1112\u1161\u11ab" }],
  [{ q: "か" }, true, { title: "が" }],
  [{ q: "\u05d0\u05b8\u05bc" }, true, { title: "\u05d0\u05bc\u05b8" }], // either order of marks
  [{ q: "\ud83d" }, true, { title: "\ud83d" }],
  [{ q: "ﷺ" }, true, { title: "صلى الله عليه وسلم" }],
  [{ q: "\0" }, true, { title: "\0" }],
  [{ done: "true", title_prefix: "Buy", q: "TWO" }, true],
  [{ done: "false", title_prefix: "Buy", q: "TWO" }, false],
  [{ done: "true", title_prefix: "buy", q: "TWO" }, false],
  [{ done: "true", title_prefix: "Buy", q: "three" }, false],
];

test("a task passes if it passes every filter that is set", () => {
  for (const [filter, expected, fields] of ROWS) {
    const one = { ...MILK, ...fields, id: 1, revision: 1 };
    assert.equal(passes(filter)(one), expected, JSON.stringify([filter, fields]));
  }
  for (const name in FILTERS) {
    const rows = ROWS.filter(([filter]) => Object.keys(filter).join() === name);
    assert.equal(
      new Set(rows.map(([, expected]) => expected)).size,
      2,
      `ROWS needs a task that passes ${name}, and one that does not`,
    );
  }
});

test("a filter says what its values look like", () => {
  const { form } = FILTERS.done;
  for (const value of ["true", "false"]) assert.match(value, form);
  for (const value of ["", "TRUE", "yes", "1", "true\n", " true"]) assert.doesNotMatch(value, form);
  for (const { form } of [FILTERS.title_prefix, FILTERS.q]) {
    for (const value of ["", "\n", "\0", "😀".repeat(100)]) assert.ok(form.test(value));
    for (const value of ["a".repeat(101), "😀".repeat(101)]) assert.ok(!form.test(value));
  }
  // What a text becomes counts.
  assert.ok(FILTERS.q.form.test("ﷺ".repeat(5)) && !FILTERS.q.form.test("ﷺ".repeat(6)));
  assert.ok(FILTERS.q.form.test("e\u0301".repeat(100)));
  for (const [name, { mustBe }] of Object.entries(FILTERS)) assert.match(mustBe, /^\w/, name);
});

test("no text that a filter may have makes a search slow", () => {
  const kinds = ["a", "b", "ab", "aab", "i\u0307", "aé", "한", "ﷺ", "😀"];
  kinds.push("\u0301\u0323", "\u05b0\u05b4\u05bc\u05b7", "\u09c7\u302e"); // marks to be sorted
  const texts = kinds.map((part) => part.repeat(64 * 1024 / Buffer.byteLength(part)));
  const ends = ["", "b", "ab", "ba"];
  const values = ["a", "ab", "İ"].flatMap((part) =>
    ends.flatMap((end) => [
      [...end, ...part.repeat(100)].slice(0, 100).join(""),
      [...part.repeat(100), ...end].slice(-100).join(""),
    ])
  );
  for (const name of ["title_prefix", "q"]) {
    for (const value of values) {
      const test = passes({ [name]: value });
      for (const text of texts) {
        const one = { ...MILK, title: text, description: text, id: 1, revision: 1 };
        const times = [1, 2, 3].map(() => {
          const before = process.cpuUsage(); // a busy machine does not change it
          test(one);
          return process.cpuUsage(before).user / 1000;
        });
        assert.ok(Math.min(...times) < 100, `${name}=${value}: ${times} ms`);
      }
    }
  }
});
