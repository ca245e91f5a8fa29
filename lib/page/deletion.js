// Deletes tasks, with Undo: at first they only look deleted. To add them again would give them
// another uri, and another place in the list.

import { TASKS } from "./api.js";
import { isBusy, whileBusy } from "./form.js";
import { service, write } from "./session.js";
import { parts, quote, sayProblem, tell } from "./status.js";

/** Time to undo something, in ms. */
export const LONG_ENOUGH = 8000;

const { summary, deleteDone, deleted, deletedWords, undo, tasks } = parts;
let offered = new Map(); // tasks that can be brought back, by uri
const gone = new Set(); // uris of tasks that can't
let origin; // where the focus was
let timer;

export const looksDeleted = (uri) => offered.has(uri) || gone.has(uri);
export const isDeleting = () => isBusy(summary);

deleteDone.onclick = () =>
  whileBusy(deleteDone, () => service.list(`${TASKS}?done=true`))
    .then(({ tasks }) => offerUndo(tasks), sayProblem);

undo.onclick = () => {
  take();
  origin.focus();
};

/** Makes tasks look deleted. */
export function offerUndo(doomed) {
  for (const task of doomed) offered.set(task.uri, task);
  const what = offered.size === 1 ? quote(doomed[0].title) : `${offered.size} tasks`;
  deletedWords.textContent = `${what} deleted`;
  undo.ariaLabel = `Undo: ${what} deleted`;
  deleted.hidden = false;
  origin = document.activeElement;
  undo.focus();
  tell("changed");
  countDown();
}

// Time doesn't run out while the keyboard's focus rests on Undo (WCAG 2.2.1).
function countDown() {
  clearTimeout(timer);
  const end = () => undo.matches(":focus-visible") ? countDown() : settle();
  timer = setTimeout(end, LONG_ENOUGH);
}

/** Ends the offer. Returns the tasks. */
function take() {
  clearTimeout(timer);
  const taken = [...offered.values()];
  offered = new Map();
  if (document.activeElement === undo) tasks.focus({ preventScroll: true });
  deleted.hidden = true;
  tell("changed");
  return taken;
}

/** Deletes the tasks that look deleted. */
export async function settle() {
  for (const { uri } of offered.values()) gone.add(uri);
  const doomed = take();
  if (doomed.length === 0) return;
  try {
    await whileBusy(summary, () => write((service) => deleteAll(service, doomed)));
  } catch (problem) {
    for (const { uri } of doomed) gone.delete(uri);
    sayProblem(problem);
  }
  tell("changed");
}

async function deleteAll(service, doomed) {
  for (const task of doomed) {
    await service.remove(task).catch((problem) => {
      if (problem.status === 404) return;
      if (problem.status !== 412) throw problem;
      gone.delete(task.uri); // changed elsewhere, so it stays
      sayProblem(problem, task.title);
    });
  }
}
