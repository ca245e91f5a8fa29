// Who is signed in, and whose turn it is: one's own changes, or reading the list again and again.

import { Problem } from "./api.js";
import { setConnection, tell } from "./status.js";

/** The service, while somebody is signed in. */
export let service;
export let isOpen = false; // the list is shown and kept up to date
export let writes = 0; // changes under way

let read; // what to do in each round
let round = new AbortController(); // under way
let timer;
let failures = 0;

const wake = () => isOpen && writes === 0 && readNow();
addEventListener("online", wake);
document.addEventListener("visibilitychange", wake);

export const readWith = (reader) => read = reader;

export function begin(user) {
  service = user;
  isOpen = true;
}

/** Stops reading. What is being typed stays for the same user. */
export function pause() {
  isOpen = false;
  stop();
}

export function end() {
  pause();
  service = undefined;
}

/** Makes changes. What was read before must not be shown any more. */
export async function write(change) {
  writes++;
  stop();
  try {
    return await change(service);
  } finally {
    writes--;
    wake();
  }
}

/** Starts a round at once; others follow. Resolves with whether it succeeded. */
export function readNow() {
  failures = 0; // somebody waits
  return readOn();
}

function stop() {
  round.abort();
  clearTimeout(timer);
}

// While the page is seen, and less often while that fails. Only wrong credentials end it.
async function readOn() {
  stop();
  if (document.hidden) return;
  const { signal } = round = new AbortController();
  let wait = 5; // seconds
  try {
    await read(signal);
    if (signal.aborted) return;
    failures = 0;
    setConnection("");
  } catch (problem) {
    if (signal.aborted) return;
    if (problem.status === 401) return tell("signedout");
    const isBug = !(problem instanceof Problem);
    if (isBug) reportError(problem); // for the console
    wait = Math.max(Math.min(2 ** failures++, 30), problem.retryAfter ?? 0);
    const words = isBug ? "Something went wrong in this page." : problem.message;
    setConnection(`${words} Trying again…`);
  }
  timer = setTimeout(readOn, wait * 1000);
  return failures === 0;
}
