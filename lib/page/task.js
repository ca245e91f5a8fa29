// A task on the screen: looked at, ticked, edited in place, deleted with a way back.

import { Problem } from "./api.js";
import { clearErrors, onSubmit } from "./form.js";
import { say } from "./status.js";

const UNDO = 8000; // ms
const template = document.getElementById("row");
const dialog = document.getElementById("conflict");

export class Row {
  #list;
  #task; // as it is shown
  #edited; // as it was when editing began
  #changes; // what has been typed since, by field
  #gone = false; // deleted elsewhere while it is edited here
  #doomed; // as it was when Delete was pressed
  #ticking = false;
  #timer;

  /** `list` makes the changes, and lets the row go. */
  constructor(list, task) {
    this.#list = list;
    this.element = template.content.cloneNode(true).firstElementChild;
    for (const part of ["view", "editor", "deleted", "note", "box", "edit", "delete", "undo"]) {
      this[part] = this.element.querySelector(`.${part}`);
    }
    this.box.addEventListener("change", () => this.#tick());
    this.edit.addEventListener("click", () => this.#open());
    this.delete.addEventListener("click", () => this.#delete());
    this.undo.addEventListener("click", () => this.#bringBack());
    onSubmit(this.editor, () => this.#save());
    this.editor.addEventListener("input", ({ target }) => {
      this.#changes[target.name] = target.value;
    });
    this.editor.addEventListener("keydown", ({ key }) => key === "Escape" && this.#close());
    this.editor.querySelector(".cancel").addEventListener("click", () => this.#close());
    this.show(task);
  }

  get uri() {
    return this.#task.uri;
  }

  /** Whether something would be lost if the row went away now. */
  get held() {
    return this.view.hidden;
  }

  /** Shows the task as it is now. What is being typed is left alone. */
  show(task) {
    const { title, description, done } = this.#task = task;
    // As textContent: whatever a task says, it is never taken for HTML.
    for (const element of this.element.querySelectorAll(".title")) element.textContent = title;
    this.view.querySelector(".description").textContent = description;
    this.element.classList.toggle("done", done);
    if (!this.#ticking) this.box.checked = done;
    this.edit.ariaLabel = `Edit “${title}”`;
    this.delete.ariaLabel = `Delete “${title}”`;
    this.undo.ariaLabel = `Undo: “${title}” was deleted`;
  }

  async #tick() {
    if (this.#ticking) return; // the loop below sees it
    this.#ticking = true;
    await this.#attempt(async () => {
      while (this.box.checked !== this.#task.done) {
        const changes = { done: this.box.checked };
        this.show(await this.#list.write((service) => service.update(this.#task, changes)));
      }
    });
    this.#ticking = false;
    this.box.checked = this.#task.done;
  }

  #open() {
    const { title, description } = this.editor.elements;
    this.#edited = this.#task;
    this.#changes = {};
    title.value = this.#task.title;
    description.value = this.#task.description;
    this.#showOnly(this.editor);
    title.focus();
  }

  async #save() {
    if (this.#gone) {
      const { title, description } = this.editor.elements;
      await this.#list.add({ title: title.value, description: description.value });
      return this.#close();
    }
    const mine = { ...this.#edited, ...this.#changes };
    let [base, changes] = [this.#edited, this.#changes];
    while (Object.keys(changes).length > 0) {
      try {
        this.show(await this.#list.write((service) => service.update(base, changes)));
        break;
      } catch (error) {
        if (error.status === 404) this.#keep();
        if (!error.now) throw error;
        const choice = await choose(mine, error.now);
        if (choice === "") return;
        this.show(error.now);
        if (choice === "theirs") break;
        // Mine is to stay just as it was shown, and no other version to give way than this.
        base = error.now;
        changes = { title: mine.title, description: mine.description, done: mine.done };
      }
    }
    this.#close();
  }

  #keep() {
    this.#gone = true;
    this.editor.querySelector("button").textContent = "Add as a new task";
    throw new Problem(404, "It was deleted elsewhere. What you wrote is still here.");
  }

  #close() {
    clearErrors(this.editor);
    this.#showOnly(this.view);
    this.edit.focus();
    this.#list.tidy();
  }

  // It is deleted when the time for Undo is over. Adding it again would be no undoing: another uri,
  // at the end of the list, and open.
  async #delete() {
    const doomed = this.#doomed = { ...this.#task };
    this.#showOnly(this.deleted);
    this.undo.focus();
    this.#countDown();
    // Its tag is read now: closing the page leaves time for one request only.
    const ready = await this.#attempt(async () => {
      doomed.tag ??= await this.#list.service.tagOf(doomed);
    });
    if (!ready) this.#bringBack();
  }

  #countDown() {
    this.#timer = setTimeout(() => {
      // Time doesn't run out while the keyboard's focus rests on Undo (WCAG 2.2.1).
      if (this.undo.matches(":focus-visible")) this.#countDown();
      else this.commit();
    }, UNDO);
  }

  #bringBack() {
    clearTimeout(this.#timer);
    const focused = this.element.contains(document.activeElement);
    this.#showOnly(this.view);
    if (focused) this.delete.focus();
    this.#list.tidy();
  }

  /** Deletes for good what looks deleted. */
  async commit() {
    if (this.deleted.hidden || this.undo.disabled) return;
    clearTimeout(this.#timer);
    this.undo.disabled = true;
    const gone = await this.#attempt(() =>
      this.#list.write((service) => service.remove(this.#doomed))
    );
    this.undo.disabled = false;
    if (gone) this.#list.drop(this);
    else this.#bringBack();
  }

  /** Whether a change succeeds. If not, this says why, and shows the task as it is now. */
  async #attempt(change) {
    this.note.textContent = "";
    try {
      await change();
      return true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.now) this.show(error.now);
      if (error.status === 404) say(`“${this.#task.title}” was deleted elsewhere.`);
      else this.note.textContent = error.message;
      return false;
    }
  }

  #showOnly(part) {
    for (const one of [this.view, this.editor, this.deleted]) one.hidden = one !== part;
  }
}

/** Shows two versions of a task. Which should stay: "mine", "theirs", or "" for neither yet. */
function choose(mine, theirs) {
  for (const [id, { title, description, done }] of Object.entries({ mine, theirs })) {
    const [, ...lines] = document.getElementById(id).children;
    [title, description, done ? "Done" : "Open"].forEach((text, i) => lines[i].textContent = text);
  }
  dialog.returnValue = ""; // which Escape leaves, or sets
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}
