// The client of the service: a method for what it offers, a Problem for what goes wrong. Knows HTTP
// and nothing of the screen.

// All but these addresses come from the service. Without the page's own user:password@, if any.
const API = new URL("todo/api/v1.0/", location.origin + location.pathname);
export const TASKS = `${API}tasks`;
const USERS = `${API}users`;

const STRANGER = "Something else answered for the server.";

/** A failure that a person should hear of. Status 0: there was no proper response. */
export class Problem extends Error {
  constructor(status, message, { retryAfter = 0, fields = {}, now } = {}) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter; // seconds
    this.fields = fields; // sentences, by the name of the field that each is about
    this.now = now; // the task as it is, if it isn't as it was shown
  }

  /** What is wrong and, if it may pass, when to try again. */
  get advice() {
    if (this.status > 0 && this.status < 500 && this.status !== 429) return this.message;
    return `${this.message} Try again in ${this.retryAfter ? `${this.retryAfter} s` : "a moment"}.`;
  }
}

/** The service, to one user. A task is as it came, with its `tag` once that is known. */
export class Service {
  #authorization; // here and nowhere else: closing the page forgets it

  constructor({ username, password }) {
    this.username = username;
    this.#authorization = basic(username, password);
  }

  /** A page of the list; undefined while `tag` is still the page's. */
  async list(uri, { tag, signal } = {}) {
    const { status, fields, content } = await this.#ask("GET", uri, { tag, signal });
    if (status === 304) return undefined;
    if (!Array.isArray(content.tasks)) throw new Problem(0, STRANGER);
    const links = [...(fields.get("Link") ?? "").matchAll(/<(.*?)>; rel="(.*?)"/g)]; // RFC 8288
    return {
      uri,
      tasks: content.tasks,
      tag: fields.get("ETag"),
      total: Number(fields.get("X-Total-Count")),
      links: Object.fromEntries(links.map(([, address, relation]) => [relation, address])),
    };
  }

  async add(content) {
    return taskOf(await this.#ask("POST", TASKS, { content }));
  }

  /** Changes a task that is still as it was shown. Otherwise throws how it is `now`. */
  update(shown, content) {
    const put = async (tag) => taskOf(await this.#ask("PUT", shown.uri, { tag, content }));
    return this.#ifUnchanged(shown, put);
  }

  /** Deletes it likewise. The request outlives a page that is closed. */
  remove(shown) {
    const keepalive = true;
    return this.#ifUnchanged(shown, (tag) => this.#ask("DELETE", shown.uri, { tag, keepalive }));
  }

  /** The tag of a task that is as it was shown: the list's tag is one for all. */
  async tagOf(shown) {
    const now = taskOf(await this.#ask("GET", shown.uri));
    const isSame = (name) => now[name] === shown[name];
    if (["title", "description", "done"].every(isSame)) return now.tag;
    throw new Problem(412, "It was changed elsewhere. Now it is like this.", { now });
  }

  async changePassword(password) {
    await this.#ask("PUT", await this.#account(), { content: { password } });
    this.#authorization = basic(this.username, password);
  }

  async deleteAccount() {
    await this.#ask("DELETE", await this.#account());
  }

  // No response links to one's account: this is the contract's /users/<username>.
  async #account() {
    const { content } = await this.#ask("GET", `${USERS}/${encodeURIComponent(this.username)}`);
    return content.user.uri;
  }

  // No lost updates: `write` sends the tag of what was shown as If-Match. After 412, look: if it
  // still reads as it did, its new tag will do.
  async #ifUnchanged(shown, write) {
    for (let { tag } = shown, tries = 0; tries < 3; tag = undefined, tries++) {
      try {
        return await write(tag ?? await this.tagOf(shown));
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

/** Whether the service takes new users. */
export const takesUsers = async () =>
  (await ask("OPTIONS", USERS)).fields.get("Allow").includes("POST");

/** One request and its response. Throws a Problem for one that is no success. */
async function ask(method, uri, { authorization, content, tag, signal, keepalive } = {}) {
  // Credentials go only to where the page came from.
  if (new URL(uri).origin !== location.origin) {
    throw new Problem(421, `The server says it is at ${uri}: see its --public-url.`);
  }
  // The server knows a script by this, and sends no challenge: that opens a browser's dialog.
  const headers = new Headers({ "X-Requested-With": "XMLHttpRequest" });
  if (authorization) headers.set("Authorization", authorization);
  if (content) headers.set("Content-Type", "application/json");
  if (tag) headers.set(method === "GET" ? "If-None-Match" : "If-Match", tag);
  const patience = AbortSignal.timeout(20_000); // hashing may have a queue
  const { status, fields, text } = await send(
    new Request(uri, {
      method,
      headers,
      body: content && JSON.stringify(content),
      keepalive,
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      credentials: "omit",
      cache: "no-store", // nobody's tasks stay on the disk
      redirect: "error",
    }),
  );
  const answer = { status, fields, content: parse(text) };
  if (status === 304 && tag || status === 204) return answer;
  if (status < 200 || status > 299) throw problemOf(answer);
  if (!answer.content) throw new Problem(0, STRANGER);
  return answer;
}

async function send(request) {
  try {
    const response = await fetch(request);
    return { status: response.status, fields: response.headers, text: await response.text() };
  } catch { // the request is well made, so this is the network
    throw new Problem(0, "The server can’t be reached.");
  }
}

/** An object from JSON; undefined for any other text, such as a proxy's HTML. */
function parse(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function problemOf({ status, fields, content: { error, message, fields: wrong = {} } = {} }) {
  if (status === 401 || error === "Unauthorized access") {
    const words = "The username or the password is wrong.";
    return new Problem(401, words, { fields: { password: words } });
  }
  if (status === 429 || status === 503) {
    const retryAfter = secondsOf(fields.get("Retry-After"));
    return new Problem(status, "The server is busy.", { retryAfter });
  }
  if (!error) return new Problem(0, `The server answers ${status}.`); // or a proxy does
  if (status === 404) return new Problem(404, "It was deleted elsewhere.");
  const words = sentence(message ?? error);
  if (status === 409) return new Problem(409, words, { fields: { username: words } });
  const named = Object.entries(wrong).map(([name, part]) => [name, sentence(`${name} ${part}`)]);
  return new Problem(status, words, { fields: Object.fromEntries(named) });
}

const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;

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
