// Deletes everything that is done, with one way back for all.

import { Problem, TASKS } from "./api.js";
import { whileBusy } from "./form.js";
import { hide, list, write } from "./list.js";
import { byId, say } from "./status.js";
import { Undo } from "./undo.js";

const [button, bar, tasks] = ["delete-done", "deleted-done", "tasks"].map(byId);
const undo = new Undo(bar);
let isDeleting = false;

button.onclick = () => attempt(button, offerUndo);

export const isSweeping = () => isDeleting;
export const settleSweep = () => undo.commit();

export function showSweep(isPossible) {
  button.hidden = !isPossible || !bar.hidden;
}

async function offerUndo() {
  const { tasks } = await list.service.list(`${TASKS}?done=true`);
  const doomed = new Map(tasks.map((task) => [task.uri, task]));
  bar.hidden = false;
  undo.offer(`${doomed.size} done ${doomed.size === 1 ? "task" : "tasks"} deleted`, {
    undo: () => end(new Map()),
    commit: () => attempt(bar, () => deleteAll(doomed)),
  });
  button.hidden = true;
  hide(doomed);
}

async function deleteAll(doomed) {
  isDeleting = true;
  await write(async (service) => {
    for (const [uri, task] of doomed) {
      await service.remove(task).catch((problem) => {
        if (problem.status === 412) doomed.delete(uri); // changed elsewhere, and so it stays
        else if (problem.status !== 404) throw problem;
      });
    }
  });
  end(doomed);
}

function end(gone) {
  isDeleting = false;
  hide(gone);
  if (bar.contains(document.activeElement)) tasks.focus();
  bar.hidden = true;
  button.hidden = gone.size > 0;
}

async function attempt(element, change) {
  try {
    await whileBusy(element, change);
  } catch (problem) {
    end(new Map());
    if (!(problem instanceof Problem)) throw problem;
    say(problem.advice);
  }
}
