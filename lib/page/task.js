// A task on the screen: shown, ticked, edited in place.

import { FIELDS, isLike, Problem, TEXTS } from "./api.js";
import { LONG_ENOUGH, offerUndo } from "./deletion.js";
import { changesIn, clearErrors, isBusy, isTyped, onSubmit, textsIn, whileBusy } from "./form.js";
import { bringBack } from "./outbox.js";
import { service, write } from "./session.js";
import { announce, parts, quote, sayProblem, tell } from "./status.js";

// A run of characters that begins with an address. Marks of a sentence may follow in it.
const RUN = /(\bhttps?:\/\/[^\s<>"。、，；：！？「」（）]+)/i;
const MARKS = ".,;:!?'’”[](";

export class Row {
  element = parts.row.content.cloneNode(true).firstElementChild;
  #view = this.#part("view");
  #box = this.#part("box");
  #edit = this.#part("edit");
  #delete = this.#part("delete");
  #editor = this.#part("editor");
  #fields = TEXTS.map((name) => this.#editor.elements[name]);
  #task; // as it is shown
  #base; // as it was when editing began, or at the last save
  #sent; // the texts that are being saved
  #heldUntil = 0; // for a tick to be undone

  constructor(task) {
    this.#box.onchange = () => this.#tick();
    this.#box.onkeyup = ({ key }) => {
      if (key === "Enter") this.#open();
    };
    this.#part("text").onclick = ({ target }) => {
      if (!target.closest("a") && getSelection().isCollapsed) this.#open();
    };
    this.#edit.onclick = () => this.#open();
    this.#delete.onclick = () => offerUndo([this.#task], this.#delete);
    onSubmit(this.#editor, () => this.#save());
    this.#editor.onkeydown = ({ key, isComposing, keyCode }) => {
      // In Safari, only 229 tells that the key ends a composition.
      if (key === "Escape" && !isComposing && keyCode !== 229) this.#cancel();
    };
    this.#part("cancel").onclick = () => this.#cancel();
    this.#editor.querySelector(".delete").onclick = () => {
      this.#cancel(); // which asks before it throws text away
      if (this.#editor.hidden) offerUndo([this.#task], this.#delete);
    };
    this.show(task);
  }

  #part(name) {
    return this.element.querySelector(`.${name}`);
  }

  /** Whether the row must stay, even if it isn't in the list. */
  get isHeld() {
    return this.isOpen || isBusy(this.element) || isBusy(this.#editor) ||
      performance.now() < this.#heldUntil;
  }

  /** Whether its editor is open. */
  get isOpen() {
    return !this.#editor.hidden;
  }

  /** It need not stay any more. */
  release() {
    this.#heldUntil = 0;
  }

  /** Whether closing the page would lose something. */
  get isUnsaved() {
    return isBusy(this.#editor) || this.isOpen && isTyped(this.#editor);
  }

  /** Shows the task as it is now. What is being typed stays. */
  show(task) {
    // An object that reads the same stays: it has its tag, and changes under way begin at it.
    if (this.#task && isLike(task, this.#task)) return;
    const { title, done } = this.#task = task;
    for (const name of TEXTS) {
      const shown = this.#part(name);
      if (shown.textContent !== task[name]) shown.replaceChildren(...linked(task[name]));
    }
    this.element.classList.toggle("done", done);
    if (!isBusy(this.element)) this.#box.checked = done;
    this.#box.ariaLabel = quote(title);
    this.#edit.ariaLabel = `Edit ${quote(title)}`;
    this.#delete.ariaLabel = `Delete ${quote(title)}`;
  }

  async #tick() {
    if (isBusy(this.element)) return; // #sendTick looks again
    try {
      await whileBusy(this.element, () => this.#sendTick());
    } catch (problem) {
      if (problem.now) this.show(problem.now);
      sayProblem(problem, `${quote(this.#task.title)}:`);
    }
    this.#box.checked = this.#task.done;
    // Whatever the filter, the row stays long enough to undo the tick.
    this.#heldUntil = performance.now() + LONG_ENOUGH;
    setTimeout(tell, LONG_ENOUGH + 100, "changed");
  }

  async #sendTick() {
    while (this.#box.checked !== this.#task.done) { // pressed again meanwhile
      const done = this.#box.checked;
      this.show(await write(() => service.update(this.#task, { done })));
      if (this.#task.done !== done) throw new Problem(500, "The server didn’t keep it.");
    }
  }

  #open() {
    if (!isBusy(this.#editor)) { // otherwise its texts are being saved
      for (const field of this.#fields) field.value = this.#task[field.name];
      this.#begin(this.#task);
    }
    this.#showOnly(this.#editor);
    this.#fields[0].focus();
  }

  /** From now on, changes are to this task and to these texts. */
  #begin(base, texts = this.#fields.map(({ value }) => value)) {
    this.#base = base;
    this.#fields.forEach((field, i) => field.defaultValue = texts[i]);
  }

  /** Closes the editor. Asks, if what was typed would be lost. */
  #cancel() {
    const isSaved = isBusy(this.#editor)
      ? this.#fields.every(({ value }, i) => value === this.#sent[i])
      : !isTyped(this.#editor);
    if (isSaved || confirm("Throw away what you have typed?")) this.#close();
  }

  #close() {
    clearErrors(this.#editor);
    this.#showOnly(this.#view, this.#edit);
    tell("changed");
  }

  async #save() {
    const texts = this.#sent = this.#fields.map(({ value }) => value); // typing may go on
    const all = textsIn(this.#editor);
    // Only what was typed: a field can't show a line break in a title.
    const changes = changesIn(this.#editor);
    if (changes.title) changes.title = changes.title.trim();
    try {
      const saved = await this.#saveOrChoose(this.#base, changes);
      if (!saved) return;
      this.show(saved);
      this.#begin(saved, texts);
      announce("Saved.");
    } catch (problem) {
      this.#showOnly(this.#editor);
      if (problem.status !== 404) throw problem;
      bringBack(all, problem);
      return this.#close();
    }
    if (!this.#editor.hidden && !isTyped(this.#editor)) this.#close();
  }

  /** Returns the task as it is then; nothing if editing goes on. */
  async #saveOrChoose(base, changes) {
    try {
      const isChanged = Object.keys(changes).length > 0;
      return isChanged ? await write(() => service.update(base, changes)) : base;
    } catch (problem) {
      const { now: theirs } = problem;
      if (!theirs) throw problem;
      this.show(theirs);
      this.#showOnly(this.#editor);
      const whole = { ...base, ...changes };
      const mine = Object.fromEntries(FIELDS.map((name) => [name, whole[name]]));
      const choice = await choose({ mine, theirs });
      // Mine, as it was shown, replaces only this version.
      return choice === "mine" ? this.#saveOrChoose(theirs, mine) : choice && theirs;
    }
  }

  /** Shows one part. If the focus was in the row, it goes to `control`. */
  #showOnly(part, control) {
    const hadFocus = this.element.contains(document.activeElement);
    for (const one of [this.#view, this.#editor]) one.hidden = one !== part;
    if (hadFocus) control?.focus();
  }
}

/** A text as nodes, with a link for each address in it. */
const linked = (text) =>
  text.split(RUN).flatMap((run, i) => {
    const length = i % 2 === 0 ? 0 : lengthOf(run); // between two addresses
    const [href, rest] = [run.slice(0, length), run.slice(length)];
    if (!href) return rest;
    const link = document.createElement("a");
    // noreferrer: doesn't name this page
    Object.assign(link, { href, textContent: href, rel: "noreferrer", target: "_blank" });
    return [link, rest];
  });

/** The length of the address in a run: no mark is its end, and brackets belong to it in pairs. */
function lengthOf(run) {
  let [length, open] = [0, 0];
  for (let i = run.indexOf("//") + 2; i < run.length && open >= 0; i++) {
    if (run[i] === "(") open++;
    if (run[i] === ")") open--;
    if (open >= 0 && !MARKS.includes(run[i])) length = i + 1;
  }
  return length;
}

/** Shows two versions. Resolves with the choice: "mine", "theirs", or "" for neither yet. */
function choose(versions) {
  const { conflict } = parts;
  const read = ({ done, ...texts }) => ({ ...texts, done: done ? "Done" : "Open" });
  const [mine, theirs] = [versions.mine, versions.theirs].map(read);
  for (const name of FIELDS) {
    for (const [id, own, other] of [["mine", mine, theirs], ["theirs", theirs, mine]]) {
      parts[id].querySelector(`.${name}`).replaceChildren(...marked(own[name], other[name]));
    }
  }
  conflict.returnValue = ""; // which Escape leaves, or sets
  conflict.showModal();
  return new Promise((resolve) => conflict.onclose = () => resolve(conflict.returnValue));
}

/** A text as nodes. What begins to differ from another text, and ends to, is marked. */
function marked(text, other) {
  const [mine, theirs] = [text, other].map((text) => text.split(/(\s+)/));
  let start = 0;
  while (start < mine.length && mine[start] === theirs[start]) start++;
  let end = 0;
  while (
    end < mine.length - start && end < theirs.length - start &&
    mine.at(-end - 1) === theirs.at(-end - 1)
  ) end++;
  const mark = document.createElement("mark");
  mark.textContent = mine.slice(start, mine.length - end).join("");
  return [mine.slice(0, start).join(""), mark, mine.slice(mine.length - end).join("")];
}
