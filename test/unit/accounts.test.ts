import assert from "node:assert/strict";
import { test } from "node:test";
import { basic } from "../../lib/http/credentials.ts";
import { MemoryStore } from "../../lib/store/memory.ts";
import type { Store } from "../../lib/store/store.ts";
import { Accounts } from "../../lib/todo/accounts.ts";
import { Passwords } from "../../lib/todo/passwords.ts";

test("the first user is in while the store keeps the hash, and no other is made", async (t) => {
  const verify = t.mock.method(Passwords.prototype, "verify");
  const store: Store = new MemoryStore();
  const update = store.updateUser.bind(store);
  const asked: Promise<unknown>[] = [];
  const written = new Promise<void>((resolve) => {
    store.updateUser = async (...change) => {
      const ask = () => asked.push(Promise.resolve(accounts.authenticate(field)));
      ask();
      await Promise.resolve();
      const kept = await update(...change);
      ask();
      resolve();
      return kept;
    };
  });
  const accounts = new Accounts(store, true);
  const field = basic({ username: "miguel", password: "python" });
  await accounts.addFirst("miguel", "python");
  await written;
  assert.deepEqual(await Promise.all(asked), ["miguel", "miguel"]);
  assert.equal(await accounts.authenticate(field), "miguel");
  assert.equal(verify.mock.callCount(), 0);
});
