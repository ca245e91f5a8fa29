// Which tasks are shown: all, some, a page of them. The list is read again and again.

import { TASKS } from "./api.js";
import { forgetDeleted, settle } from "./deletion.js";
import { clearOutbox, isUnsent } from "./outbox.js";
import { begin, end, isOpen, readNow, readWith, service, writes } from "./session.js";
import { announce, parts, quote, say } from "./status.js";
import * as view from "./view.js";

const { filter, tasks, pages, page: number } = parts;

let wanted; // the address of the page to show
let typing; // a timer

const all = () => new URL(`${TASKS}?per_page=20`);

// The page's own address has the query of its list: Back, reload and links work.
function addressed() {
  const uri = new URL(TASKS + location.search);
  if (!uri.searchParams.has("per_page")) uri.searchParams.set("per_page", 20);
  return uri.href;
}

filter.onsubmit = (event) => event.preventDefault();
filter.oninput = () => {
  clearTimeout(typing); // one request for a word
  typing = setTimeout(visitFiltered, 200);
};
pages.onsubmit = turnPage;
readWith(read);
addEventListener("added", ({ detail }) => showAdded(detail));
addEventListener("popstate", () => {
  if (!isOpen) return service || hideQuery();
  showFilter(addressed());
  visit(addressed(), "replaceState");
});
// A page that is hidden may never run again.
document.addEventListener("visibilitychange", () => document.hidden && settle());

/** Shows the list of a user, or throws a Problem. */
export async function open(user) {
  if (service && service.username !== user.username) leave();
  wanted = addressed();
  const page = await load(user);
  begin(user);
  if (page) show(page);
  showFilter(wanted);
  readNow();
}

/** Forgets the list. Tasks that look deleted are deleted. */
export function leave() {
  settle();
  clearTimeout(typing);
  view.clear();
  clearOutbox();
  end();
  hideQuery();
}

const hideQuery = () => history.replaceState(null, "", location.pathname); // it may be private

/** Whether closing the page would lose something. */
export const isUnsaved = () => writes > 0 || isUnsent() || view.isUnsaved();

/** Shows the page of a new task: the last one, or the first one if the newest come first. */
async function showAdded({ uri, title }) {
  let isRead = await readNow();
  const { first, prev, next, last } = view.page.links;
  const away = view.asked(wanted, "order") ? prev && first : next && last;
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
  const isSame = (name) => view.asked(wanted, name) === uri.searchParams.get(name);
  const isSameWord = view.asked(wanted, "q") && isSame("done") && isSame("order");
  visit(uri, isSameWord ? "replaceState" : "pushState");
}

function showFilter(uri) {
  const { done, q, order } = filter.elements;
  const chosen = view.asked(uri, "done") ?? "";
  for (const radio of done) radio.checked = radio.value === chosen;
  q.value = view.asked(uri, "q");
  order.checked = view.asked(uri, "order") === order.value;
}

/** Shows another page, or other tasks. `step` is for the browser's history. */
async function visit(uri, step = "pushState") {
  settle();
  wanted = String(uri);
  const { search } = new URL(uri);
  if (search !== location.search) history[step](null, "", search);
  tasks.ariaBusy = "true";
  return await readNow();
}

async function turnPage(event) {
  event.preventDefault();
  const { value } = event.submitter;
  const uri = value ? view.page.links[value] : new URL(wanted);
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

/** One round of reading. */
async function read(signal) {
  const page = await load(service, signal);
  if (signal.aborted) return;
  tasks.ariaBusy = null;
  forgetDeleted();
  if (page) show(page);
}

/** The page that is wanted, or the nearest one. Undefined if it is still as it was seen. */
async function load(user, signal) {
  const tag = wanted === view.page.uri ? view.page.tag : undefined;
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
  if (view.asked(uri, "done")) return undefined;
  if (!links.last) return tasks.filter(({ done }) => !done).length;
  const open = new URL(links.last);
  open.searchParams.set("done", "false");
  return (await user.list(open, { signal })).total;
}

function show(page) {
  const { search } = new URL(page.uri);
  if (search !== location.search) history.replaceState(null, "", search);
  wanted = page.uri;
  view.show(page);
}
