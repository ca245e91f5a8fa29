// The parts of etcd's transactions, in the words of its JSON gateway, and the answers to them.

import { Buffer } from "node:buffer";

/** Compares keys. If everything compared holds, does `success` as a whole, otherwise `failure`. */
export interface Transaction {
  readonly compare?: readonly object[];
  readonly success: readonly object[];
  readonly failure?: readonly object[];
}

/** One key, or all keys from the first up to the second, which is not one of them. */
export type Range = string | readonly [from: string, end: string];

/** How much of a range is read: its first keys, as they were in a revision. */
export interface Extent {
  readonly limit?: number;
  readonly revision?: number;
}

/** Holds if the keys were last written in this revision. A missing key has revision 0. */
export const unchanged = (keys: Range, revision = 0) => ({
  ...rangeOf(keys),
  target: "MOD",
  result: "EQUAL",
  mod_revision: `${revision}`,
});

/** Writes a key. With a lease, etcd removes the key when the lease ends. */
export const put = (key: string, value: string, lease = "0") => ({
  request_put: { key: base64(key), value: base64(value), lease },
});

/** Removes keys. */
export const remove = (keys: Range) => ({ request_delete_range: rangeOf(keys) });

/** Reads keys. */
export const range = (keys: Range, extent: Extent = {}) => ({
  request_range: { ...rangeOf(keys), ...extent },
});

/** Does a transaction as a part of another one. */
export const nested = (transaction: Transaction) => ({ request_txn: transaction });

const base64 = (text: string) => Buffer.from(text).toString("base64");

function rangeOf(keys: Range) {
  return typeof keys === "string"
    ? { key: base64(keys) }
    : { key: base64(keys[0]), range_end: base64(keys[1]) };
}

/** An answer of the gateway. It leaves out what is 0, false or empty; its numbers are strings. */
export interface Answer {
  readonly header?: { readonly revision?: string };
  readonly succeeded?: boolean;
  readonly responses?: readonly {
    readonly response_range?: {
      readonly kvs?: readonly { readonly value?: string; readonly mod_revision: string }[];
      readonly count?: string;
    };
    readonly response_txn?: Answer;
  }[];
  /** The id of a new lease. */
  readonly ID?: string;
  /** The token for a name and a password. */
  readonly token?: string;
}

/** The value of a key, and the revision in which it was written. */
export interface Pair {
  readonly value: string;
  readonly revision: number;
}

/** Pairs in the order of their keys, as many as were asked for, and how many there are in all. */
export interface Found {
  readonly pairs: readonly Pair[];
  readonly count: number;
}

/** Whether everything compared held, the revision, and each range that was read. */
export interface Outcome {
  readonly succeeded: boolean;
  /** Whether there was a nested transaction, and everything that it compared held. */
  readonly nested: boolean;
  readonly revision: number;
  readonly found: readonly Found[];
}

/** Reads the answer to a transaction. What a nested transaction read is found, too. */
export function outcomeOf({ header, succeeded = false, responses = [] }: Answer): Outcome {
  const found = responses.flatMap(({ response_range: read, response_txn: inner }) => {
    if (inner !== undefined) return outcomeOf(inner).found;
    if (read === undefined) return [];
    const pairs = (read.kvs ?? []).map(({ value = "", mod_revision }) => ({
      value: Buffer.from(value, "base64").toString(),
      revision: Number(mod_revision),
    }));
    return [{ pairs, count: Number(read.count ?? 0) }];
  });
  const nested = responses.some(({ response_txn }) => response_txn?.succeeded);
  return { succeeded, nested, revision: Number(header?.revision), found };
}
