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
// Tasks that look deleted, by uri: those that can be brought back, those whose deletion is under
// way, and those that are deleted but may be on the page that was read last.
let offered = new Map();
const going = new Map();
const gone = new Map();
let origin; // the button that was pressed
let timer;

const nameOf = (some) => some.length === 1 ? quote(some[0].title) : `${some.length} tasks`;

export const looksDeleted = (uri) => [offered, going, gone].some((some) => some.has(uri));
export const allDeleted = () => [offered, going, gone].flatMap((some) => [...some.values()]);
export const isDeleting = () => going.size > 0;

/** The list was read again, without the tasks that are deleted. */
export const forgetDeleted = () => gone.clear();

deleteDone.onclick = () =>
  whileBusy(deleteDone, () => service.list(`${TASKS}?done=true`))
    .then(({ tasks }) => offerUndo(tasks, deleteDone), sayProblem);

undo.onclick = () => {
  const name = nameOf([...offered.values()]);
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
export function offerUndo(doomed, button) {
  for (const task of doomed) offered.set(task.uri, task);
  const name = nameOf([...offered.values()]);
  deletedWords.textContent = `${name} deleted`;
  undo.ariaLabel = `Undo: ${name} deleted`;
  deleted.hidden = false;
  origin = button;
  undo.focus({ preventScroll: true });
  tell("changed");
  countDown();
  // Closing the page leaves time for one request. What is wrong is said after that.
  if (doomed.length === 1) service.readTag(doomed[0]).catch(() => {});
}

// Time doesn't run out while the keyboard's focus rests on Undo (WCAG 2.2.1).
function countDown() {
  clearTimeout(timer);
  const end = () => undo.matches(":focus-visible") ? countDown() : settle();
  timer = setTimeout(end, LONG_ENOUGH);
}

function endOffer() {
  clearTimeout(timer);
  offered = new Map();
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
  if (offered.size === 0) return;
  const doomed = [...offered.values()];
  for (const task of doomed) going.set(task.uri, task);
  if (document.activeElement === undo) goOn({ preventScroll: true });
  endOffer();
  summary.ariaBusy = "true";
  const problems = new Map(); // by task
  await write(async (service) => {
    await deleteAll(service, doomed, problems);
    // Again, because the responses may be lost, not the requests.
    const unsure = [...problems].filter(([, { isRefusal }]) => !isRefusal).map(([task]) => task);
    await deleteAll(service, unsure, problems);
  });
  for (const { uri } of doomed) going.delete(uri);
  if (!isDeleting()) summary.ariaBusy = null;
  tell("changed");
  const [first, ...more] = problems.keys();
  if (!first) return;
  const name = nameOf([first, ...more]);
  sayProblem([...problems.values()].at(-1), `${name} ${more.length ? "aren’t" : "isn’t"} deleted.`);
}

/** Deletes tasks, several at a time. It goes on after a failure, but not after many in a row. */
async function deleteAll(service, doomed, problems) {
  const queue = doomed.values();
  let inVain = []; // the problems since the last success
  const work = async () => {
    for (const task of queue) {
      const problem = inVain.length < 2 * AT_ONCE ? await remove(service, task) : inVain[0];
      if (problem) {
        inVain.push(problem);
        problems.set(task, problem);
      } else {
        inVain = [];
        problems.delete(task);
        gone.set(task.uri, task);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Deletes a task. Returns the problem, if there is one. */
const remove = (service, task) =>
  service.remove(task).then(
    () => undefined,
    (problem) => problem.status === 404 ? undefined : problem, // it is deleted
  );
