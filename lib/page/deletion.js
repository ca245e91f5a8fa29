// Deletes tasks, with Undo: at first they only look deleted. To add them again would give them
// another uri, and another place in the list.

import { TASKS } from "./api.js";
import { whileBusy } from "./form.js";
import { service, write } from "./session.js";
import { announce, parts, quote, sayProblem, tell } from "./status.js";

/** Time to undo something, in ms. */
export const LONG_ENOUGH = 8000;
const AT_ONCE = 6; // requests: as many as a browser sends to one server

const { summary, deleteDone, deleted, deletedWords, undo, tasks } = parts;
const doomed = new Map(); // all tasks that look deleted, by uri
let offered = []; // those that can be brought back
let gone = []; // those that are deleted, but may be on the page that was read last
let origin; // the button that was pressed
let timer;

const nameOf = (some) => some.length === 1 ? quote(some[0].title) : `${some.length} tasks`;
const free = (some) => some.forEach(({ uri }) => doomed.delete(uri));

export const looksDeleted = (uri) => doomed.has(uri);
export const allDeleted = () => [...doomed.values()];

/** The list was read again, without the tasks that are deleted. */
export function forgetDeleted() {
  free(gone);
  gone = [];
}

deleteDone.onclick = () =>
  whileBusy(deleteDone, () => service.list(`${TASKS}?done=true`))
    .then(({ tasks }) => offerUndo(tasks, deleteDone), sayProblem);

undo.onclick = () => {
  const name = nameOf(offered);
  free(offered);
  endOffer();
  (origin.checkVisibility() ? origin : tasks).focus({ preventScroll: true });
  announce(`Undone: ${name}.`);
};

// Undo stands far from the row. The next Tab leads back to there.
undo.onkeydown = (event) => {
  if (event.key !== "Escape" && (event.key !== "Tab" || event.shiftKey)) return;
  event.preventDefault();
  goOn();
};

/** Makes tasks look deleted. `button` was pressed for it. */
export function offerUndo(some, button) {
  offered.push(...some.filter(({ uri }) => !doomed.has(uri)));
  if (offered.length === 0) return;
  for (const task of offered) doomed.set(task.uri, task);
  deletedWords.textContent = `${nameOf(offered)} deleted`;
  undo.ariaLabel = `Undo: ${deletedWords.textContent}`;
  deleted.hidden = false;
  origin = button;
  undo.focus({ preventScroll: true });
  tell("changed");
  countDown();
  // Closing the page leaves time for one request. What is wrong is said after that.
  if (some.length === 1) service.readTag(some[0]).catch(() => {});
}

// Time doesn't run out while the keyboard's focus rests on Undo (WCAG 2.2.1).
function countDown() {
  clearTimeout(timer);
  const end = () => undo.matches(":focus-visible") ? countDown() : settle();
  timer = setTimeout(end, LONG_ENOUGH);
}

function endOffer() {
  clearTimeout(timer);
  offered = [];
  deleted.hidden = true;
  tell("changed");
}

/** Moves the focus to the next row's button, or to one before. */
function goOn(options) {
  const buttons = [...tasks.querySelectorAll(".delete")];
  const isSeen = (button) => button.checkVisibility();
  const after = buttons.slice(buttons.indexOf(origin) + 1);
  (after.find(isSeen) ?? buttons.findLast(isSeen) ?? tasks).focus(options);
}

/** Deletes the tasks that look deleted. */
export async function settle() {
  if (offered.length === 0) return;
  const queue = offered.values();
  if (document.activeElement === undo) goOn({ preventScroll: true });
  endOffer();
  const left = [];
  let problem; // the last one
  let inVain = 0; // since the last success
  const work = async (service) => {
    for (const task of queue) {
      try {
        if (inVain > 2 * AT_ONCE) throw problem;
        await service.remove(task);
        inVain = 0;
        gone.push(task);
      } catch (error) {
        problem = error;
        inVain++;
        left.push(task);
      }
    }
  };
  const all = (service) => Promise.all(Array.from({ length: AT_ONCE }, () => work(service)));
  await whileBusy(summary, () => write(all));
  free(left);
  tell("changed");
  if (left.length === 0) return;
  sayProblem(problem, `${nameOf(left)} ${left.length > 1 ? "aren’t" : "isn’t"} deleted.`);
}
