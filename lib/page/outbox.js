// New tasks, sent one after another while the next one is typed.

import { Problem, TEXTS } from "./api.js";
import { isBusy, isTyped, onSubmit, showProblem, textsIn, whileBusy } from "./form.js";
import { service, write } from "./session.js";
import { parts, quote, tell } from "./status.js";

const { add: form, outbox, unsent } = parts;
const { title } = form.elements;
let waiting = [];
let offer; // to add pasted lines as tasks

// Pasted lines become one title, or a task each, as the user likes.
title.onpaste = ({ clipboardData }) => {
  offer?.remove();
  const lines = clipboardData.getData("text").split(/[\r\n]+/)
    .map((line) => line.replace(/^\s*[-*•]\s/, "").trim()).filter(Boolean);
  if (lines.length < 2 || title.value) return;
  offer = addRow("status", `${lines.length} lines are pasted.`, `Add ${lines.length} tasks`, () => {
    form.reset();
    for (const line of lines) add({ ...textsIn(form), title: line });
  });
};

onSubmit(form, () => {
  offer?.remove();
  add(textsIn(form));
  form.reset();
  title.focus();
});

export const isUnsent = () => unsent.hasChildNodes() || isTyped(form);

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
  await whileBusy(outbox, () =>
    write(async () => {
      while (waiting.length > 0) {
        const task = waiting.shift();
        const sender = service;
        const isHere = () => service?.username === sender.username;
        try {
          const saved = await sender.add(task);
          if (isHere()) added = saved;
        } catch (problem) {
          if (!(problem instanceof Problem)) throw problem;
          if (isHere()) bringBack(task, problem);
        }
      }
    }));
  if (added) tell("added", added);
}

/** Puts a task into the form; or below it, while another one is typed. */
export function bringBack(task, problem) {
  if (problem.isUnsure) problem.message += " Perhaps it is saved: Add looks for it first.";
  if (!isTyped(form) && !unsent.hasChildNodes()) {
    for (const name of TEXTS) form.elements[name].value = task[name];
    return showProblem(form, problem);
  }
  const what = problem.isUnsure ? ":" : " isn’t saved.";
  const words = `${quote(task.title)}${what} ${problem.message}`;
  addRow("alert", words, "Add again", () => add(task));
}

/** Adds a row below the form, with a button that ends it. */
function addRow(role, words, label, act) {
  const [row, button] = ["p", "button"].map((name) => document.createElement(name));
  row.role = role;
  button.textContent = label;
  button.onclick = () => {
    row.remove();
    title.focus();
    act();
  };
  row.append(`${words} `, button);
  unsent.append(row);
  return row;
}
