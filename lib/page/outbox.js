// New tasks, sent one after another while the next one is typed.

import { Problem } from "./api.js";
import { isBusy, isTyped, onSubmit, showProblem, whileBusy } from "./form.js";
import { service, showAdded, write } from "./list.js";
import { parts, quote } from "./status.js";

const { add: form, outbox, unsent } = parts;
const { title, description } = form.elements;
let waiting = [];

onSubmit(form, () => {
  add({ title: title.value.trim(), description: description.value });
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
  if (added) await showAdded(added);
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
    title.value = task.title;
    description.value = task.description;
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
