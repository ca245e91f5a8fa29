// Compares every request and response of the black-box tests with lib/openapi/openapi.json.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { array, type Check, compile, type Members, object, text } from "./jsonschema.ts";

export const DOCUMENT: unknown = JSON.parse(
  readFileSync(new URL("../../lib/openapi/openapi.json", import.meta.url), "utf8"),
);

/** The value under these names, through each $ref on the way. Undefined if there is none. */
export function find(value: unknown, ...names: string[]): unknown {
  let found = follow(value);
  for (const name of names) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) {
      return undefined;
    }
    found = follow(Reflect.get(found, name));
  }
  return found;
}

const follow = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "$ref" in value ? resolve(value.$ref) : value;

/** The value that a $ref of the document leads to. */
export function resolve(ref: unknown): unknown {
  const [start, ...names] = text(ref).split("/").map((name) => name.replaceAll("~1", "/"));
  const found = find(DOCUMENT, ...names);
  assert.ok(start === "#" && found !== undefined, `${ref} leads nowhere`);
  return found;
}

/** The members or items of the value under these names; none if there is no value. */
export const members = (value: unknown, ...names: string[]): Members =>
  object(find(value, ...names) ?? {});
export const items = (value: unknown, ...names: string[]): unknown[] =>
  array(find(value, ...names) ?? []).map(follow);

const compiled = new Map<unknown, Check>();

/** The faults of a value by a schema of the document, each with its place below `at`. */
export function faults(schema: unknown, value: unknown, at: string): string[] {
  const check = compiled.get(schema) ?? compile(schema, resolve);
  compiled.set(schema, check);
  return check(value, at);
}

/** The same for a value that is sent as text: a field, or a parameter. */
export function faultsOfText(schema: unknown, sent: string, at: string): string[] {
  const type = find(schema, "type");
  if (type === "integer" && /^\d+$/.test(sent)) return faults(schema, Number(sent), at);
  if (type === "boolean" && /^(true|false)$/.test(sent)) return faults(schema, sent === "true", at);
  return faults(schema, sent, at);
}

/** The parameters of an operation, those of its path included: in the path, the query, a header. */
export const parameters = (item: unknown, method: string, where: string): unknown[] =>
  [...items(item, "parameters"), ...items(item, method, "parameters")]
    .filter((parameter) => find(parameter, "in") === where);

/** The path of the server's address. */
export const SERVER = new URL(text(find(DOCUMENT, "servers", "0", "url"))).pathname;

/** The document's item for a path below the server's, and the values of the path's parameters. */
function place(path: string): { item?: unknown; values: Readonly<Record<string, string>> } {
  for (const [template, item] of Object.entries(members(DOCUMENT, "paths"))) {
    const inPath = Object.keys(members(item)).flatMap((name) => parameters(item, name, "path"));
    const pattern = template.replaceAll(".", "\\.").replace(/\{(\w+)\}/g, (_, name: string) => {
      const parameter = inPath.find((parameter) => find(parameter, "name") === name);
      assert.ok(parameter, `openapi.json: ${template} has no parameter ${name} in its path`);
      const type = find(parameter, "schema", "type");
      return `(?<${name}>${type === "integer" ? "0*\\d{1,15}" : "[^/]+"})`;
    });
    const found = new RegExp(`^${pattern}$`).exec(path);
    if (found !== null) return { item, values: { ...found.groups } };
  }
  return { values: {} };
}

/** A path as the server sees it: each segment is decoded, except for a slash in it. */
function normalise(path: string): string {
  try {
    return path.split("/").map((part) => encodeURIComponent(decodeURIComponent(part))).join("/");
  } catch {
    return "";
  }
}

/** A request as it was sent. */
interface Sent {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly content: string | Uint8Array | undefined;
}

/** A response as it was received. */
interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

/** Returns a response if it, and the request if it succeeded, are as the document says. */
export function described<T extends Got>(sent: Sent, got: T): T {
  const [path = "", query = ""] = sent.target.split("?");
  if (!path.startsWith(`${SERVER}/`)) return got; // nothing of the document
  const { item, values } = place(normalise(path).slice(SERVER.length));
  const method = sent.method.toLowerCase();
  const response = responseTo(item, method, `${got.status}`);
  const wrong = response === undefined
    ? ["the status is not expected"]
    : judgeResponse(response, got, method === "head");
  if (got.status < 300) wrong.push(...judgeRequest(item, method, sent, { ...values }, query));
  const request = `${sent.method} ${sent.target} → ${got.status}`;
  assert.deepEqual(wrong, [], `${request} is not as lib/openapi/openapi.json has it: ${got.text}`);
  return got;
}

/** The document's response for this status: of the operation, otherwise of all requests. */
function responseTo(item: unknown, method: string, status: string): unknown {
  const here = find(item, method, "responses", status);
  if (here !== undefined) return here;
  if (item === undefined && status === "404") return resolve("#/components/responses/NotFound");
  const asGet = method === "head" ? find(item, "get", "responses", status) : undefined;
  if (asGet !== undefined) return asGet;
  const failure = resolve("#/components/responses/Failure");
  return status in members(failure, ...JSON_CONTENT, "examples") ? failure : undefined;
}

export const JSON_CONTENT = ["content", "application/json"];

function judgeResponse(response: unknown, got: Got, isHead: boolean): string[] {
  const fields = Object.entries(members(response, "headers")).flatMap(([name, header]) => {
    const value = got.headers[name.toLowerCase()];
    if (value !== undefined) return faultsOfText(find(header, "schema"), String(value), name);
    return find(header, "required") === true ? [`${name}: missing`] : [];
  });
  const content = find(response, "content");
  if (isHead || content === undefined) return got.text === "" ? fields : [...fields, "has content"];
  const schema = find(content, got.headers["content-type"] ?? "", "schema");
  if (schema === undefined) return [...fields, "Content-Type: not expected"];
  return [...fields, ...faults(schema, got.json, "$")];
}

/** The faults of a request that succeeded. Things that the service ignores are no faults. */
function judgeRequest(
  item: unknown,
  method: string,
  { headers, content }: Sent,
  path: Readonly<Record<string, string>>,
  query: string,
): string[] {
  const operation = find(item, method);
  const wrong = parameters(item, method, "path").flatMap((parameter) => {
    const name = text(find(parameter, "name"));
    return faultsOfText(find(parameter, "schema"), decodeURIComponent(path[name] ?? ""), name);
  });
  const known = parameters(item, method, "query");
  for (const [name, value] of known.length > 0 ? new URLSearchParams(query) : []) {
    const schema = find(known.find((parameter) => find(parameter, "name") === name), "schema");
    if (schema !== undefined) wrong.push(...faultsOfText(schema, value, name));
    else if (name !== "_") wrong.push(`${name}: not expected`);
  }
  const security = items(
    find(operation, "security") === undefined ? DOCUMENT : operation,
    "security",
  );
  if (security.length > 0 && headers["Authorization"] === undefined) wrong.push("no credentials");
  const schema = find(operation, "requestBody", ...JSON_CONTENT, "schema");
  if (schema === undefined) return wrong;
  const json: unknown = JSON.parse(new TextDecoder().decode(Buffer.from(content ?? "")));
  return [...wrong, ...faults(schema, json, "$")];
}
