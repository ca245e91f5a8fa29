// The list of tasks: what a query asks for, the links between its pages, and how it is printed.

import { refuse } from "../http/members.ts";
import { type Fields, HttpError, printJson, type Reply } from "../http/reply.ts";
import { sizeOf, type Task } from "../store/store.ts";
import { type Filter, FILTERS } from "./filter.ts";
import { type Order, ORDERS, type Query } from "./lists.ts";
import { publicTask } from "./task.ts";

/** What a request for a list asks for. */
export interface ListQuery extends Query {
  /** The parameters as they were sent, for the links to other pages. */
  readonly given: ReadonlyMap<string, string>;
}

const isOrder = (name: string): name is Order => Object.hasOwn(ORDERS, name);
const PAGES = {
  order: { form: /^-?(id|title)$/, mustBe: `one of ${Object.keys(ORDERS).join(", ")}` },
  page: { form: /^[1-9]\d{0,14}$/, mustBe: "a number from 1 up" },
  per_page: { form: /^([1-9]\d?|100)$/, mustBe: "a number from 1 to 100" },
};
const LONGEST_LINK = 2000; // characters: the buffers of proxies are small
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
  refuse(faults);
  const filter: Filter = Object.fromEntries([...given].filter(([name]) => name in FILTERS));
  const name = given.get("order") ?? "id";
  const order = isOrder(name) ? name : "id";
  if (!given.has("page") && !given.has("per_page")) {
    return { filter, order, offset: 0, limit: Infinity, given };
  }
  const limit = Number(given.get("per_page") ?? 30);
  return { filter, order, offset: (Number(given.get("page") ?? 1) - 1) * limit, limit, given };
}

function parse(query: string): [name: string, value: string][] {
  if (query === "") return [];
  try {
    // URLSearchParams would turn malformed bytes into U+FFFD; node reads raw bytes as Latin-1.
    if (/[^!-~]/.test(query)) throw new URIError();
    decodeURIComponent(query);
  } catch {
    const fix = 'curl: -G --data-urlencode "q=é"';
    throw new HttpError(400, `the query is not percent-encoded UTF-8 (${fix})`);
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
  const all = Object.entries(pages).filter(([, to]) => to >= 1 && to <= last).map(([rel, to]) => {
    const query = new URLSearchParams([...given]);
    query.set("page", `${to}`);
    return `<${uri}?${query}>; rel="${rel}"`;
  });
  const Link = all.join(", ");
  if (Link.length <= LONGEST_LINK) return { Link };
  return { Link: all.filter((link) => /rel="(prev|next)"$/.test(link)).join(", ") };
}

const START = '{\n  "tasks": [';
const END = "\n  ]\n}\n";
const SLICE = 128 * 1024; // bytes of a list, about: they are read and printed at once

const PLAIN = /[ !#-[\]-~]+/g; // each is a byte of JSON; any other character is at most six

/** A task takes at most so many bytes of JSON. */
const printedSize = (task: Task) =>
  sizeOf(task) + 5 * `${task.title}${task.description}`.replace(PLAIN, "").length;

const print = (tasks: readonly Task[], origin: string) =>
  printJson({ tasks: tasks.map((task) => publicTask(task, origin)) });

/**
 * Prints a list: as text, or if it is long, in chunks. Then only the ids are kept, and a slice is
 * read again when the client has taken the one before. So a slow client costs no more than a slice.
 */
export function printList(
  tasks: readonly Task[],
  read: (ids: readonly number[]) => Promise<readonly Task[]>,
  origin: string,
): Pick<Reply, "text" | "chunks"> {
  const slices = cut(tasks);
  if (slices.length <= 1) return { text: print(tasks, origin) };
  return { chunks: printSlices(slices, read, origin) };
}

async function* printSlices(
  slices: readonly (readonly number[])[],
  read: (ids: readonly number[]) => Promise<readonly Task[]>,
  origin: string,
) {
  let separator = "";
  const printSlice = async (ids: readonly number[]) => {
    const text = print(await read(ids), origin).slice(START.length, -END.length);
    if (text === "") return ""; // all of them have been deleted
    const before = separator;
    separator = ",";
    return before + text;
  };
  yield START;
  for (const ids of slices) yield await printSlice(ids); // no variable keeps it meanwhile
  yield END;
}

/** Cuts a list into slices, and returns the ids. */
function cut(tasks: readonly Task[]): number[][] {
  const slices: number[][] = [];
  let left = 0;
  for (const task of tasks) {
    const size = printedSize(task);
    left -= size;
    if (left < 0) {
      slices.push([]);
      left = SLICE - size;
    }
    slices.at(-1)?.push(task.id);
  }
  return slices;
}
