// New tasks on their way: sent one after another, so that the next one can be typed at once.

import { Problem } from "./api.js";
import { clear, isTyped, onSubmit, showProblem, whileBusy } from "./form.js";
import { list, showAdded, write } from "./list.js";
import { byId, quote } from "./status.js";

const [area, form, unsent] = ["new", "add", "unsent"].map(byId);
const { title, description } = form.elements;
let waiting = []; // { service, task }
let isSending = false;

onSubmit(form, () => {
  add({ title: title.value.trim(), description: description.value });
  form.reset();
  title.focus();
});

export const isUnsent = () => isSending || unsent.hasChildNodes() || isTyped(form);

export function add(task) {
  waiting.push({ service: list.service, task });
  if (!isSending) send();
}

export function clearOutbox() {
  waiting = [];
  unsent.replaceChildren();
  clear(form);
}

async function send() {
  isSending = true;
  let added;
  const sendAll = async () => {
    while (waiting.length > 0) added = await sendOne(waiting.shift()) ?? added;
  };
  await whileBusy(area, () => write(sendAll)).finally(() => isSending = false);
  if (added) await showAdded(added);
}

async function sendOne({ service, task }) {
  const isHere = () => list.service?.username === service.username;
  try {
    const added = await service.add(task);
    if (isHere()) return added;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (isHere()) bringBack(task, problem);
  }
}

// Into the form; or below it, while another task is being typed there.
function bringBack(task, problem) {
  if (!isTyped(form) && !unsent.hasChildNodes()) {
    title.value = task.title;
    description.value = task.description;
    return showProblem(form, problem);
  }
  const [row, words, again] = ["div", "p", "button"].map((name) => document.createElement(name));
  row.role = "alert";
  words.textContent = `${quote(task.title)} wasn’t added. ${problem.message}`;
  again.textContent = "Try again";
  again.onclick = () => {
    row.remove();
    title.focus();
    add(task);
  };
  row.append(words, again);
  unsent.append(row);
}
