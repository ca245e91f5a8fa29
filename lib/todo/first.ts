// What a new store begins with: the tutorial's user and two tasks.

import type { Client } from "../http/call.ts";
import { basic } from "../http/credentials.ts";
import { INITIAL, Unusable } from "../store/store.ts";
import type { Accounts } from "./accounts.ts";

/** The tutorial's user. Its password is public, so the hash may be public too. */
export const TUTORIAL = {
  username: "miguel",
  password: "python",
  hash: "scrypt$17$8$1$7RK4tZLkdEFVsbQSomjQzA==$w8NWcQOcmiZwCQ4+qqbqlE//moh1usSK8RZmrH5IJrg=",
};

const TASKS = [
  { ...INITIAL, title: "Buy groceries", description: "Milk, Cheese, Pizza, Fruit, Tylenol" },
  {
    ...INITIAL,
    title: "Learn Python",
    description: "Need to find a good Python tutorial on the web",
  },
];

const NOBODY: Client = { address: "", until: Infinity, gone: false };

/** Gives a new store its first user, with the two tasks. */
export async function addFirstUser(
  accounts: Accounts,
  { user: username, password }: { user: string; password: string },
): Promise<void> {
  const { store } = accounts;
  if (await store.user(username) !== undefined) return;
  const isPublic = password === TUTORIAL.password && accounts.passwords.isUsual(TUTORIAL.hash);
  const hash = isPublic ? TUTORIAL.hash : await accounts.hash(password, NOBODY);
  await accounts.addFirst({ username, password }, hash, TASKS);
}

/** Throws Unusable if a user has the tutorial's password, as on a server that was private. */
export async function refuseKnownPassword(
  accounts: Accounts,
  { user, reachable }: { user: string; reachable: string | undefined },
): Promise<void> {
  if (reachable === undefined) return;
  for (const username of new Set([user, TUTORIAL.username])) {
    if (await accounts.store.user(username) === undefined) continue;
    const field = basic({ username, password: TUTORIAL.password });
    if (await accounts.authenticate(field, NOBODY) === undefined) continue;
    const fix = `change the password of ${username} before others reach this server`;
    throw new Unusable(`${reachable}: ${fix}, because everybody knows it from the tutorial`);
  }
}
