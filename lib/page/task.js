// A task on the screen: looked at, ticked, edited in place, deleted with a way back.

import { Problem } from "./api.js";
import { clearErrors, isTyped, onSubmit, typedIn, whileBusy } from "./form.js";
import { drop, list, tidy, write } from "./list.js";
import { add } from "./outbox.js";
import { byId, quote, say } from "./status.js";
import { LONG_ENOUGH, Undo } from "./undo.js";

// An address ends before a space, or before what ends the sentence that it stands in.
const ADDRESS = /(\bhttps?:\/\/[^\s<>"]*[^\s<>".,;:!?()'’”\]])/i;
const conflict = byId("conflict");

export class Row {
  element = byId("row").content.cloneNode(true).firstElementChild;
  #view = this.#part("view");
  #box = this.#part("box");
  #edit = this.#part("edit");
  #delete = this.#part("delete");
  #editor = this.#part("editor");
  #bar = this.#part("bar");
  #undo = new Undo(this.#bar);
  #task; // as it is shown
  #base; // as it was when editing began, or at the last save
  #isGone = false; // deleted elsewhere while it is edited here
  #isTicking = false;
  #isSaving = false;
  #tickTimer; // while a tick may be undone

  constructor(task) {
    this.#box.onchange = () => this.#tick();
    this.#box.onkeydown = (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // or the same key would send the editor
      this.#open();
    };
    this.#view.ondblclick = ({ target }) => target.closest("a, button, label") || this.#open();
    this.#edit.onclick = () => this.#open();
    this.#delete.onclick = () => this.#offerUndo();
    onSubmit(this.#editor, () => this.#save());
    this.#editor.onkeydown = ({ key, isComposing }) => {
      if (key === "Escape" && !isComposing) this.#close();
    };
    this.#part("cancel").onclick = () => this.#close();
    this.show(task);
  }

  #part(name) {
    return this.element.querySelector(`.${name}`);
  }

  get uri() {
    return this.#task.uri;
  }

  /** Whether something would be lost if the row went away now. */
  get isHeld() {
    return this.#view.hidden || this.#isTicking || this.#isSaving || this.#tickTimer > 0;
  }

  /** Whether something that was typed would be lost if the page were closed now. */
  get isUnsaved() {
    return this.#isSaving || !this.#editor.hidden && isTyped(this.#editor);
  }

  /** Shows the task as it is now. What is being typed stays. */
  show(task) {
    const { title, description, done } = this.#task = task;
    this.#part("title").textContent = title;
    const shown = this.#part("description");
    if (shown.textContent !== description) shown.replaceChildren(...linked(description));
    this.element.classList.toggle("done", done);
    if (!this.#isTicking) this.#box.checked = done;
    this.#box.ariaLabel = quote(title);
    this.#edit.ariaLabel = `Edit ${quote(title)}`;
    this.#delete.ariaLabel = `Delete ${quote(title)}`;
  }

  /** Deletes for good what looks deleted. */
  settle() {
    this.#undo.commit();
  }

  async #tick() {
    if (this.#isTicking) return; // the loop below sees it
    this.#isTicking = true;
    await this.#attempt(async () => {
      while (this.#box.checked !== this.#task.done) { // as often as somebody presses the box
        const done = this.#box.checked;
        this.show(await write((service) => service.update(this.#task, { done })));
        if (this.#task.done !== done) throw new Problem(500, "The server didn’t keep it.");
      }
    }).finally(() => this.#isTicking = false);
    this.#box.checked = this.#task.done;
    // Whatever the filter says, the row stays long enough to be ticked back.
    clearTimeout(this.#tickTimer);
    this.#tickTimer = setTimeout(() => {
      this.#tickTimer = 0;
      tidy();
    }, LONG_ENOUGH);
  }

  #open() {
    if (!this.#isSaving) { // or what is being saved still stands there
      for (const field of this.#fields()) field.value = this.#task[field.name];
      this.#begin(this.#task);
    }
    this.#showOnly(this.#editor);
    this.#editor.elements.title.focus();
  }

  #fields() {
    return this.#editor.querySelectorAll("[name]");
  }

  /** From now on, changes are those to this task, in these texts. */
  #begin(base, texts = [...this.#fields()].map(({ value }) => value)) {
    this.#base = base;
    this.#fields().forEach((field, i) => field.defaultValue = texts[i]);
  }

  #close() {
    clearErrors(this.#editor);
    this.#showOnly(this.#view, this.#edit);
    tidy();
  }

  async #save() {
    const sent = [...this.#fields()].map(({ value }) => value); // typing may go on
    if (this.#isGone) {
      add({ title: sent[0].trim(), description: sent[1] });
      return this.#close();
    }
    // Only what was typed: a field can't show a line break in a title, for example.
    const changes = Object.fromEntries(
      typedIn(this.#editor).map(({ name, value }) => [name, value]),
    );
    if (changes.title) changes.title = changes.title.trim();
    this.#isSaving = true;
    try {
      const saved = await this.#saveOrChoose(this.#base, changes);
      if (!saved) return;
      this.#begin(saved, sent);
    } catch (problem) {
      this.#showOnly(this.#editor);
      if (problem.status !== 404) throw problem;
      this.#isGone = true;
      this.#editor.querySelector("button").textContent = "Add as a new task";
      throw new Problem(404, "It was deleted elsewhere. What you wrote is still here.");
    } finally {
      this.#isSaving = false;
    }
    if (!this.isUnsaved) this.#close();
  }

  /** The task as it is in the end; undefined if editing goes on. */
  async #saveOrChoose(base, changes) {
    const mine = { ...base, ...changes };
    while (Object.keys(changes).length > 0) {
      try {
        base = await write((service) => service.update(base, changes));
        changes = {};
      } catch (problem) {
        if (!problem.now) throw problem;
        this.#showOnly(this.#editor);
        base = problem.now;
        const choice = await choose({ mine, theirs: base });
        if (choice === "") return undefined;
        // Mine is to stay as it was shown, in the place of this version alone.
        const { title, description, done } = mine;
        changes = choice === "mine" ? { title, description, done } : {};
      }
      this.show(base);
    }
    return base;
  }

  // Deletes when the time for Undo is over. Adding it again would be no undoing: it would have
  // another uri, and another place in the list.
  async #offerUndo() {
    const doomed = { ...this.#task };
    const bringBack = () => {
      this.#showOnly(this.#view, this.#delete);
      tidy();
    };
    const remove = () => write((service) => service.remove(doomed));
    this.#showOnly(this.#bar);
    this.#undo.offer(`${quote(doomed.title)} deleted`, {
      undo: bringBack,
      commit: async () => await this.#attempt(remove) ? drop(this) : bringBack(),
    });
    // Its tag is read now: closing the page leaves time for one request.
    const { service } = list;
    const isReady = await this.#attempt(async () => doomed.tag ??= await service.tagOf(doomed));
    if (!isReady && this.#undo.end()) bringBack();
  }

  /** Whether a change succeeds. If not, says why. */
  async #attempt(change) {
    const note = this.#part("note");
    note.textContent = "";
    try {
      await whileBusy(this.element, change);
      return true;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.now) this.show(problem.now);
      const isSeen = this.element.isConnected && problem.status !== 404;
      if (isSeen) note.textContent = problem.advice;
      else say(`${quote(this.#task.title)}: ${problem.message}`);
      return false;
    }
  }

  /** Shows one part. If the focus was in the row, it goes to `control`. */
  #showOnly(part, control) {
    const hadFocus = this.element.contains(document.activeElement);
    for (const one of [this.#view, this.#editor, this.#bar]) one.hidden = one !== part;
    if (hadFocus) control?.focus();
  }
}

/** A text as nodes, with a link for each address in it. */
const linked = (text) =>
  text.split(ADDRESS).map((part, i) => {
    if (i % 2 === 0) return part; // between two addresses
    const rel = "noreferrer"; // the other side learns nothing of this page and its window
    const link = document.createElement("a");
    return Object.assign(link, { href: part, textContent: part, rel, target: "_blank" });
  });

/** Shows two versions. Which should stay: "mine", "theirs", or "" for neither yet. */
function choose(versions) {
  for (const [id, { title, description, done }] of Object.entries(versions)) {
    const [, ...lines] = byId(id).children; // after the heading
    [title, description, done ? "Done" : "Open"].forEach((text, i) => lines[i].textContent = text);
  }
  conflict.returnValue = ""; // which Escape leaves, or sets
  conflict.showModal();
  return new Promise((resolve) => {
    conflict.onclose = () => resolve(conflict.returnValue);
  });
}
