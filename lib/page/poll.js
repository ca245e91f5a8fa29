// Asks for the list while the page is seen, and less often while that fails. Only wrong
// credentials end it.

import { Problem } from "./api.js";
import { setConnection, tell } from "./status.js";

let read; // what to do in each round
let current = new AbortController(); // of the round under way
let timer;
let failures = 0;
let isRunning = false;

const wake = () => isRunning && now();
addEventListener("online", wake);
document.addEventListener("visibilitychange", wake);

export const readWith = (reader) => read = reader;

/** Gives up the round under way, too: its response may be old. */
export function stop() {
  isRunning = false;
  current.abort();
  clearTimeout(timer);
}

/** Starts a round at once; others follow. Resolves with whether it succeeded. */
export function now() {
  failures = 0; // somebody waits
  return round();
}

async function round() {
  stop();
  isRunning = true;
  if (document.hidden) return;
  const { signal } = current = new AbortController();
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
  timer = setTimeout(round, wait * 1000);
  return failures === 0;
}
