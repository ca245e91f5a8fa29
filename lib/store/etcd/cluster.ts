// The members of an etcd cluster, asked through their JSON gateway: one after the other, until one
// answers.

import { setTimeout } from "node:timers/promises";
import { TooLarge, Unavailable, Unusable } from "../store.ts";
import { failure, refusal, TokenEnded } from "./refusals.ts";
import { type Answer, type Outcome, outcomeOf } from "./transaction.ts";

/** How long a method of the store may take, with everything that it has to wait for. */
export const CALL_MS = 5000;
const ANSWER_MS = 1000; // for one member, before another is asked; twice as long in each round
const PAUSE_MS = 100; // after all have failed: they may need a second or two to elect a leader

/** When work has to end that begins now, in `performance.now()`. */
export const soon = () => performance.now() + CALL_MS;

/** A user of etcd. */
export interface Login {
  readonly name: string;
  readonly password: string;
}

const ADDRESS = /^([\w.-]+|\[[\da-f:.]+\]):\d{1,5}$/i;

/** The URLs of the members in `etcd://host:port[,host:port…]`, or `etcds://…`. */
export function membersOf(cluster: string): string[] {
  const [, tls = "", list = ""] = /^etcd(s?):\/\/(.*)$/is.exec(cluster) ?? [];
  const members = list.split(",");
  if (!members.every((member) => ADDRESS.test(member))) {
    throw new Unusable(`a cluster is written etcd://10.0.0.1:2379,10.0.0.2:2379, not ${cluster}`);
  }
  return members.map((member) => `http${tls.toLowerCase()}://${member}`);
}

/** A cluster. `members` are URLs such as `http://10.0.0.1:2379`. */
export class Cluster {
  readonly #members: readonly string[];
  readonly #login: Login | undefined;
  #token: Promise<string> | undefined;
  #member = 0; // the one to ask next: it was the last to answer
  #patience = ANSWER_MS; // for the next answer: slow members are not asked again and again
  #failure = "none did in time";

  constructor(members: readonly string[], login?: Login) {
    this.#members = members;
    this.#login = login;
  }

  /** Reads ranges as they are at one moment, with everything that was written before it. */
  async read(by: number, ...ranges: object[]): Promise<Outcome> {
    return outcomeOf(await this.ask("kv/txn", { success: ranges }, by));
  }

  /** Asks one member after the other until one answers. Throws Unavailable. */
  async ask(path: string, content: object, by: number): Promise<Answer> {
    for (let patience = this.#patience;; patience *= 2) {
      for (const _ of this.#members) {
        const answer = await this.once(path, content, by, patience);
        if (answer !== undefined) return answer;
      }
      await setTimeout(PAUSE_MS);
    }
  }

  /** Asks one member. Undefined if its answer does not come. Throws if any member would refuse. */
  async once(path: string, content: object, by: number, patience = this.#patience) {
    const start = performance.now();
    const left = by - start;
    if (left <= 0) throw new Unavailable(`no member of etcd answers: ${this.#failure}`);
    const signal = AbortSignal.timeout(Math.ceil(Math.min(left, patience)));
    const member = this.#member;
    const token = this.#login && this.#signIn(this.#login, member, signal);
    try {
      const answer = await post(`${this.#members[member]}/v3/${path}`, content, signal, {
        "Grpc-Metadata-hasleader": "true", // a member that has no leader says so at once
        ...(token && { Authorization: await token }),
      });
      const took = performance.now() - start;
      this.#patience = Math.min(Math.max(ANSWER_MS, 2 * took), CALL_MS / 2);
      return answer;
    } catch (error) {
      if (error instanceof Unavailable || error instanceof TooLarge) throw error;
      if (error instanceof TokenEnded) this.#forget(token); // the same member gives a new one
      else if (this.#member === member) this.#member = (member + 1) % this.#members.length;
      // At the deadline, an earlier failure says more than the deadline itself.
      if (left > patience || !signal.aborted) this.#failure = failure(error);
      return undefined;
    }
  }

  /** Returns a token, which all members accept. */
  #signIn(login: Login, member: number, signal: AbortSignal): Promise<string> {
    const url = `${this.#members[member]}/v3/auth/authenticate`;
    const token = this.#token ??= post(url, login, signal).then(({ token = "" }) => token);
    token.catch(() => this.#forget(token));
    return token;
  }

  /** Makes the next request get a new token, unless this one was replaced meanwhile. */
  #forget(token?: Promise<string>): void {
    if (this.#token === token) this.#token = undefined;
  }
}

async function post(url: string, content: object, signal: AbortSignal, headers = {}) {
  const body = JSON.stringify(content);
  const response = await fetch(url, { method: "POST", headers, body, signal });
  const answer = parse(await response.text());
  if (answer.header !== undefined) return answer;
  if (answer.message === undefined) {
    const { origin } = new URL(url);
    throw new Error(`${origin} is no client port of etcd, or its --enable-grpc-gateway is off`);
  }
  throw refusal(response.status, answer.message);
}

function parse(text: string): Answer & { readonly message?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
