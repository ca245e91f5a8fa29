// A user's rules, and the four handlers of an account.

import type { Call } from "../http/call.ts";
import { entityTag } from "../http/conditional.ts";
import { readMembers, type Rules } from "../http/members.ts";
import { type Fields, HttpError, jsonReply, notModified, type Reply } from "../http/reply.ts";
import { path } from "../http/router.ts";
import { change } from "../store/change.ts";
import type { User, UserFields } from "../store/store.ts";
import type { Accounts } from "./accounts.ts";

export const USERS = path("/todo/api/v1.0/users");
export const USER = path("/todo/api/v1.0/users/<string:username>");

const isText = (value: unknown, form: RegExp): value is string =>
  typeof value === "string" && form.test(value);
/** A username; not `.` or `..`, which clients take out of a path (RFC 3986 §5.2.4). */
export const isUsername = (value: unknown) => isText(value, /^(?!\.\.?$)[A-Za-z0-9._-]{1,64}$/);
const PASSWORD = /^\P{Cc}{8,1024}$/u;
/** A new password. It counts as it is hashed; a much longer one is not even composed. */
export const isPassword = (value: unknown): value is string =>
  isText(value, PASSWORD) && PASSWORD.test(value.normalize("NFC"));

const CHANGES: Rules<UserFields> = {
  password: ["a string of 8 to 1024 characters, none of them a control character", isPassword],
  email: ["a string of at most 254 characters", (value) => isText(value, /^[^]{0,254}$/u)],
};
const NEW_USER: Rules<UserFields & { username: string }> = {
  username: ["1 to 64 letters, digits, dots, hyphens or underscores, and not . or ..", isUsername],
  ...CHANGES,
};

/** A call for the user that the path names. */
export type OneUser = Call<{ readonly username: string }, User>;

/** 201 and the address of the new user; 409 if the name is taken. */
export async function createUser(accounts: Accounts, call: Call): Promise<Reply> {
  const user = readMembers(await call.json(), NEW_USER, "username", "password"); // 400
  const added = await accounts.add(user.username, { email: "", ...user }, call.client);
  if (added === undefined) throw new HttpError(409, `there is a user ${user.username} already`);
  return reply(accounts, 201, added, call.origin, { Location: uriOf(added, call.origin) });
}

/** 200 with the caller's own user; 403 for any other name, whether there is such a user or not. */
export async function getUser(accounts: Accounts, call: OneUser): Promise<Reply> {
  const user = await self(call); // 401, 403
  const ETag = entityTag(accounts.store.epoch, user.revision);
  return call.clientHas(ETag) ? notModified(ETag) : reply(accounts, 200, user, call.origin);
}

/** 200; the members that were sent change, the others stay. */
export async function updateUser(accounts: Accounts, call: OneUser): Promise<Reply> {
  const before = await selfIfMatching(accounts, call); // 401, 403 and 412 come before 400
  const { password, ...rest } = readMembers(await call.json(), CHANGES); // 400
  const changes = password === undefined
    ? rest
    : { ...rest, password: await accounts.hash(password, call.client) };
  const user = await change(
    before,
    () => selfIfMatching(accounts, call),
    (user) => accounts.store.updateUser(user, changes),
    call.client,
  );
  if (password !== undefined) accounts.forget(user.id);
  return reply(accounts, 200, user, call.origin);
}

/** 200; the tasks go too. */
export async function deleteUser(accounts: Accounts, call: OneUser): Promise<Reply> {
  const result = await change(
    await selfIfMatching(accounts, call), // 401, 403, 412
    () => selfIfMatching(accounts, call),
    (user) => accounts.store.removeUser(user),
    call.client,
  );
  accounts.forget(call.user.id);
  return jsonReply(200, { result });
}

function reply(
  { store }: Accounts,
  status: number,
  user: User,
  origin: string,
  more: Fields = {},
): Reply {
  const { username, email } = user;
  const fields = { ETag: entityTag(store.epoch, user.revision), ...more };
  return jsonReply(status, { user: { username, email, uri: uriOf(user, origin) } }, fields);
}

const uriOf = ({ username }: User, origin: string) => origin + USER.build({ username });

/** The user who sent the request, as they are now. Throws 403 for another name, 401. */
async function self(call: OneUser): Promise<User> {
  if (call.user.username !== call.params.username) throw new HttpError(403);
  return await call.authorize();
}

/** The same, if the request's conditions hold. Throws 401, 403, 412. */
async function selfIfMatching(accounts: Accounts, call: OneUser): Promise<User> {
  const user = await self(call);
  call.checkConditions(entityTag(accounts.store.epoch, user.revision));
  return user;
}
