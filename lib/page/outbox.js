// New tasks, sent one after another while the next one is typed.

import { Problem, TEXTS } from "./api.js";
import { isBusy, isTyped, onSubmit, showProblem, textsIn, whileBusy } from "./form.js";
import { service, write } from "./session.js";
import { parts, quote, tell } from "./status.js";

const { add: form, outbox, unsent } = parts;
const { title } = form.elements;
let waiting = [];

onSubmit(form, () => {
  add(textsIn(form));
  form.reset();
  title.focus();
});

export const isUnsent = () => isBusy(outbox) || unsent.hasChildNodes() || isTyped(form);

export function add(task) {
  waiting.push(task);
  if (!isBusy(outbox)) send();
}

export function clearOutbox() {
  waiting = [];
  unsent.replaceChildren();
  form.reset();
}

async function send() {
  let added;
  const sendAll = async () => {
    while (waiting.length > 0) added = await sendOne(waiting.shift()) ?? added;
  };
  await whileBusy(outbox, () => write(sendAll));
  if (added) tell("added", added);
}

async function sendOne(task) {
  const sender = service;
  const isHere = () => service?.username === sender.username;
  try {
    const added = await sender.add(task);
    if (isHere()) return added;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (isHere()) bringBack(task, problem);
  }
}

/** Puts a task into the form; or below it, while another one is typed. */
export function bringBack(task, problem) {
  if (!isTyped(form) && !unsent.hasChildNodes()) {
    for (const name of TEXTS) form.elements[name].value = task[name];
    return showProblem(form, problem);
  }
  const [row, again] = ["p", "button"].map((name) => document.createElement(name));
  row.role = "alert";
  again.textContent = "Add again";
  again.onclick = () => {
    row.remove();
    title.focus();
    add(task);
  };
  row.append(`${quote(task.title)} isn’t saved. ${problem.message} `, again);
  unsent.append(row);
}
