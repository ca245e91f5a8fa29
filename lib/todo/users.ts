// A user's rules, and the four handlers of an account.

import { readMembers, type Rules } from "../http/body.ts";
import { change } from "../http/later.ts";
import { HttpError, printJson, type Reply } from "../http/reply.ts";
import { type Call, path } from "../http/router.ts";
import type { User, UserFields } from "../store/store.ts";
import type { Accounts } from "./accounts.ts";

export const USERS = path("/todo/api/v1.0/users");
export const USER = path("/todo/api/v1.0/users/<string:username>");

const isText = (value: unknown, form: RegExp): value is string =>
  typeof value === "string" && form.test(value);
const CHANGES: Rules<UserFields> = {
  password: ["a string of 8 to 1024 characters", (value) => isText(value, /^[^]{8,1024}$/u)],
  email: ["a string", (value) => typeof value === "string"],
};
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const NEW_USER: Rules<UserFields & { username: string }> = {
  username: [
    "1 to 64 letters, digits, dots, hyphens or underscores",
    (value) => isText(value, NAME),
  ],
  ...CHANGES,
};

type OneUser = Call<{ readonly username: string }>;

/** 201, and where the user is; 409 for a name that is taken. */
export async function createUser(accounts: Accounts, call: Call): Promise<Reply> {
  if (!accounts.open) throw new HttpError(403, "this server takes no new users");
  const user = readMembers(await call.json(), NEW_USER, "username", "password");
  const added = await accounts.add(user.username, { email: "", ...user });
  if (added === undefined) throw new HttpError(409, `there is a user ${user.username} already`);
  const fields = { ETag: accounts.tag(added), Location: uriOf(added, call.origin) };
  return { ...reply(accounts, added, call.origin), status: 201, fields };
}

/** 200 for oneself; 403 for any other name, there or not. */
export async function getUser(accounts: Accounts, call: OneUser): Promise<Reply> {
  const user = await self(accounts, call);
  const ETag = accounts.tag(user);
  return call.unchanged(ETag)
    ? { status: 304, fields: { ETag } }
    : reply(accounts, user, call.origin);
}

/** 200, what was sent is changed and the rest stays; 403 and 412 before 400. */
export async function updateUser(accounts: Accounts, call: OneUser): Promise<Reply> {
  await judged(accounts, call); // 403, 412 before 400
  const { password, ...rest } = readMembers(await call.json(), CHANGES);
  const changes = password === undefined
    ? rest
    : { ...rest, password: await accounts.hash(password) };
  const user = await change(
    () => judged(accounts, call),
    (user) => accounts.store.updateUser(user, changes),
  );
  return reply(accounts, user, call.origin);
}

/** 200; the tasks go too. */
export async function deleteUser(accounts: Accounts, call: OneUser): Promise<Reply> {
  const result = await change(
    () => judged(accounts, call),
    (user) => accounts.store.removeUser(user),
  );
  return { status: 200, text: printJson({ result }) };
}

function reply(accounts: Accounts, user: User, origin: string): Reply {
  const { username, email } = user;
  const text = printJson({ user: { username, email, uri: uriOf(user, origin) } });
  return { status: 200, text, fields: { ETag: accounts.tag(user) } };
}

const uriOf = ({ username }: User, origin: string) => origin + USER.build({ username });

async function self(accounts: Accounts, { user: asking, params }: OneUser): Promise<User> {
  if (asking !== params.username) throw new HttpError(403);
  const user = await accounts.find(asking);
  if (user === undefined) throw new HttpError(404); // gone since the credentials were checked
  return user;
}

/** The user who is asking, if the request's conditions hold. Throws 403, 404, 412. */
async function judged(accounts: Accounts, call: OneUser): Promise<User> {
  const user = await self(accounts, call);
  call.unchanged(accounts.tag(user));
  return user;
}
