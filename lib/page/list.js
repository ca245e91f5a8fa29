// The list on the screen, kept up to date without touching what the user is editing.

import { TASKS } from "./api.js";
import { isDeleting, looksDeleted, settle } from "./deletion.js";
import { clearOutbox, isUnsent } from "./outbox.js";
import * as poll from "./poll.js";
import { announce, parts, quote, say } from "./status.js";
import { Row } from "./task.js";

const NONE = { tasks: [], links: {} };
const { filter, count, tasks, empty, pages, page: number, of } = parts;

/** The service, while somebody is signed in. */
export let service;

let wanted; // the address of the page to show
let seen = NONE; // the page that is shown
let writes = 0; // under way
let isOpen = false;
let typing; // a timer
const rows = new Map(); // by the uri of the task

const all = () => new URL(`${TASKS}?per_page=20`);
// The page's own address has the query of its list: Back, reload and links work.
const addressed = () => new URL(TASKS + (location.search || all().search));
const asked = (name) => new URL(wanted).searchParams.get(name);
const numberOf = (uri) => Number(new URL(uri).searchParams.get("page") ?? 1);

filter.onsubmit = (event) => event.preventDefault();
filter.oninput = () => {
  clearTimeout(typing); // one request for a word
  typing = setTimeout(visitFiltered, 200);
};
pages.onsubmit = turnPage;
addEventListener("popstate", () => isOpen && visitAddress(addressed()));
// A page that is hidden may never run again.
document.addEventListener("visibilitychange", () => document.hidden && settle());

/** Shows the list of a user, or throws a Problem. */
export async function open(user) {
  if (service && service.username !== user.username) leave();
  let uri = addressed();
  await user.list(uri).catch((problem) => {
    if (problem.status !== 400) throw problem;
    uri = all(); // whatever the page's address says
  });
  service = user;
  isOpen = true;
  await visitAddress(uri);
}

/** Stops asking. What is being typed stays for the same user. */
export function close() {
  isOpen = false;
  clearTimeout(typing);
  poll.stop();
}

/** Forgets the list. Tasks that look deleted are deleted. */
export function leave() {
  settle();
  close();
  tasks.replaceChildren();
  rows.clear();
  seen = NONE;
  clearOutbox();
  service = undefined;
  history.replaceState(null, "", location.pathname); // the query may be private
}

/** Whether closing the page would lose something. */
export const isUnsaved = () =>
  isUnsent() || isDeleting() || [...rows.values()].some((row) => row.isUnsaved);

/** Makes changes. Polling stops: what it read before must not be shown. */
export async function write(change) {
  writes++;
  poll.stop();
  try {
    return await change(service);
  } finally {
    writes--;
    if (isOpen && writes === 0) poll.now();
  }
}

/** Shows the page of a new task: the last one. */
export async function showAdded({ uri, title }) {
  await poll.now();
  if (seen.links.next && writes === 0) await visit(seen.links.last);
  if (writes > 0 || !isOpen) return; // another page will be shown
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
  for (const name of ["done", "q"]) {
    filter.elements[name].value = uri.searchParams.get(name) ?? "";
  }
  return visit(uri, "replaceState");
}

/** Shows another page, or other tasks. `step` is for the browser's history. */
async function visit(uri, step = "pushState") {
  settle();
  wanted = String(uri);
  const { search } = new URL(uri);
  if (search !== location.search) history[step](null, "", search);
  tasks.ariaBusy = "true";
  await poll.now();
}

async function turnPage(event) {
  event.preventDefault();
  const { value } = event.submitter;
  const uri = value ? seen.links[value] : new URL(wanted);
  if (!uri) return;
  if (!value) uri.searchParams.set("page", number.value);
  await visit(uri);
  if (!pages.contains(document.activeElement)) return;
  filter.scrollIntoView();
  tasks.focus({ preventScroll: true });
  announce(tasks.ariaLabel);
}

/** One round of polling. */
export async function read(signal) {
  const tag = wanted === seen.uri ? seen.tag : undefined;
  let page = await service.list(wanted, { tag, signal });
  if (page?.tasks.length === 0 && page.total > 0) { // the last task of this page is gone
    page = await service.list(page.links.last ?? all().href, { signal });
  }
  const open = page && await countOpen(page, signal);
  if (signal.aborted) return;
  tasks.ariaBusy = null;
  if (page) show(page, open);
}

async function countOpen({ links, tasks }, signal) {
  if (asked("done")) return undefined;
  if (!links.last) return tasks.filter(({ done }) => !done).length;
  const open = new URL(links.last);
  open.searchParams.set("done", "false");
  return (await service.list(open, { signal })).total;
}

function show(page, open) {
  if (wanted !== page.uri) history.replaceState(null, "", new URL(page.uri).search);
  seen = page;
  wanted = page.uri;
  tidy();
  // Known rows, and the focus, stay where they are. New ones go between.
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
  hideDeleted();
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
  number.max = last;
  of.textContent = `of ${last}`;
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
  // Only tasks that are seen can be deleted.
  parts.deleteDone.hidden = text || done === "false" || total <= (open ?? 0);
}

/** Hides the tasks that look deleted, and no others. */
export function hideDeleted() {
  for (const [uri, row] of rows) row.element.hidden = looksDeleted(uri) && !row.isHeld;
}

/** Removes the rows that aren't in the list, if they aren't held. */
export function tidy() {
  const uris = new Set(seen.tasks.map(({ uri }) => uri));
  for (const [uri, { element, isHeld }] of rows) {
    if (uris.has(uri) || isHeld) continue;
    if (element.contains(document.activeElement)) tasks.focus({ preventScroll: true });
    element.remove();
    rows.delete(uri);
  }
}
