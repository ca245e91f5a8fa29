// The list on the screen: a page of it, kept up to date without touching what somebody is at.

import { TASKS } from "./api.js";
import { clearOutbox, isUnsent } from "./outbox.js";
import { Poll } from "./poll.js";
import { announce, byId, quote, say } from "./status.js";
import { isSweeping, settleSweep, showSweep } from "./sweep.js";
import { Row } from "./task.js";

const NONE = { tasks: [], links: {} };
const [filter, count, tasks, empty, pages, number, of] = [
  "filter",
  "count",
  "tasks",
  "empty",
  "pages",
  "page",
  "of",
].map(byId);

/** Has the `service`, while somebody is signed in. */
export const list = {};

let poll;
let wanted; // the address of the page that should be seen
let seen = NONE; // the page that is
let hidden = new Map(); // tasks that look deleted, by uri
let writes = 0; // under way
let isOpen = false;
let typing; // a timer
const rows = new Map(); // by the uri of the task

const all = () => new URL(`${TASKS}?per_page=20`);
// The page's own address has the query of the list that it shows: Back, reload and links work.
const addressed = () => location.search ? new URL(TASKS + location.search) : all();
const asked = (name) => new URL(wanted).searchParams.get(name);
const numberOf = (uri) => Number(new URL(uri).searchParams.get("page") ?? 1);

/** `onSignedOut` is called when the credentials hold no more. */
export function start(onSignedOut) {
  poll = new Poll(read, onSignedOut);
  filter.onsubmit = (event) => event.preventDefault();
  filter.oninput = () => {
    clearTimeout(typing); // one request for a word, not one for each letter
    typing = setTimeout(visitFiltered, 200);
  };
  pages.onsubmit = turn;
  addEventListener("popstate", () => isOpen && visitAddress(addressed()));
  // A page that is hidden may never run again, on a phone above all.
  document.addEventListener("visibilitychange", () => document.hidden && settle());
}

/** Shows the list of a user. Throws a Problem if it can't be had. */
export async function open(service) {
  if (list.service && list.service.username !== service.username) leave();
  let uri = addressed();
  await service.list(uri).catch((problem) => {
    if (problem.status !== 400) throw problem;
    uri = all(); // whatever stands in the page's address
  });
  list.service = service;
  isOpen = true;
  await visitAddress(uri);
}

/** Stops asking. What is being typed stays, for the same user to go on with. */
export function close() {
  isOpen = false;
  clearTimeout(typing);
  poll.stop();
}

/** Forgets it all. What looks deleted is deleted, though nobody sees it. */
export function leave() {
  settle();
  close();
  for (const { element } of rows.values()) element.remove();
  rows.clear();
  seen = NONE;
  clearOutbox();
  list.service = undefined;
  history.replaceState(null, "", location.pathname); // what somebody looked for is their own
}

/** Deletes for good what looks deleted. */
export function settle() {
  for (const row of rows.values()) row.settle();
  settleSweep();
}

/** Whether something would be lost if the page were closed now. */
export const isUnsaved = () =>
  isUnsent() || isSweeping() || [...rows.values()].some((row) => row.isUnsaved);

/** Makes changes. Polling rests: what it read before them must not be shown. */
export async function write(change) {
  writes++;
  poll.stop();
  try {
    return await change(list.service);
  } finally {
    writes--;
    if (isOpen && writes === 0) poll.now();
  }
}

/** Leads to a task that was added: new ones come on the last page. */
export async function showAdded({ uri, title }) {
  await poll.now();
  if (seen.links.next && writes === 0) await visit(seen.links.last);
  if (writes > 0 || !isOpen) return; // another one will be shown
  say(`Added ${quote(title)}.${rows.has(uri) ? "" : " It isn’t among these."}`);
}

function visitFiltered() {
  const uri = all();
  for (const [name, value] of new FormData(filter)) value && uri.searchParams.set(name, value);
  // Back undoes a word, not a letter.
  const isSameWord = asked("q") && asked("done") === uri.searchParams.get("done");
  visit(uri, isSameWord ? "replaceState" : "pushState");
}

function visitAddress(uri) {
  const { done, q } = filter.elements;
  done.value = uri.searchParams.get("done") ?? "";
  q.value = uri.searchParams.get("q") ?? "";
  return visit(uri, "replaceState");
}

/** Shows another page, or other tasks. `step`: what becomes of the page's own address. */
async function visit(uri, step = "pushState") {
  settle();
  wanted = String(uri);
  const { search } = new URL(uri);
  if (search !== location.search) history[step](null, "", search);
  tasks.ariaBusy = "true";
  await poll.now();
}

async function turn(event) {
  event.preventDefault();
  const { value } = event.submitter;
  const uri = value ? seen.links[value] : new URL(wanted);
  if (!uri) return; // there is no next page
  const last = numberOf(seen.links.last);
  if (!value) uri.searchParams.set("page", Math.min(Math.max(Math.trunc(number.value), 1), last));
  await visit(uri);
  if (!pages.contains(document.activeElement)) return; // somebody is elsewhere by now
  filter.scrollIntoView();
  tasks.focus({ preventScroll: true });
  announce(tasks.ariaLabel);
}

/** One round of polling. */
async function read(signal) {
  const tag = wanted === seen.uri ? seen.tag : undefined;
  let page = await list.service.list(wanted, { tag, signal });
  if (page?.tasks.length === 0 && page.total > 0) { // the last task of this page is gone
    page = await list.service.list(page.links.last ?? all().href, { signal });
  }
  const open = page && await countOpen(page, signal);
  if (signal.aborted) return;
  tasks.ariaBusy = null;
  if (page) show(page, open);
}

async function countOpen({ links, tasks }, signal) {
  if (asked("done")) return undefined;
  if (!links.last) return tasks.filter(({ done }) => !done).length;
  const open = new URL(links.first ?? links.last);
  open.searchParams.set("done", "false");
  return (await list.service.list(open, { signal })).total;
}

function show(page, open) {
  if (wanted !== page.uri) history.replaceState(null, "", new URL(page.uri).search);
  seen = page;
  wanted = page.uri;
  tidy();
  // Known rows stay where they are, and so does the focus: new ones go between.
  let last;
  for (const task of page.tasks) {
    const known = rows.get(task.uri);
    const row = known ?? new Row(task);
    if (known) row.show(task);
    else if (last) last.element.after(row.element);
    else tasks.prepend(row.element);
    rows.set(task.uri, row);
    last = row;
  }
  hide(hidden);
  showPages(page);
  showCount(page.total, open);
}

function showPages({ links, uri }) {
  const [at, last] = [uri, links.last ?? uri].map(numberOf);
  pages.hidden = !links.last;
  for (const button of pages.querySelectorAll("[value]")) {
    button.ariaDisabled = !links[button.value]; // `disabled` would lose the focus
  }
  if (document.activeElement !== number) number.value = at;
  of.textContent = `of ${last.toLocaleString("en")}`;
  tasks.ariaLabel = links.last ? `Tasks, page ${at} of ${last}` : "Tasks";
}

function showCount(total, open) {
  const [done, text] = [asked("done"), asked("q")];
  const kind = { true: "done", false: "open" }[done] ?? (total === 1 ? "task" : "tasks");
  const rest = open ? `, ${open.toLocaleString("en")} open` : open === 0 ? ". All done." : "";
  count.textContent = `${total.toLocaleString("en")} ${kind}${total ? rest : ""}`;
  empty.hidden = total > 0;
  const none = { true: "Nothing is done yet.", false: "All done." }[done] ?? "Nothing to do.";
  empty.textContent = text ? "Nothing found." : none;
  // Only what can be seen is offered to be deleted.
  showSweep(!text && done !== "false" && total > (open ?? 0));
}

/** Hides these tasks, by uri, and no others. */
export function hide(doomed) {
  hidden = doomed;
  for (const [uri, row] of rows) row.element.hidden = hidden.has(uri) && !row.isHeld;
}

/** Takes away the rows that aren't in the list and have nothing to lose. */
export function tidy() {
  const uris = new Set(seen.tasks.map(({ uri }) => uri));
  for (const [uri, row] of rows) if (!uris.has(uri) && !row.isHeld) drop(row);
}

/** Takes a row away. If the focus was there, a neighbour gets it. */
export function drop({ element, uri }) {
  const neighbour = element.nextElementSibling ?? element.previousElementSibling;
  const hadFocus = element.contains(document.activeElement);
  element.remove();
  rows.delete(uri);
  if (hadFocus) (neighbour?.querySelector(".box:not([hidden] *)") ?? tasks).focus();
}
