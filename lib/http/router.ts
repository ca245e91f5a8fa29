// Patterns such as /tasks/<int:id>: match a path, build a path, find the route.

import type { Account, Call } from "./call.ts";
import { type Fields, HttpError, type Reply } from "./reply.ts";

/** The converters of `<converter:name>`: the form of a text, and how it becomes a value. */
const CONVERTERS = {
  int: { form: "0*[0-9]{1,15}", parse: Number }, // a number is exact up to 15 digits
  string: { form: "[^/]+", parse: decodeURIComponent },
};
type Converters = typeof CONVERTERS;

/** The parameters of a pattern: `Params<"/tasks/<int:id>">` is `{ id: number }`. */
export type Params<Pattern extends string> = Pattern extends
  `${string}<${infer C extends keyof Converters}:${infer Name}>${infer Rest}`
  ? { readonly [N in Name]: ReturnType<Converters[C]["parse"]> } & Params<Rest>
  : unknown;

/** A pattern of paths whose parameters are `P`. */
export interface Path<P = unknown> {
  /** As it was written: `/tasks/<int:id>`. */
  readonly pattern: string;
  /** The parameters in a path; undefined if the path does not fit the pattern. */
  match(path: string): P | undefined;
  /** The path with these parameters: the tutorial's `url_for`. */
  build(params: P): string;
}

/** Compiles a pattern: literal text, and parameters such as `<int:id>`, each within one segment. */
export function path<Pattern extends string>(pattern: Pattern): Path<Params<Pattern>>;
export function path(pattern: string): Path<Record<string, unknown>> {
  const converters = new Map(Object.entries(CONVERTERS));
  // "/tasks/<int:id>" is split into "/tasks/", "int", "id", "".
  const [start = "", ...rest] = pattern.split(/<(\w+):(\w+)>/);
  const params: { name: string; parse(text: string): unknown; after: string }[] = [];
  let form = literal(start);
  for (let i = 0; i < rest.length; i += 3) {
    const [type = "", name = "", after = ""] = rest.slice(i, i + 3);
    const converter = converters.get(type);
    if (converter === undefined) throw new Error(`${pattern}: there is no converter ${type}`);
    form += `(${converter.form})${literal(after)}`;
    params.push({ name, parse: converter.parse, after });
  }
  const expression = new RegExp(`^${form}$`);
  return {
    pattern,
    match(path) {
      if (params.length === 0) return path === pattern ? {} : undefined;
      const found = expression.exec(path);
      if (found === null) return undefined;
      const values: Record<string, unknown> = {};
      let group = 0;
      for (const { name, parse } of params) values[name] = parse(found[++group] ?? "");
      return values;
    },
    build(values) {
      let path = start;
      for (const { name, after } of params) path += encodeURIComponent(`${values[name]}`) + after;
      return path;
    },
  };
}

const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** A row of the router table. */
export interface Route {
  readonly method: string;
  readonly path: Path;
  readonly access: "user" | "anyone" | "nobody";
  // A method, not a property, so that TypeScript takes a handler of Call<P>; the router passes P.
  handle(call: Call): Promise<Reply>;
}

/** Makes a row of the router table; the handler's parameters are checked against the pattern's. */
export function route<P, U extends Account>(
  method: string,
  path: Path<P>,
  access: Route["access"],
  handle: (call: Call<P, U>) => Promise<Reply>,
): Route {
  return { method, path, access, handle };
}

/**
 * Makes the function that finds the row for a request. It throws 403 for "nobody", 404, 405, 501.
 * HEAD, OPTIONS and `Allow` follow from the table (RFC 9110 §9.3, §10.2.1). `guide` has header
 * fields for OPTIONS, 404 and 405 responses, such as a link to a description of the service.
 */
export function router(table: readonly Route[], guide: Fields = {}) {
  const known = new Set(["HEAD", "OPTIONS", ...table.map(({ method }) => method)]);
  return (method: string, path: string) => {
    const wanted = method === "HEAD" ? "GET" : method;
    for (const { method, path: { match }, access, handle } of table) {
      const params = method === wanted ? match(path) : undefined;
      if (params === undefined) continue;
      if (access === "nobody") throw new HttpError(403, `${method} is switched off here`);
      return { access, handle, params };
    }
    const here = table.filter((row) => path === "*" || row.path.match(path) !== undefined);
    if (here.length === 0) throw new HttpError(404, "", guide);
    const open = here.filter(({ access }) => access !== "nobody");
    const methods = open.flatMap(({ method }) => method === "GET" ? ["GET", "HEAD"] : [method]);
    const Allow = [...new Set(methods), "OPTIONS"].join(", ");
    const fields = { Allow, ...guide };
    if (!known.has(method)) throw new HttpError(501, `send one of ${Allow}`, fields);
    if (method !== "OPTIONS") throw new HttpError(405, `send one of ${Allow}`, fields);
    const handle = () => Promise.resolve({ status: 204, fields });
    return { access: "anyone" as const, handle, params: {} };
  };
}
