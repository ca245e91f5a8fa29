// The list on the screen: a page of it, kept up to date without touching what somebody is at.

import { TASKS } from "./api.js";
import { clearErrors, onSubmit } from "./form.js";
import { Poll } from "./poll.js";
import { say } from "./status.js";
import { Row } from "./task.js";

const NONE = { tasks: [], links: {}, total: 0 };

const [addForm, filter, count, tasks, empty, pages, pageNumber] = document.querySelectorAll(
  "#add, #filter, #count, #tasks, #empty, #pages, #page", // in the order of the document
);

export class List {
  service;
  #uri; // of the page that should be seen
  #page = NONE; // the one that is
  #rows = new Map(); // by the uri of the task
  #poll;
  #closed = false;
  #typing;

  /** `onProblem` is told of what trying again won't mend. */
  constructor(onProblem) {
    this.#poll = new Poll((signal) => this.#read(signal), onProblem);
    onSubmit(addForm, async ({ title, description }) => {
      await this.add({ title: title.value, description: description.value });
      addForm.reset();
      title.focus();
    });
    filter.addEventListener("submit", (event) => event.preventDefault());
    filter.addEventListener("input", () => {
      clearTimeout(this.#typing); // one request for a word, not one for each letter
      this.#typing = setTimeout(() => this.#go(this.#firstPage()), 200);
    });
    pages.addEventListener("click", ({ target }) => {
      const uri = this.#page.links[target.value];
      if (uri) this.#go(uri).then(() => filter.scrollIntoView());
    });
    // A page that is hidden may never run again, on a phone above all.
    document.addEventListener("visibilitychange", () => document.hidden && this.settle());
  }

  /** Shows the list of a user. Throws a Problem if it can't be had. */
  async open(service) {
    filter.reset();
    const page = await service.list(this.#firstPage());
    if (service.username !== this.service?.username) this.#clear();
    this.service = service;
    this.#closed = false;
    this.#show(this.#firstPage(), page);
    this.#poll.now();
  }

  /** Stops asking. What is being typed stays, for the same user to go on with. */
  close() {
    this.#closed = true;
    clearTimeout(this.#typing);
    this.#poll.stop();
  }

  /** Forgets it all. */
  async leave() {
    await this.settle();
    this.close();
    this.#clear();
  }

  /** Deletes for good what looks deleted. */
  async settle() {
    await Promise.all([...this.#rows.values()].map((row) => row.commit()));
  }

  /** Makes a change. Polling rests: an answer from before must not be shown after it. */
  async write(change) {
    this.#poll.stop();
    try {
      return await change(this.service);
    } finally {
      if (!this.#closed) this.#poll.now();
    }
  }

  async add(fields) {
    const { uri, title } = await this.write((service) => service.add(fields));
    await this.#poll.now();
    if (this.#page.links.next) await this.#go(this.#page.links.last); // where new tasks come
    say(this.#rows.has(uri) ? `Added “${title}”.` : `Added “${title}”. It isn’t among these.`);
  }

  #go(uri) {
    this.settle();
    this.#uri = uri;
    return this.#poll.now();
  }

  /** One round of polling. */
  async #read(signal) {
    const uri = this.#uri;
    const tag = uri === this.#page.uri ? this.#page.tag : undefined;
    const page = await this.service.list(uri, tag, signal);
    if (page === undefined || signal.aborted) return;
    if (page.tasks.length > 0 || page.total === 0) return this.#show(uri, page);
    this.#uri = page.links.prev ?? this.#firstPage(); // this page went with its last task
    await this.#read(signal);
  }

  /** The list's own address, with what the filter asks for. All others are given. */
  #firstPage() {
    const uri = new URL(TASKS);
    for (const [name, value] of new FormData(filter)) {
      if (value !== "") uri.searchParams.set(name, value);
    }
    uri.searchParams.set("per_page", "20");
    return uri.href;
  }

  #show(uri, page) {
    this.#uri = uri;
    this.#page = { ...page, uri };
    this.tidy();
    // Known rows stay where they are, and so does the focus: new ones go between.
    let last;
    for (const task of page.tasks) {
      const known = this.#rows.get(task.uri);
      const row = known ?? new Row(this, task);
      if (known) row.show(task);
      else if (last) last.element.after(row.element);
      else tasks.prepend(row.element);
      this.#rows.set(task.uri, row);
      last = row;
    }
    count.textContent = page.total === 1 ? "1 task" : `${page.total} tasks`;
    empty.hidden = page.total > 0;
    const all = [...new FormData(filter).values()].join("") === "";
    empty.textContent = all ? "Nothing to do." : "No such task. Capital letters count.";
    pages.hidden = !page.links.last;
    for (const button of pages.querySelectorAll("button")) {
      // Not disabled, or the focus would be lost on the last page.
      button.ariaDisabled = !page.links[button.value];
    }
    pageNumber.textContent = `Page ${numberOf(uri)} of ${numberOf(page.links.last ?? uri)}`;
  }

  /** Takes away the rows that have no place in the list and nothing to lose. */
  tidy() {
    const uris = this.#page.tasks.map(({ uri }) => uri);
    for (const [uri, row] of this.#rows) if (!uris.includes(uri) && !row.held) this.drop(row);
  }

  /** Takes a row away. The focus, if it was there, goes to a neighbour. */
  drop({ element, uri }) {
    const neighbour = element.nextElementSibling ?? element.previousElementSibling;
    const focused = element.contains(document.activeElement);
    element.remove();
    this.#rows.delete(uri);
    if (focused) (neighbour?.querySelector("[type=checkbox]") ?? addForm.elements.title).focus();
  }

  #clear() {
    for (const row of this.#rows.values()) row.element.remove();
    this.#rows.clear();
    this.#page = NONE;
    addForm.reset();
    clearErrors(addForm);
  }
}

const numberOf = (uri) => new URL(uri).searchParams.get("page") ?? "1";
