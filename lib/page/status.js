// Messages: shown at the foot of the screen, and read out.

import { Problem } from "./api.js";

/** The elements of the page, by id. */
export const parts = Object.fromEntries(
  [...document.querySelectorAll("[id]")].map((element) => [element.id, element]),
);

/** Tells the scripts above this one what has happened. They listen on `window`. */
export const tell = (name, detail) => dispatchEvent(new CustomEvent(name, { detail }));

const { toast, connection, said, announcement } = parts;
let timer;

/** Shows words for some seconds. */
export function say(words) {
  announce(words);
  show(said, words);
  clearTimeout(timer);
  timer = setTimeout(show, 6000, said, "");
}

/** Only for screen readers. */
export function announce(words) {
  announcement.textContent = words;
}

/** Says what is wrong with the connection; "" if nothing is. */
export function setConnection(words) {
  if (connection.textContent === words) return; // it isn't read out twice
  announce(words);
  show(connection, words);
}

/** Says what went wrong, and with what, if that isn't clear. Throws what is a bug. */
export function sayProblem(problem, what) {
  if (!(problem instanceof Problem)) throw problem;
  say(what ? `${what} ${problem.advice}` : problem.advice);
}

/** A title in quotation marks, cut if it is very long. */
export const quote = (title) => `“${title.replace(/^(.{59}).{2,}$/su, "$1…")}”`;

function show(line, words) {
  line.textContent = words;
  toast.hidePopover();
  if (said.textContent + connection.textContent) toast.showPopover(); // above dialogs
}
