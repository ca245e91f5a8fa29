// The list of tasks: what a query asks for, the links between its pages, and how it is printed.

import { refuse } from "../http/members.ts";
import { type Fields, HttpError } from "../http/reply.ts";
import { type Filter, FILTERS } from "../store/filter.ts";
import type { Task } from "../store/store.ts";
import { printTask } from "./task.ts";

/** What a query asks for: at most `limit` tasks that pass the filter, after the first `offset`. */
export interface ListQuery {
  readonly filter: Filter;
  readonly offset: number;
  readonly limit: number;
  /** The parameters as they were sent, for the links to other pages. */
  readonly given: ReadonlyMap<string, string>;
}

const PAGES = {
  page: { form: /^[1-9]\d{0,14}$/, mustBe: "a number from 1 up" },
  per_page: { form: /^([1-9]\d?|100)$/, mustBe: "a number from 1 to 100" },
};
const PARAMETERS = new Map(Object.entries({ ...FILTERS, ...PAGES }));
const NAMES = [...PARAMETERS.keys()].join(", ");

/** Reads the query of a list. Throws 400, which names every parameter that is wrong. */
export function readListQuery(query: string): ListQuery {
  const given = new Map<string, string>();
  const faults: [name: string, fault: string][] = [];
  for (const [name, value] of parse(query)) {
    const { form, mustBe } = PARAMETERS.get(name) ?? {};
    if (form === undefined) faults.push([name.slice(0, 50), `is unknown; there are ${NAMES}`]);
    else if (given.has(name)) faults.push([name, "may be given only once"]);
    else if (!form.test(value)) faults.push([name, `must be ${mustBe}`]);
    given.set(name, value);
  }
  refuse(faults.slice(0, 5));
  const filter: Filter = Object.fromEntries([...given].filter(([name]) => name in FILTERS));
  if (!given.has("page") && !given.has("per_page")) {
    return { filter, offset: 0, limit: Infinity, given };
  }
  const limit = Number(given.get("per_page") ?? 30);
  return { filter, offset: (Number(given.get("page") ?? 1) - 1) * limit, limit, given };
}

function parse(query: string): [name: string, value: string][] {
  if (query === "") return [];
  try {
    // URLSearchParams would turn malformed bytes into U+FFFD; node reads raw bytes as Latin-1.
    if (/[^!-~]/.test(query)) throw new URIError();
    decodeURIComponent(query);
  } catch {
    throw new HttpError(400, "the query is not percent-encoded UTF-8");
  }
  // jQuery adds _ to get past caches.
  return [...new URLSearchParams(query)].filter(([name]) => name !== "_");
}

/** The Link field of a page (RFC 8288), filters kept; none if the list fits one page. */
export function links(uri: string, { offset, limit, given }: ListQuery, total: number): Fields {
  if (total <= limit) return {};
  const page = offset / limit + 1;
  const last = Math.ceil(total / limit);
  const pages = { first: 1, prev: Math.min(page - 1, last), next: page + 1, last };
  const Link: string[] = [];
  for (const [rel, to] of Object.entries(pages)) {
    if (to < 1 || to > last) continue;
    const query = new URLSearchParams([...given]);
    query.set("page", `${to}`);
    Link.push(`<${uri}?${query}>; rel="${rel}"`);
  }
  return { Link: Link.join(", ") };
}

const START = '{\n  "tasks": [';
const END = "\n  ]\n}\n";

const printItems = (tasks: readonly Task[], origin: string) =>
  tasks.map((task) => `\n    ${printTask(task, origin, "    ")}`).join(",");

/** Prints a short list. */
export const printList = (tasks: readonly Task[], origin: string) =>
  tasks.length === 0 ? `${START}]\n}\n` : START + printItems(tasks, origin) + END;

/** Prints a list slice by slice: its first tasks, and `count` more. */
export async function* printLongList(
  first: readonly Task[],
  rest: AsyncIterable<readonly Task[]>,
  count: number,
  origin: string,
) {
  yield START + printItems(first, origin);
  for await (const slice of rest) {
    const tasks = slice.slice(0, count);
    if (tasks.length > 0) yield `,${printItems(tasks, origin)}`;
    count -= tasks.length;
    if (count === 0) break;
  }
  yield END;
}
