// What goes wrong between a server and etcd, in words that name the fix.

import { Full, TooLarge, Unavailable } from "../store.ts";

/** The token for a name and a password has ended, or etcd's users have changed. */
export class TokenEnded extends Error {}

/** The lease of a mark has ended before its time, perhaps because a backup was restored. */
export class LeaseEnded extends Unavailable {}

/** What was to be read as it was in an old revision is compacted. */
export class Compacted extends Unavailable {}

const MORE_ROOM =
  "compact and defragment etcd or raise --quota-backend-bytes, then disarm the alarm";

/** Errors by what etcd says. */
const REFUSALS: readonly (readonly [says: RegExp, error: () => Error])[] = [
  [/invalid auth token|auth store is old/, () => new TokenEnded()],
  [/lease not found/, () => new LeaseEnded("etcd has lost a lease; try again")],
  [/has been compacted/, () => new Compacted("etcd was compacted during a read; try again")],
  [/space exceeded/, () => new Full(`the store is full; its operator has to ${MORE_ROOM}`)],
  [
    /request is too large|larger than max/,
    () => new TooLarge("the store takes about 1.5 MB in one task (etcd's --max-request-bytes)"),
  ],
  [
    /user name is empty/,
    () => new Unavailable("etcd has users: set TODO_ETCD_USER and TODO_ETCD_PASSWORD"),
  ],
  [
    /authentication failed/,
    () => new Unavailable("etcd refuses TODO_ETCD_USER or TODO_ETCD_PASSWORD: check both"),
  ],
  [
    /authentication is not enabled/,
    () => new Unavailable("etcd has no users: unset TODO_ETCD_USER, or run etcdctl auth enable"),
  ],
  [
    /permission denied/,
    () => new Unavailable("TODO_ETCD_USER may not read and write the keys that begin with todo/"),
  ],
];

/** The error for what etcd says. Unless it is Unavailable, another member may say otherwise. */
export function refusal(status: number, says: string): Error {
  const [, error] = REFUSALS.find(([known]) => known.test(says)) ?? [];
  if (error !== undefined) return error();
  const message = `etcd says: ${says}`;
  return status < 408 || status === 429 ? new Unavailable(message) : new Error(message);
}

/** Mends by the message of a failed connection; each runtime has its own words. */
const FAILURES: readonly (readonly [says: RegExp, fix: string])[] = [
  [/certificate|cert_|altname/i, "; name its authority's file in NODE_EXTRA_CA_CERTS"],
  [
    /closed|disconnected|reset|eof|wrong.version|packet.length|InvalidContentType/i,
    "; members with TLS are written etcds://, others etcd://, and none may ask for certificates",
  ],
];

/** Says why a member could not be asked. */
export function failure(error: unknown): string {
  const reason = rootOf(error);
  return reason + (FAILURES.find(([says]) => says.test(reason))?.[1] ?? "");
}

/** Returns the innermost cause, because fetch itself only says that it failed. */
function rootOf(error: unknown): string {
  if (!(error instanceof Error)) return `${error}`;
  return error.cause === undefined ? error.message : rootOf(error.cause);
}
