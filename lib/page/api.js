// The client of the service: what it offers is a method, what goes wrong a Problem. Knows HTTP, and
// nothing of the screen.

// The two addresses that are known. All others come from the service, as `uri` or in Link.
export const TASKS = new URL("todo/api/v1.0/tasks", document.baseURI).href;
const USERS = new URL("todo/api/v1.0/users", document.baseURI).href;

/** What a person should hear of a failure. Status 0: there was no answer. */
export class Problem extends Error {
  constructor(status, message, { retryAfter = 0, field, now } = {}) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter; // seconds
    this.field = field; // of a form, if it is about one
    this.now = now; // the task as it is, if it isn't as it was shown
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The service, to one user. A task is as it came, with its `tag` once that is known. */
export class Service {
  #authorization; // here and nowhere else: closing the page forgets it

  constructor({ username, password }) {
    this.username = username;
    this.#authorization = basic(username, password);
  }

  /** A page of the list, its links and its tag; undefined while `tag` is still the page's. */
  async list(uri, tag, signal) {
    const { status, fields, content } = await this.#ask("GET", uri, { tag, signal });
    if (status === 304) return undefined; // nothing new, and next to nothing was sent
    return {
      tasks: content.tasks,
      tag: fields.get("ETag"),
      total: Number(fields.get("X-Total-Count")),
      links: linksOf(fields.get("Link") ?? ""),
    };
  }

  async add(content) {
    return taskOf(await this.#ask("POST", TASKS, { content }));
  }

  /** Changes a task that is still as it was shown; throws how it is `now` if it isn't. */
  update(shown, content) {
    return this.#ifUnchanged(
      shown,
      async (tag) => taskOf(await this.#ask("PUT", shown.uri, { tag, content })),
    );
  }

  /** Deletes it likewise. The request outlives a page that is being closed. */
  remove(shown) {
    const keepalive = true;
    return this.#ifUnchanged(shown, (tag) => this.#ask("DELETE", shown.uri, { tag, keepalive }));
  }

  /** The tag of a task as it was shown: the list has one for all, so the task itself is asked. */
  async tagOf(shown) {
    const now = taskOf(await this.#ask("GET", shown.uri));
    const same = (name) => now[name] === shown[name];
    if (["title", "description", "done"].every(same)) return now.tag;
    throw new Problem(412, "It was changed elsewhere. Now it is like this.", { now });
  }

  async changePassword(password) {
    // No answer links to one's own account: this is the contract's /users/<username>, filled in.
    const account = await this.#ask("GET", `${USERS}/${encodeURIComponent(this.username)}`);
    await this.#ask("PUT", account.content.user.uri, { content: { password } });
    this.#authorization = basic(this.username, password);
  }

  // No lost updates: `write` sends the tag of what was shown as If-Match, and 412 says that this is
  // no more. Then look: where it reads as it did, the new tag will do.
  async #ifUnchanged(shown, write) {
    for (let { tag } = shown;; tag = undefined) {
      tag ??= await this.tagOf(shown);
      try {
        return await write(tag);
      } catch (problem) {
        if (problem.status !== 412) throw problem;
      }
    }
  }

  #ask(method, uri, options) {
    return ask(method, uri, { ...options, authorization: this.#authorization });
  }
}

/** Makes a new user. */
export const register = (user) => ask("POST", USERS, { content: user });

/** One request and its answer. Throws a Problem for one that is no good news. */
async function ask(method, uri, { authorization, content, tag, signal, keepalive = false }) {
  // Credentials go to where the page came from, whatever a `uri` says.
  if (new URL(uri).origin !== location.origin) {
    throw new Problem(0, `The server says it is at ${uri}: see its --public-url.`);
  }
  // By this the server knows a script, and spares it the challenge that opens a browser's dialog.
  const headers = new Headers({ "X-Requested-With": "XMLHttpRequest" });
  if (authorization) headers.set("Authorization", authorization);
  if (content) headers.set("Content-Type", "application/json");
  if (tag) headers.set(method === "GET" ? "If-None-Match" : "If-Match", tag);
  const patience = AbortSignal.timeout(20_000); // a password may wait some seconds for its turn
  let response, text;
  try {
    response = await fetch(uri, {
      method,
      headers,
      body: content && JSON.stringify(content),
      keepalive,
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      credentials: "omit", // no cookies
      cache: "no-store", // tags are compared here, and nobody's tasks stay on the disk
    });
    text = await response.text();
  } catch {
    throw new Problem(0, "The server can’t be reached. Try again in a moment.");
  }
  const { status, headers: fields } = response;
  const isJson = fields.get("Content-Type")?.startsWith("application/json"); // a proxy's may be HTML
  const answer = { status, fields, content: isJson ? JSON.parse(text) : undefined };
  if (response.ok || status === 304) return answer;
  throw problemOf(answer);
}

/** An answer that is no good news, in words. */
function problemOf({ status, fields, content }) {
  const { error, message } = content ?? {};
  if (error === "Unauthorized access") {
    return new Problem(401, "The username or the password is wrong.", { field: "password" });
  }
  if (status === 429 || status === 503) {
    const retryAfter = Number(fields.get("Retry-After"));
    const when = retryAfter ? `in ${retryAfter} s` : "in a moment";
    return new Problem(status, `The server is busy. Try again ${when}.`, { retryAfter });
  }
  if (status === 404) return new Problem(404, "It was deleted elsewhere.");
  if (status === 409) return new Problem(409, message, { field: "username" });
  if (status >= 500) return new Problem(status, "The server failed. Try again later.");
  return new Problem(status, message ?? error ?? `The server answers ${status}.`);
}

function taskOf({ fields, content }) {
  return { ...content.task, tag: fields.get("ETag") };
}

/** From a Link field (RFC 8288) to the addresses by relation: `{ next: "http://…" }`. */
function linksOf(field) {
  const links = [...field.matchAll(/<([^>]*)>; rel="([^"]*)"/g)];
  return Object.fromEntries(links.map(([, uri, rel]) => [rel, uri]));
}

/** The value of an Authorization field (RFC 7617). btoa takes bytes, so UTF-8 comes first. */
function basic(username, password) {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}
