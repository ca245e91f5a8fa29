// A way back: a bar with words and a button, for some seconds before something is done for good.

export const LONG_ENOUGH = 8000; // ms

export class Undo {
  #words;
  #button;
  #offer; // while it can be taken
  #timer;

  constructor(bar) {
    [this.#words, this.#button] = bar.children;
    this.#button.onclick = () => this.end()?.undo();
  }

  /** Offers to undo. If nobody does in time, commits. */
  offer(words, { undo, commit }) {
    this.#words.textContent = words;
    this.#button.ariaLabel = `Undo: ${words}`;
    this.#offer = { undo, commit };
    this.#button.focus();
    this.#countDown();
  }

  commit() {
    this.end()?.commit();
  }

  /** Ends the offer and gives it back, so that it is taken once. */
  end() {
    clearTimeout(this.#timer);
    const offer = this.#offer;
    this.#offer = undefined;
    return offer;
  }

  #countDown() {
    this.#timer = setTimeout(() => {
      // Time doesn't run out while the keyboard's focus rests on Undo (WCAG 2.2.1).
      if (this.#button.matches(":focus-visible")) this.#countDown();
      else this.commit();
    }, LONG_ENOUGH);
  }
}
