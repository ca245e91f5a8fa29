// What is shown of the list: the page that was read last, without what looks deleted. All of it
// is drawn here, again after each change, without touching what the user is editing.

import { allDeleted, looksDeleted } from "./deletion.js";
import { parts } from "./status.js";
import { Row } from "./task.js";

const { count, tasks, empty, pages, page: number, of, deleteDone } = parts;
const NONE = { tasks: [], links: {} };

/** The page that is shown: as it was read, with the number of its tasks that are `open`. */
export let page = NONE;
const rows = new Map(); // by the uri of the task

addEventListener("changed", draw);

/** Whether closing the page would lose something. */
export const isUnsaved = () => [...rows.values()].some((row) => row.isUnsaved);
export const isShown = (uri) => rows.has(uri);

/** Shows a page that was read. */
export function show(read) {
  page = read;
  for (const task of page.tasks) rows.get(task.uri)?.show(task);
  draw();
}

/** Forgets everything. */
export function clear() {
  page = NONE;
  rows.clear();
  tasks.replaceChildren();
}

function draw() {
  if (page === NONE) return;
  drawRows();
  drawPages();
  drawCount();
}

/** Known rows, and the focus, stay where they are. New ones go between. */
function drawRows() {
  const uris = new Set(page.tasks.map(({ uri }) => uri));
  for (const [uri, row] of rows) {
    const { element } = row;
    const isDeleted = looksDeleted(uri) && !row.isOpen;
    if (isDeleted) row.release();
    const isOver = !uris.has(uri) && !row.isHeld;
    element.hidden = isOver || isDeleted;
    if (element.hidden && element.contains(document.activeElement)) {
      tasks.focus({ preventScroll: true });
    }
    if (!isOver) continue;
    element.remove();
    rows.delete(uri);
  }
  let last;
  for (const task of page.tasks) {
    const row = rows.get(task.uri) ?? new Row(task);
    if (!rows.has(task.uri)) last ? last.element.after(row.element) : tasks.prepend(row.element);
    rows.set(task.uri, row);
    last = row;
  }
}

function drawPages() {
  const { links, uri } = page;
  const [at, last] = [uri, links.last ?? uri].map((uri) => asked(uri, "page") ?? 1);
  pages.hidden = !links.last;
  for (const button of pages.querySelectorAll("[value]")) {
    button.ariaDisabled = !links[button.value]; // `disabled` would lose the focus
  }
  if (document.activeElement !== number) number.value = at;
  number.max = last;
  of.textContent = `of ${last}`;
  tasks.ariaLabel = links.last ? `Tasks, page ${at} of ${last}` : "Tasks";
}

function drawCount() {
  const [done, text] = ["done", "q"].map((name) => asked(page.uri, name));
  // What looks deleted is not counted: on this page and, of the tasks of any text, on others.
  const here = new Map(page.tasks.map((task) => [task.uri, task]));
  const less = allDeleted().map((task) => here.get(task.uri) ?? task)
    .filter((task) => here.has(task.uri) || !text && (!done || `${task.done}` === done));
  const total = page.total - less.length;
  const open = page.open && page.open - less.filter((task) => !task.done).length;
  const kind = { true: "done", false: "open" }[done] ?? (total === 1 ? "task" : "tasks");
  const rest = open ? `, ${open.toLocaleString("en")} open` : open === 0 ? ". All done." : "";
  const words = `${total.toLocaleString("en")} ${kind}${total ? rest : ""}`;
  if (count.textContent !== words) count.textContent = words; // it is read out
  empty.hidden = [...rows.values()].some(({ element }) => !element.hidden);
  const none = { true: "Nothing is done yet.", false: "All done." }[done] ?? "Nothing to do.";
  empty.textContent = total > 0 ? "No more on this page." : text ? "Nothing found." : none;
  // Only tasks that are seen can be deleted.
  deleteDone.hidden = text || done === "false" || total <= (open ?? 0);
}

/** What the query of an address says. */
export const asked = (uri, name) => new URL(uri).searchParams.get(name);
