// Every regular expression of lib is tried with the worst texts of the greatest length that can
// reach it: backtracking would block all clients. They are found in the sources, and so are the
// texts, so that a new expression is tried too.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { path } from "../../lib/http/router.ts";

const MOST_MS = 5;
const LENGTH = 64 * 1024; // of content
const HEADER = 16 * 1024; // of a header section, and so of a target

/** Expressions that longer texts do not reach. */
const SHORTER: Readonly<Record<string, number>> = {
  '<(.*?)>; rel="(.*?)"': 2048, // the server's own Link field
  "\\/+$": 2048, // --public-url
};

const LIB = new URL("../../lib/", import.meta.url);
const SOURCES = readdirSync(LIB, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.[jt]s$/.test(name));
const sourceOf = (name: string) => readFileSync(new URL(name, LIB), "utf8");

// A comment, a string, an expression, or one more character. After a value a slash divides.
const TOKEN =
  /\/\/.*|\/\*[^]*?\*\/|"(?:\\.|[^"\\\n])*"|(?<![\w)\]]\s*)\/((?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\[\n])+)\/(\w*)|[^]/y;
const TEMPLATE = /(?:\\.|\$(?!\{)|[^`\\$])*(`|\$\{)/y; // until its end, or code within it

/** The regular expressions in a source text. */
function expressionsIn(source: string): RegExp[] {
  const found: RegExp[] = [];
  const opened: string[] = []; // the braces around a place, and of which of them a template goes on
  let at = 0;
  const next = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const token = pattern.exec(source) ?? [""];
    at = pattern.lastIndex;
    return token;
  };
  while (at < source.length) {
    const [token, form, flags] = next(TOKEN);
    if (form !== undefined) found.push(new RegExp(form, flags));
    if (token === "{") opened.push(token);
    const inTemplate = token === "`" || (token === "}" && opened.pop() === "${");
    if (inTemplate && next(TEMPLATE)[1] === "${") opened.push("${");
  }
  return found;
}

const ATOM =
  /\\[pP]\{\w+\}|\\u[\da-f]{4}|\\x[\da-f]{2}|\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:<\w+>|<?[:=!])|\{\d+(?:,\d*)?\}|[()|?*+^$]|[^]/giu;

/** A text that an expression may find hard: how it begins, what it repeats, how it ends. */
type Hard = readonly [begin: string, part: string, end: string];

const textOf = ([begin, part, end]: Hard, length: number) =>
  begin + part.repeat(length / part.length) + end;

/** Texts of characters that the expression names, and of what it begins with. */
function hardTexts({ source, flags }: RegExp): Hard[] {
  const atoms = source.match(ATOM)?.filter((atom) => !/^(\(\?.+|\{.+|[()|?*+^$]|\\b)$/.test(atom));
  const forms = (atoms ?? []).map((atom) => new RegExp(`^${atom}$`, flags.replace(/[gy]/g, "")));
  // One character of each kind: those that fit the same atoms.
  const kinds = new Map([...`${source}aA1 _-.,;:"<>/\n\t\0\x80é\ud800`].map((character) => [
    forms.map((form) => form.test(character)).join(),
    character,
  ]));
  const fits = forms.map((form) => [...kinds.values()].filter((character) => form.test(character)));
  const begins = fits.map((_, i) => fits.slice(0, i + 1).map(([first = ""]) => first).join(""));
  const parts = [...new Set([...fits.flat(), ...begins])].filter((part) => part !== "");
  return ["", "\n\0"].flatMap((end) =>
    parts.flatMap((part) => ["", ...begins, ...parts].map((begin): Hard => [begin, part, end]))
  );
}

/** How many milliseconds this takes. */
function time(act: () => void): number {
  let best = Infinity; // time of the processor: other programs need it, too
  for (let tries = 0; tries < 5; tries++) {
    const before = process.cpuUsage();
    act();
    best = Math.min(best, process.cpuUsage(before).user / 1000);
    if (best < MOST_MS / 5 || (tries > 0 && best > 100)) break; // clear enough
  }
  return best;
}

/** The longest time of an expression. Each length shows which texts are worth a longer trial. */
function slowest(expression: RegExp, length: number): { ms: number; text: Hard } {
  let trials = hardTexts(expression).map((text) => ({ ms: 0, text }));
  for (const size of [24, 1024, length / 8, length]) { // exponential ones would never end with more
    for (const trial of trials) {
      const text = textOf(trial.text, size);
      trial.ms = time(() => text.replace(expression, ""));
      if (trial.ms > MOST_MS) return trial;
    }
    trials = trials.sort((a, b) => b.ms - a.ms).slice(0, size < 1024 ? Infinity : 10);
  }
  return trials[0] ?? { ms: 0, text: ["", "", ""] };
}

test("no text makes a regular expression slow", (t) => {
  const found = SOURCES.flatMap((name) =>
    expressionsIn(sourceOf(name)).map((form) => ({ name, form }))
  );
  for (const source of Object.keys(SHORTER)) {
    assert.ok(found.some(({ form }) => form.source === source), `there is no /${source}/ any more`);
  }
  for (const { name, form } of found) {
    const { ms, text } = slowest(form, SHORTER[form.source] ?? LENGTH);
    t.diagnostic(`${ms.toFixed(2)} ms ${name} ${form}`);
    const [begin, part, end] = text.map((piece) => JSON.stringify(piece));
    assert.ok(ms < MOST_MS, `${form} in lib/${name}: ${ms} ms for ${begin}, ${part}…, ${end}`);
  }
});

test("the one expression that is put together, of the paths, is as quick", () => {
  const makers = SOURCES.filter((name) => /\bRegExp\(/.test(sourceOf(name)));
  assert.deepEqual(makers, ["http/router.ts"]);
  const { match } = path("/tasks/<int:id>/<string:name>");
  for (const text of ["0", "1", "a", "/", "/tasks/0", "%41"]) {
    for (const begin of ["", "/tasks/", "/tasks/1/"]) {
      const target = begin + text.repeat(HEADER / text.length) + "/";
      assert.ok(time(() => match(target)) < MOST_MS, target.slice(0, 20));
    }
  }
});

test("the search for slow expressions finds them", () => {
  for (const form of [/-+(gzip|br)"$/, /^(a+)+$/, /,\s*,?\s*x/]) {
    assert.ok(slowest(form, LENGTH).ms > MOST_MS, `${form}`);
  }
});

test("every expression in a source is found, and nothing else", () => {
  const source = [
    "const a = /[/]x/g; // not /this/",
    'const b = "/nor/" + c / d / e; /* nor /that/ */',
    "f(`${g.replace(/[`]y/i, `${{}}/nor`)} /that/`, /\\/z/);",
  ].join("\n");
  assert.deepEqual(expressionsIn(source).map(String), ["/[/]x/g", "/[`]y/i", "/\\/z/"]);
});
