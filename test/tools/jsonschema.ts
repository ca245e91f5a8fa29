// A JSON Schema validator (2020-12) for the keywords of lib/openapi/openapi.json. It throws at any
// other keyword, so that no rule is ignored.

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";

/** The faults of a value, each with its place: `$.task.title: not a string`. */
export type Check = (value: unknown, at?: string) => string[];

/** What a $ref points to. */
export type Resolve = (ref: string) => unknown;

/** An object of JSON: no null, no array. */
export type Members = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Compiles a schema. Throws if it is malformed, or has a keyword that is not known here. */
export function compile(schema: unknown, resolve: Resolve): Check {
  assert.ok(isObject(schema), "a schema is an object");
  const checks = Object.entries(schema).map(([name, says]) => {
    assert.ok(Object.hasOwn(KEYWORDS, name), `the keyword ${name} is not known`);
    return KEYWORDS[name]?.(says, { schema, resolve }) ?? SILENT;
  });
  return (value, at = "$") => checks.flatMap((check) => check(value, at));
}

interface Context {
  readonly schema: Members;
  readonly resolve: Resolve;
}

const SILENT: Check = () => [];

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isObject,
  array: Array.isArray,
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  integer: Number.isInteger,
};

const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  uri: (text) => /^[!-~]+$/.test(text) && URL.canParse(text), // without a base, so absolute
  password: () => true, // says how to show it, not how it must be
};

/** Each keyword, as a function from its value to a check. */
const KEYWORDS: Readonly<Record<string, (says: unknown, context: Context) => Check>> = {
  description: () => SILENT,
  $ref: (says, { resolve }) => compile(resolve(text(says)), resolve),
  type: (says) => must(one(TYPES, says), `not of type ${says}`),
  const: (says) => must((value) => isDeepStrictEqual(value, says), `not ${JSON.stringify(says)}`),
  enum: (says) => {
    const values = array(says);
    return must(
      (value) => values.some((one) => isDeepStrictEqual(one, value)),
      `none of ${JSON.stringify(says)}`,
    );
  },
  // A keyword for strings, numbers, objects or arrays ignores values of other types.
  pattern: (says) => {
    const pattern = new RegExp(text(says), "u");
    return ofText((value) => pattern.test(value), `not like ${pattern}`);
  },
  format: (says) => ofText(one(FORMATS, says), `no ${says}`),
  minLength: (says) => ofText((value) => [...value].length >= number(says), "too short"),
  maxLength: (says) => ofText((value) => [...value].length <= number(says), "too long"),
  minimum: (says) => ofNumber((value) => value >= number(says), `less than ${says}`),
  maximum: (says) => ofNumber((value) => value <= number(says), `more than ${says}`),
  items: (says, { resolve }) => {
    const check = compile(says, resolve);
    return (value, at) =>
      Array.isArray(value) ? value.flatMap((item, i) => check(item, `${at}[${i}]`)) : [];
  },
  properties: (says, { resolve }) => {
    const checks = Object.entries(object(says)).map(([name, schema]) =>
      [name, compile(schema, resolve)] as const
    );
    return ofObject((value, at) =>
      checks.flatMap(([name, check]) =>
        Object.hasOwn(value, name) ? check(value[name], `${at}.${name}`) : []
      )
    );
  },
  required: (says, { schema }) => {
    const names = array(says).map(text);
    for (const name of names) assert.ok(Object.hasOwn(object(schema["properties"]), name), name);
    return ofObject((value, at) =>
      names.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}.${name}: missing`)
    );
  },
  additionalProperties: (says, { schema, resolve }) => {
    const known = object(schema["properties"] ?? {});
    const check: Check = says === false
      ? (_, at) => [`${at}: not expected`]
      : compile(says, resolve);
    return ofObject((value, at) =>
      Object.keys(value).filter((name) => !Object.hasOwn(known, name))
        .flatMap((name) => check(value[name], `${at}.${name}`))
    );
  },
  minProperties: (says) =>
    ofObject((value, at) =>
      Object.keys(value).length >= number(says) ? [] : [`${at}: too few members`]
    ),
};

const must = (is: (value: unknown) => boolean, fault: string): Check => (value, at) =>
  is(value) ? [] : [`${at}: ${fault}`];
const ofText = (is: (value: string) => boolean, fault: string) =>
  must((value) => typeof value !== "string" || is(value), fault);
const ofNumber = (is: (value: number) => boolean, fault: string) =>
  must((value) => typeof value !== "number" || is(value), fault);
const ofObject = (check: (value: Members, at: string) => string[]): Check => (value, at = "$") =>
  isObject(value) ? check(value, at) : [];

/** The entry of a table with this name. Throws if there is none. */
function one<T>(table: Readonly<Record<string, T>>, name: unknown): T {
  const found = Object.hasOwn(table, text(name)) ? table[text(name)] : undefined;
  assert.ok(found !== undefined, `${name} is not known`);
  return found;
}

export function text(value: unknown): string {
  assert.ok(typeof value === "string", `${value} is not a string`);
  return value;
}

function number(value: unknown): number {
  assert.ok(typeof value === "number", `${value} is not a number`);
  return value;
}

export function array(value: unknown): unknown[] {
  assert.ok(Array.isArray(value), `${value} is not an array`);
  return value;
}

export function object(value: unknown): Members {
  assert.ok(isObject(value), `${value} is not an object`);
  return value;
}
