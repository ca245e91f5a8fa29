// Which tasks are shown: all, some, a page of them. The list is read again and again.

import { TASKS } from "./api.js";
import { forgetDeleted, isDeleting, settle } from "./deletion.js";
import { clearOutbox, isUnsent } from "./outbox.js";
import * as poll from "./poll.js";
import { begin, end, isOpen, service, writes } from "./session.js";
import { announce, parts, quote, say } from "./status.js";
import * as view from "./view.js";

const NONE = { tasks: [], links: {} };
const { filter, tasks, pages, page: number } = parts;

let wanted; // the address of the page to show
let seen = NONE; // the page that is shown
let typing; // a timer

const all = () => new URL(`${TASKS}?per_page=20`);
// The page's own address has the query of its list: Back, reload and links work.
function addressed() {
  const uri = new URL(TASKS + location.search);
  if (!uri.searchParams.has("per_page")) uri.searchParams.set("per_page", 20);
  return uri;
}
const asked = (name) => new URL(wanted).searchParams.get(name);

filter.onsubmit = (event) => event.preventDefault();
filter.oninput = () => {
  clearTimeout(typing); // one request for a word
  typing = setTimeout(visitFiltered, 200);
};
pages.onsubmit = turnPage;
poll.readWith(read);
addEventListener("added", ({ detail }) => showAdded(detail));
addEventListener("popstate", () => isOpen ? visitAddress(addressed()) : service || hideQuery());
// A page that is hidden may never run again.
document.addEventListener("visibilitychange", () => document.hidden && settle());

/** Shows the list of a user, or throws a Problem. */
export async function open(user) {
  if (service && service.username !== user.username) leave();
  wanted = addressed().href;
  const page = await load(user);
  begin(user);
  if (page) show(page);
  showFilter(wanted);
  poll.now();
}

/** Forgets the list. Tasks that look deleted are deleted. */
export function leave() {
  settle();
  clearTimeout(typing);
  view.clear();
  seen = NONE;
  clearOutbox();
  end();
  hideQuery();
}

const hideQuery = () => history.replaceState(null, "", location.pathname); // it may be private

/** Whether closing the page would lose something. */
export const isUnsaved = () => isUnsent() || isDeleting() || view.isUnsaved();

/** Shows the page of a new task: the last one, or the first one if the newest come first. */
async function showAdded({ uri, title }) {
  let isRead = await poll.now();
  const { first, prev, next, last } = seen.links;
  const away = asked("order") ? prev && first : next && last;
  if (away && writes === 0) isRead = await visit(away);
  if (writes > 0 || !isOpen) return; // another page will be shown
  const isMissing = isRead && !view.isShown(uri);
  say(`Added ${quote(title)}.${isMissing ? " It isn’t among these." : ""}`);
}

function visitFiltered() {
  if (!isOpen) return;
  const uri = all();
  for (const [name, value] of new FormData(filter)) value && uri.searchParams.set(name, value);
  // Back undoes a word, not a letter.
  const isSame = (name) => asked(name) === uri.searchParams.get(name);
  const isSameWord = asked("q") && isSame("done") && isSame("order");
  visit(uri, isSameWord ? "replaceState" : "pushState");
}

function visitAddress(uri) {
  showFilter(uri);
  return visit(uri, "replaceState");
}

function showFilter(uri) {
  const { searchParams } = new URL(uri);
  const [done, text] = ["done", "q"].map((name) => searchParams.get(name) ?? "");
  for (const radio of filter.elements.done) radio.checked = radio.value === done;
  filter.elements.q.value = text;
  filter.elements.order.checked = searchParams.get("order") === "-id";
}

/** Shows another page, or other tasks. `step` is for the browser's history. */
async function visit(uri, step = "pushState") {
  settle();
  wanted = String(uri);
  const { search } = new URL(uri);
  if (search !== location.search) history[step](null, "", search);
  tasks.ariaBusy = "true";
  return await poll.now();
}

async function turnPage(event) {
  event.preventDefault();
  const { value } = event.submitter;
  const uri = value ? seen.links[value] : new URL(wanted);
  if (!uri) return;
  number.value = number.valueAsNumber; // not 01
  if (!value) uri.searchParams.set("page", number.value);
  await visit(uri);
  const at = document.activeElement; // in Safari, a button that is clicked doesn't get the focus
  if (at !== document.body && !pages.contains(at)) return;
  filter.scrollIntoView();
  tasks.focus({ preventScroll: true });
  announce(tasks.ariaLabel);
}

/** One round of polling. */
async function read(signal) {
  const page = await load(service, signal);
  if (signal.aborted) return;
  tasks.ariaBusy = null;
  forgetDeleted();
  if (page) show(page);
}

/** The page that is wanted, or the nearest one. Undefined if it is still as it was seen. */
async function load(user, signal) {
  const tag = wanted === seen.uri ? seen.tag : undefined;
  let page = await user.list(wanted, { tag, signal }).catch((problem) => {
    if (problem.status !== 400) throw problem; // the page's address may say anything
    showFilter(all());
    return user.list(all().href, { signal });
  });
  if (page?.tasks.length === 0 && page.total > 0) { // the last task of this page is gone
    page = await user.list(page.links.last ?? all().href, { signal });
  }
  return page && { ...page, open: await countOpen(user, page, signal) };
}

async function countOpen(user, { uri, links, tasks }, signal) {
  if (new URL(uri).searchParams.has("done")) return undefined;
  if (!links.last) return tasks.filter(({ done }) => !done).length;
  const open = new URL(links.last);
  open.searchParams.set("done", "false");
  return (await user.list(open, { signal })).total;
}

function show(page) {
  const { search } = new URL(page.uri);
  if (search !== location.search) history.replaceState(null, "", search);
  wanted = page.uri;
  seen = page;
  view.show(page);
}
