// Asks again and again while somebody looks, and less often while the server is away.

import { setConnection } from "./status.js";

const PERIOD = 5000; // ms
const RETRY = 1000; // after a failure; twice as long after each one more
const LONGEST = 30_000;

export class Poll {
  #ask;
  #onProblem;
  #current = new AbortController(); // of the round under way; there is at most one
  #timer;
  #failures = 0;
  #running = false;

  /** `ask(signal)` is one round. A problem that doesn't pass ends the rounds. */
  constructor(ask, onProblem) {
    this.#ask = ask;
    this.#onProblem = onProblem;
    const wake = () => this.#running && this.now();
    addEventListener("online", wake);
    document.addEventListener("visibilitychange", wake);
  }

  /** Gives up the round under way, too: what it would bring may be old already. */
  stop() {
    this.#running = false;
    this.#current.abort();
    clearTimeout(this.#timer);
  }

  /** A round at once, and others after it. */
  now() {
    this.#failures = 0; // somebody is there, and would not like to wait
    return this.#round();
  }

  async #round() {
    this.stop();
    this.#running = true;
    if (document.hidden) return;
    const { signal } = this.#current = new AbortController();
    let wait = PERIOD;
    try {
      await this.#ask(signal);
      if (signal.aborted) return;
      this.#failures = 0;
      setConnection("");
    } catch (problem) {
      if (signal.aborted) return;
      if (!problem.passes) {
        this.stop();
        return this.#onProblem(problem);
      }
      wait = Math.min(RETRY * 2 ** this.#failures++, LONGEST);
      wait = Math.max(wait, problem.retryAfter * 1000);
      setConnection(`${problem.status ? "The server is busy" : "Offline"}. Trying again…`);
    }
    this.#timer = setTimeout(() => this.#round(), wait);
  }
}
