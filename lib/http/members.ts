// Checks an object that a client sent, member by member, and reports all faults at once.

import { Buffer } from "node:buffer";
import { HttpError } from "./reply.ts";

/** What a member must be: in words, and as a check. */
export type Rule<T> = readonly [mustBe: string, is: (value: unknown) => value is T];

/** A rule for each member of an object. */
export type Rules<T> = { readonly [K in keyof T]: Rule<T[K]> };

// Some letters of Unicode have no form: fillers of Korean, and the empty pattern of Braille.
const VISIBLE = /[^\s\p{Cf}\u3164\u115f\u1160\u2800]/u;
const MOST_FAULTS = 400; // bytes of JSON: each fault stands twice in a response

export const STRING: Rule<string> = ["a string", (value) => typeof value === "string"];
export const NOT_BLANK: Rule<string> = [
  "a string that is not blank",
  (value): value is string => typeof value === "string" && VISIBLE.test(value),
];
export const BOOLEAN: Rule<boolean> = ["true or false", (value) => typeof value === "boolean"];

/**
 * Returns the members that have a rule and were sent; all others are ignored. Throws 400 that names
 * every wrong member, every missing one of `required`, and content that holds no member at all.
 */
export function readMembers<T extends object, Required extends keyof T & string = never>(
  content: unknown,
  rules: Rules<T>,
  ...required: Required[]
): Partial<T> & Pick<T, Required> {
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new HttpError(400, "the content must be a JSON object");
  }
  if (required.length === 0 && Object.keys(content).length === 0) {
    throw new HttpError(400, `send one of ${Object.keys(rules).join(", ")}`);
  }
  const sent: Readonly<Record<string, unknown>> = { ...content };
  const needed: readonly string[] = required;
  const members: Partial<T> = {};
  const faults: [name: string, fault: string][] = [];
  for (const name in rules) {
    const value = sent[name];
    const [mustBe, is] = rules[name];
    if (is(value)) members[name] = value;
    else if (value !== undefined) faults.push([name, `must be ${mustBe}`]);
    else if (needed.includes(name)) faults.push([name, "is missing"]);
  }
  refuse(faults);
  return members as Partial<T> & Pick<T, Required>; // the loop has found every required member
}

/** Throws 400 if there are faults: in words, and as `fields` for programs. */
export function refuse(faults: readonly (readonly [name: string, fault: string])[]): void {
  if (faults.length === 0) return;
  let bytes = 0;
  const first = faults.filter((fault, i) =>
    (bytes += Buffer.byteLength(JSON.stringify(fault))) <= MOST_FAULTS || i === 0
  );
  const message = first.map((fault) => fault.join(" ")).join("; ");
  throw new HttpError(400, message, {}, { fields: Object.fromEntries(first) });
}
