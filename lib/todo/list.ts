// Filters and pages of the list: out of a query, and into a Link field.

import { type Fields, HttpError } from "../http/reply.ts";
import type { Filter } from "../store/store.ts";

/** What a query asks for. Without `page` the whole filtered list is meant. */
export interface ListQuery {
  readonly filter: Filter;
  readonly page?: { readonly number: number; readonly size: number };
  /** The parameters as they came, for the links to other pages. */
  readonly given: ReadonlyMap<string, string>;
}

const PARAMETERS = new Map<string, [form: RegExp, mustBe: string]>([
  ["done", [/^(true|false)$/, "true or false"]],
  ["title_prefix", [/^/, "a text"]],
  ["page", [/^[1-9]\d{0,14}$/, "a number from 1 up"]],
  ["per_page", [/^([1-9]\d?|100)$/, "a number from 1 to 100"]],
]);

const EVERYTHING: ListQuery = {
  filter: { done: undefined, titlePrefix: undefined },
  given: new Map(),
};

const NAMES = [...PARAMETERS.keys()].join(", ");

/** Reads the query of a list. Throws 400, which names every parameter that is wrong. */
export function readListQuery(query: string): ListQuery {
  if (query === "") return EVERYTHING;
  const given = new Map<string, string>();
  const wrong: string[] = [];
  for (const [name, value] of parse(query)) {
    const [form, mustBe] = PARAMETERS.get(name) ?? [];
    if (form === undefined) wrong.push(`there is no ${name}; there are ${NAMES}`);
    else if (given.has(name)) wrong.push(`${name} may be given once`);
    else if (!form.test(value)) wrong.push(`${name} must be ${mustBe}`);
    given.set(name, value);
  }
  if (wrong.length > 0) throw new HttpError(400, wrong.join("; "));
  const done = given.get("done");
  const titlePrefix = given.get("title_prefix");
  const filter = { done: done === undefined ? done : done === "true", titlePrefix };
  if (!given.has("page") && !given.has("per_page")) return { filter, given };
  const page = {
    number: Number(given.get("page") ?? 1),
    size: Number(given.get("per_page") ?? 30),
  };
  return { filter, page, given };
}

function parse(query: string): [name: string, value: string][] {
  try {
    // URLSearchParams would make U+FFFD of what this refuses, and node has made Latin-1 of bytes.
    if (/[^!-~]/.test(query)) throw new URIError();
    decodeURIComponent(query);
  } catch {
    throw new HttpError(400, "the query is not percent-encoded UTF-8");
  }
  return [...new URLSearchParams(query)].filter(([name]) => name !== "_"); // jQuery's, against caches
}

/** The Link field of a page (RFC 8288), the filters kept; none where the list fits one page. */
export function links(uri: string, { page, given }: ListQuery, total: number): Fields {
  if (page === undefined || total <= page.size) return {};
  const { number, size } = page;
  const last = Math.ceil(total / size);
  const pages = { first: 1, prev: Math.min(number - 1, last), next: number + 1, last };
  const Link: string[] = [];
  for (const [rel, to] of Object.entries(pages)) {
    if (to < 1 || to > last) continue;
    const query = new URLSearchParams([...given]);
    query.set("page", `${to}`);
    Link.push(`<${uri}?${query}>; rel="${rel}"`);
  }
  return { Link: Link.join(", ") };
}
