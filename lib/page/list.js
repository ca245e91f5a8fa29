// Which tasks are shown: all, some, a page of them. The list is read again and again.

import { TASKS } from "./api.js";
import { isDeleting, settle } from "./deletion.js";
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
const addressed = () => new URL(TASKS + (location.search || all().search));
const asked = (name) => new URL(wanted).searchParams.get(name);

filter.onsubmit = (event) => event.preventDefault();
filter.oninput = () => {
  clearTimeout(typing); // one request for a word
  typing = setTimeout(visitFiltered, 200);
};
pages.onsubmit = turnPage;
poll.readWith(read);
addEventListener("added", ({ detail }) => showAdded(detail));
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
  begin(user);
  await visitAddress(uri);
}

/** Forgets the list. Tasks that look deleted are deleted. */
export function leave() {
  settle();
  clearTimeout(typing);
  view.clear();
  seen = NONE;
  clearOutbox();
  end();
  history.replaceState(null, "", location.pathname); // the query may be private
}

/** Whether closing the page would lose something. */
export const isUnsaved = () => isUnsent() || isDeleting() || view.isUnsaved();

/** Shows the page of a new task: the last one. */
async function showAdded({ uri, title }) {
  await poll.now();
  if (seen.links.next && writes === 0) await visit(seen.links.last);
  if (writes > 0 || !isOpen) return; // another page will be shown
  say(`Added ${quote(title)}.${view.isShown(uri) ? "" : " It isn’t among these."}`);
}

function visitFiltered() {
  if (!isOpen) return;
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
async function read(signal) {
  const tag = wanted === seen.uri ? seen.tag : undefined;
  let page = await service.list(wanted, { tag, signal });
  if (page?.tasks.length === 0 && page.total > 0) { // the last task of this page is gone
    page = await service.list(page.links.last ?? all().href, { signal });
  }
  const open = page && await countOpen(page, signal);
  if (signal.aborted) return;
  tasks.ariaBusy = null;
  if (!page) return;
  if (wanted !== page.uri) history.replaceState(null, "", new URL(page.uri).search);
  wanted = page.uri;
  seen = { ...page, open };
  view.show(seen);
}

async function countOpen({ links, tasks }, signal) {
  if (asked("done")) return undefined;
  if (!links.last) return tasks.filter(({ done }) => !done).length;
  const open = new URL(links.last);
  open.searchParams.set("done", "false");
  return (await service.list(open, { signal })).total;
}
