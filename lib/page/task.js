// A task on the screen: shown, ticked, edited in place.

import { FIELDS, isLike, Problem, TEXTS } from "./api.js";
import { LONG_ENOUGH, offerUndo } from "./deletion.js";
import { changesIn, clearErrors, isBusy, isTyped, onSubmit, textsIn, whileBusy } from "./form.js";
import { bringBack } from "./outbox.js";
import { service, write } from "./session.js";
import { announce, parts, quote, sayProblem, tell } from "./status.js";

// An address. Brackets belong to it in pairs, and no mark of a sentence is its end.
const ADDRESS =
  /(\bhttps?:\/\/(?:[^\s<>"()。、，；：！？「」（）]|\([^\s<>"()]*\))+(?<![.,;:!?'’”[\]]))/i;

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
  #untick; // a timer, while a tick can be undone

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
      if (!this.isOpen) this.#delete.click();
    };
    this.show(task);
  }

  #part(name) {
    return this.element.querySelector(`.${name}`);
  }

  /** Whether the row must stay, even if it isn't in the list. */
  get isHeld() {
    return this.isOpen || this.#untick || isBusy(this.element) || isBusy(this.#editor);
  }

  /** Whether closing the page would lose something. */
  get isUnsaved() {
    return this.isOpen && isTyped(this.#editor);
  }

  /** Whether its editor is open. If the row has the focus, it stays in the row. */
  get isOpen() {
    return !this.#editor.hidden;
  }

  set isOpen(open) {
    const hadFocus = this.element.contains(document.activeElement);
    this.#view.hidden = open;
    this.#editor.hidden = !open;
    if (hadFocus && !open) this.#edit.focus();
  }

  /** Shows the task as it is now. What is being typed stays. */
  show(task) {
    // An object that reads the same stays: it has its tag, and changes under way begin at it.
    if (this.#task && isLike(task, this.#task)) return;
    this.#task = task;
    for (const name of TEXTS) {
      const shown = this.#part(name);
      if (shown.textContent !== task[name]) shown.replaceChildren(...linked(task[name]));
    }
    this.element.classList.toggle("done", task.done);
    if (!isBusy(this.element)) this.#box.checked = task.done;
    const name = quote(task.title);
    this.#box.ariaLabel = name;
    this.#edit.ariaLabel = `Edit ${name}`;
    this.#delete.ariaLabel = `Delete ${name}`;
  }

  /** It need not stay any more. */
  release() {
    clearTimeout(this.#untick);
    this.#untick = undefined;
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
    this.release();
    this.#untick = setTimeout(() => {
      this.release();
      tell("changed");
    }, LONG_ENOUGH);
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
    this.isOpen = true;
    this.#fields[0].focus();
  }

  /** From now on, changes are to this task and to these texts. */
  #begin(base, texts = this.#texts()) {
    this.#base = base;
    this.#fields.forEach((field, i) => field.defaultValue = texts[i]);
  }

  #texts() {
    return this.#fields.map(({ value }) => value);
  }

  /** Closes the editor. Asks, if what was typed would be lost. */
  #cancel() {
    const isSaved = isBusy(this.#editor)
      ? `${this.#texts()}` === `${this.#sent}`
      : !isTyped(this.#editor);
    if (isSaved || confirm("Throw away what you have typed?")) this.#close();
  }

  #close() {
    clearErrors(this.#editor);
    this.isOpen = false;
    tell("changed");
  }

  async #save() {
    const texts = this.#sent = this.#texts(); // typing may go on
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
      this.isOpen = true;
      if (problem.status !== 404) throw problem;
      bringBack(all, problem);
      return this.#close();
    }
    if (this.isOpen && !isTyped(this.#editor)) this.#close();
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
      this.isOpen = true;
      const whole = { ...base, ...changes };
      const mine = Object.fromEntries(FIELDS.map((name) => [name, whole[name]]));
      const choice = await choose(mine, theirs);
      // Mine, as it was shown, replaces only this version.
      return choice === "mine" ? this.#saveOrChoose(theirs, mine) : choice && theirs;
    }
  }
}

/** A text as nodes, with a link for each address in it. */
const linked = (text) =>
  text.split(ADDRESS).map((run, i) => {
    if (i % 2 === 0) return run; // between two addresses
    const link = document.createElement("a");
    // noreferrer: doesn't name this page
    return Object.assign(link, {
      href: run,
      textContent: run,
      rel: "noreferrer",
      target: "_blank",
    });
  });

/** Shows two versions. Resolves with the choice: "mine", "theirs", or "" for neither yet. */
function choose(mine, theirs) {
  const { conflict } = parts;
  for (const name of FIELDS) {
    const wordsOf = ({ [name]: value }) => name === "done" ? value ? "Done" : "Open" : value;
    const show = (id, task, other) =>
      parts[id].querySelector(`.${name}`).replaceChildren(...marked(wordsOf(task), wordsOf(other)));
    show("mine", mine, theirs);
    show("theirs", theirs, mine);
  }
  conflict.returnValue = ""; // which Escape leaves, or sets
  conflict.showModal();
  return new Promise((resolve) => conflict.onclose = () => resolve(conflict.returnValue));
}

/** A text as nodes. Words that another text doesn't have are marked. */
function marked(text, other) {
  const known = new Set(other.split(/\s+/));
  return text.split(/(\s+)/).map((word, i) => {
    if (i % 2 === 1 || known.has(word)) return word;
    const mark = document.createElement("mark");
    mark.textContent = word;
    return mark;
  });
}
