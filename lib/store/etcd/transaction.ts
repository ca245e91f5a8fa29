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

/** How much of a range is read: its first keys, only their number, as it was in a revision. */
export interface Extent {
  readonly limit?: number;
  readonly count_only?: boolean;
  readonly revision?: number;
}

/** Holds if the keys were last written in this revision. A missing key has revision 0. */
export const unchanged = (keys: Range, revision: number) => ({
  ...rangeOf(keys),
  target: "MOD",
  result: "EQUAL",
  mod_revision: `${revision}`,
});

/** Holds if the key exists. */
export const exists = (key: string) => ({ ...unchanged(key, 0), result: "GREATER" });

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

const base64 = (text: string) => Buffer.from(text).toString("base64");

function rangeOf(keys: Range) {
  return typeof keys === "string"
    ? { key: base64(keys) }
    : { key: base64(keys[0]), range_end: base64(keys[1]) };
}

/** An answer of the gateway. It leaves out what is 0, false or empty; its numbers are strings. */
export interface Answer {
  readonly header?: { readonly revision: string };
  readonly succeeded?: boolean;
  readonly responses?: readonly {
    readonly response_range?: {
      readonly kvs?: readonly { readonly value?: string; readonly mod_revision: string }[];
      readonly count?: string;
    };
    readonly response_delete_range?: { readonly deleted?: string };
  }[];
  /** The id of a new lease. */
  readonly ID?: string;
  /** The token for a name and a password. */
  readonly token?: string;
}

/** Values in the order of their keys, as many as were asked for, and how many there are in all. */
export interface Found {
  readonly pairs: readonly { readonly value: string; readonly revision: number }[];
  readonly count: number;
}

/** Whether everything compared held, its revision, each range that was read, keys removed. */
export interface Outcome {
  readonly succeeded: boolean;
  readonly revision: number;
  readonly found: readonly Found[];
  readonly removed: number;
}

/** Reads the answer to a transaction. */
export function outcomeOf({ header, succeeded = false, responses = [] }: Answer): Outcome {
  const found = responses.flatMap(({ response_range: read }): Found[] => {
    if (read === undefined) return [];
    const pairs = (read.kvs ?? []).map(({ value = "", mod_revision }) => ({
      value: Buffer.from(value, "base64").toString(),
      revision: Number(mod_revision),
    }));
    return [{ pairs, count: Number(read.count ?? 0) }];
  });
  const removed = responses.reduce(
    (sum, { response_delete_range }) => sum + Number(response_delete_range?.deleted ?? 0),
    0,
  );
  return { succeeded, revision: Number(header?.revision), found, removed };
}
