// Asks again and again while somebody looks, and less often while that fails.

import { Problem } from "./api.js";
import { setConnection } from "./status.js";

const PERIOD = 5000; // ms
const RETRY = 1000; // after a failure; twice as long after each one more
const LONGEST = 30_000;

export class Poll {
  #ask;
  #onSignedOut;
  #current = new AbortController(); // of the round under way
  #timer;
  #failures = 0;
  #isRunning = false;

  /** `ask(signal)` is one round. Wrong credentials end the rounds, and nothing else does. */
  constructor(ask, onSignedOut) {
    this.#ask = ask;
    this.#onSignedOut = onSignedOut;
    const wake = () => this.#isRunning && this.now();
    addEventListener("online", wake);
    document.addEventListener("visibilitychange", wake);
  }

  /** Gives up the round under way, too: it may bring what is old already. */
  stop() {
    this.#isRunning = false;
    this.#current.abort();
    clearTimeout(this.#timer);
  }

  /** A round at once, and others after it. */
  now() {
    this.#failures = 0; // somebody is there and waits
    return this.#round();
  }

  async #round() {
    this.stop();
    this.#isRunning = true;
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
      if (problem.status === 401) return this.#onSignedOut();
      if (!(problem instanceof Problem)) reportError(problem); // a bug is for the console
      wait = Math.min(RETRY * 2 ** this.#failures++, LONGEST);
      wait = Math.max(wait, (problem.retryAfter ?? 0) * 1000);
      setConnection(`${problem.message} Trying again…`);
    }
    this.#timer = setTimeout(() => this.#round(), wait);
  }
}
