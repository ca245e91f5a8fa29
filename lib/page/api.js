// The client of the service. Knows HTTP, and nothing of the screen.

// Without user:password@, which the page's own address may have.
const API = new URL("todo/api/v1.0/", location.origin + location.pathname);
export const TASKS = `${API}tasks`;
const USERS = `${API}users`;

// Whatever shows, sends, compares or keeps a task goes through one of these, so that no field is
// forgotten.
export const TEXTS = ["title", "description"];
export const FIELDS = [...TEXTS, "done"];

const STRANGER = "Something else answered for the server.";

/** Whether a task has the texts and the state of another, or those of them that are given. */
export const isLike = (task, given) =>
  FIELDS.every((name) => !(name in given) || task[name] === given[name]);

/** A failure to show to a person. Status 0: there was no proper response. */
export class Problem extends Error {
  retryAfter = 0; // seconds
  fields = {}; // a sentence for each wrong one
  now; // the task, if it has changed since it was shown
  isUnsure = false; // whether a new task was saved all the same

  constructor(status, message, more) {
    super(message);
    Object.assign(this, { status, ...more });
  }

  /** Whether the server has said no. Otherwise it may have done what it was asked. */
  get isRefusal() {
    return this.status >= 400 && this.status < 500;
  }

  /** What is wrong and, if it may pass, when to try again. */
  get advice() {
    if (this.isRefusal && this.status !== 429) return this.message;
    return `${this.message} Try again in ${this.retryAfter ? `${this.retryAfter} s` : "a moment"}.`;
  }
}

/** The service, for one user. A task has a `tag` once that is known. */
export class Service {
  #authorization; // here and nowhere else: closing the page forgets it
  #account;
  #known = new Set(); // the uris of all tasks that were seen
  #lost = new Map(); // new tasks that may be saved, and the uris that were known before
  #changes = new WeakMap(); // what becomes of a task by a change that is sent

  constructor({ username, password }) {
    this.username = username;
    this.#authorization = basic(username, password);
    this.#account = `${USERS}/${encodeURIComponent(username)}`;
  }

  /** A page of the list; undefined if `tag` is still its tag. */
  async list(uri, { tag, signal } = {}) {
    const { status, fields, content } = await this.#ask("GET", uri, { tag, signal });
    if (status === 304) return undefined;
    const { tasks } = content;
    if (!Array.isArray(tasks)) throw new Problem(0, STRANGER);
    for (const task of tasks) this.#known.add(task.uri);
    const links = {}; // RFC 8288
    for (
      const [, address, relation] of (fields.get("Link") ?? "").matchAll(/<(.*?)>; rel="(.*?)"/g)
    ) {
      links[relation] = address;
    }
    const total = Number(fields.get("X-Total-Count") ?? tasks.length);
    return { uri, tasks, tag: fields.get("ETag"), total, links };
  }

  /** Adds a task. If a response was lost, it looks for the task before it sends it again. */
  async add(content) {
    const name = JSON.stringify(content);
    const known = this.#lost.get(name) ?? new Set(this.#known);
    const find = async () => {
      const query = new URLSearchParams({ title_prefix: /^.{0,50}/su.exec(content.title)[0] });
      const { tasks } = await this.list(`${TASKS}?${query}`);
      return tasks.find((task) => !known.has(task.uri) && isLike(task, content));
    };
    let task;
    try {
      task = this.#lost.has(name) && await find();
      task ||= taskOf(await this.#ask("POST", TASKS, { content }));
    } catch (problem) {
      if (problem.isRefusal) throw problem;
      this.#lost.set(name, known);
      task = await find().catch(() => {
        problem.isUnsure = true;
      });
      if (!task) throw problem;
    }
    this.#known.add(task.uri);
    this.#lost.delete(name);
    return task;
  }

  /** Changes a task that is still as it was shown. Otherwise throws how it is `now`. */
  async update(shown, content) {
    const base = await this.#latest(shown);
    const change = this.#askIfUnchanged("PUT", base, content).then(taskOf).catch((problem) => {
      // It is as it should be: an earlier response was lost.
      if (problem.now && isLike(problem.now, content)) return problem.now;
      throw problem;
    });
    const failed = () => {
      this.#changes.delete(base);
      return base;
    };
    this.#changes.set(base, change.catch(failed));
    return change;
  }

  /** Deletes a task, likewise. It is no problem if it is deleted already. */
  async remove(shown) {
    const task = await this.#latest(shown);
    const send = () => this.#askIfUnchanged("DELETE", task);
    const again = (problem) => {
      if (problem.isRefusal) throw problem;
      return send(); // only the response may be lost
    };
    await send().catch(again).catch((problem) => {
      if (problem.status !== 404) throw problem;
    });
  }

  /** Reads the tag of a task that is as it was shown. A list has one tag for all. */
  async readTag(shown) {
    const task = await this.#latest(shown);
    task.tag ??= await this.#tagOf(task);
  }

  async #tagOf(shown) {
    const now = taskOf(await this.#ask("GET", shown.uri));
    if (isLike(now, shown)) return now.tag;
    throw new Problem(412, "It was changed elsewhere. Now it is like this.", { now });
  }

  /** What one's own changes have made of a task, once those under way have ended. */
  async #latest(shown) {
    let task = shown;
    while (this.#changes.has(task)) task = await this.#changes.get(task);
    return task;
  }

  async changePassword(password) {
    await this.#ask("PUT", this.#account, { content: { password } });
    this.#authorization = basic(this.username, password);
  }

  deleteAccount() {
    return this.#ask("DELETE", this.#account);
  }

  // If-Match has the tag of what was shown: no update is lost. After 412, if the task still reads
  // the same, its new tag will do.
  async #askIfUnchanged(method, shown, content) {
    for (let { tag } = shown, tries = 0; tries < 3; tag = undefined, tries++) {
      try {
        tag ??= await this.#tagOf(shown);
        return await this.#ask(method, shown.uri, { tag, content });
      } catch (problem) {
        if (problem.status !== 412 || problem.now) throw problem;
      }
    }
    throw new Problem(412, "It isn’t saved: something on the way spoils its entity tag.");
  }

  #ask(method, uri, options) {
    return ask(method, uri, { ...options, authorization: this.#authorization });
  }
}

export const register = (user) => ask("POST", USERS, { content: user });

/** Whether anyone may register. */
export async function mayRegister() {
  const { fields } = await ask("OPTIONS", USERS);
  return (fields.get("Allow") ?? "POST").includes("POST");
}

/** Sends a request. Throws a Problem unless it succeeds. */
async function ask(method, uri, { authorization, content, tag, signal } = {}) {
  // Credentials go only to where the page came from.
  if (new URL(uri).origin !== location.origin) {
    throw new Problem(421, `The server says it is at ${uri}: see its --public-url.`);
  }
  // For a script there is no challenge, which would open a dialog of the browser.
  const headers = new Headers({ "X-Requested-With": "XMLHttpRequest" });
  if (authorization) headers.set("Authorization", authorization);
  if (content) headers.set("Content-Type", "application/json");
  if (tag) headers.set(method === "GET" ? "If-None-Match" : "If-Match", tag);
  const patience = AbortSignal.timeout(20_000); // passwords may queue
  const answer = await send(uri, {
    method,
    headers,
    body: content && JSON.stringify(content),
    keepalive: method === "DELETE", // it outlives the page
    signal: signal ? AbortSignal.any([signal, patience]) : patience,
    credentials: "omit",
    cache: "no-store", // nobody's tasks stay on the disk
    redirect: "error",
  });
  const { status } = answer;
  if (status === 304 && tag || status === 204) return answer;
  if (status < 200 || status > 299) throw problemOf(answer);
  if (!answer.content) throw new Problem(0, STRANGER);
  return answer;
}

async function send(uri, request) {
  try {
    const response = await fetch(uri, request);
    const content = await response.json().catch((error) => {
      if (!(error instanceof SyntaxError)) throw error; // it has broken off
    }); // undefined for a proxy's HTML
    return { status: response.status, fields: response.headers, content };
  } catch { // not a bug: the request is well made
    throw new Problem(0, "The server can’t be reached.");
  }
}

function problemOf({ status, fields, content }) {
  const { error, message, fields: wrong } = content ?? {};
  if (status === 401 || error === "Unauthorized access") {
    const words = "The username or the password is wrong.";
    return new Problem(401, words, { fields: { password: words } });
  }
  if (status === 429 || status === 503) {
    const retryAfter = secondsOf(fields.get("Retry-After"));
    return new Problem(status, "The server is busy.", { retryAfter });
  }
  // A gateway may answer, too, with JSON of its own.
  if (!error || typeof error !== "string") return new Problem(0, `The server answers ${status}.`);
  if (status === 404) return new Problem(404, "It was deleted elsewhere.");
  const words = sentence(`${message ?? error}`);
  const named = status === 409 ? { username: words } : {};
  for (const name in wrong) named[name] = sentence(`${name} ${wrong[name]}`);
  return new Problem(status, words, { fields: named });
}

const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`.replace("...", "..");

/** Retry-After is a number of seconds, or a date (RFC 9110 §10.2.3). */
function secondsOf(field) {
  const seconds = /^\d+$/.test(field) ? Number(field) : (Date.parse(field) - Date.now()) / 1000;
  return Math.min(Math.max(Math.ceil(seconds) || 0, 0), 3600);
}

function taskOf({ fields, content: { task } }) {
  if (!task?.uri) throw new Problem(0, STRANGER);
  // A proxy that compresses makes W/"…" or "…-gzip" of the server's tag.
  const tag = fields.get("ETag")?.replace(/^W\//, "").replace(/[-;](gzip|br|zstd)"$/, '"');
  return { ...task, tag };
}

/** The Authorization field (RFC 7617), of UTF-8. */
function basic(username, password) {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}
