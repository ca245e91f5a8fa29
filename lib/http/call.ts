// What a handler is given.

/** Who sent a request. The id is never given to a second account; a username may be. */
export interface Account {
  readonly id: string;
  readonly username: string;
}

/** The client that waits for a response. */
export interface Client {
  /** Its IP address. */
  readonly address: string;
  /** When its request must be done, in milliseconds of `performance.now()`. */
  readonly until: number;
  /** True if it has closed the connection. */
  readonly gone: boolean;
}

/** Authenticates requests. Its accounts may have more properties than handlers need. */
export interface Authority {
  /** The account whose credentials an Authorization field holds, if any. */
  authenticate(field: string | undefined, client: Client): Promise<Account | undefined>;
  /** What `authenticate` returned, as it is now; undefined if it has lost its rights since. */
  current(account: Account, client: Client): Promise<Account | undefined>;
}

/** Whoever calls a route that is open to anyone. */
export const ANYONE: Account = { id: "", username: "" };
const nobody = () => Promise.resolve(undefined);
/** For tables in which every route is open to anyone. */
export const KNOWS_NOBODY: Authority = { authenticate: nobody, current: nobody };

/** A request as values, and what a handler may do with the rest of it. */
export interface Call<P = unknown, U extends Account = Account> {
  /** The parameters in the path. */
  readonly params: P;
  /** Who sent the request; an account without an id if the route is open to anyone. */
  readonly user: U;
  /** What follows the `?` of the target, still encoded. */
  readonly query: string;
  /** Scheme and authority for absolute URIs: `http://127.0.0.1:5000`. */
  readonly origin: string;
  /** Tells long work when nobody waits for it any more. */
  readonly client: Client;
  /** Whether the client's copy has this entity tag: respond 304. Throws 412. */
  clientHas(tag: string): boolean;
  /** Throws 412 if the request's conditions forbid to change what has this entity tag. */
  checkConditions(tag: string): void;
  /** Reads the content as JSON, then checks the credentials again. Throws 400 to 415. */
  json(): Promise<unknown>;
  /** Checks the credentials again, after slow work. Returns the account. Throws 401, 403. */
  authorize(): Promise<U>;
}
