// How a change is made: again if another was quicker, until the client's time is over.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { change } from "../../lib/store/change.ts";
import { Unavailable } from "../../lib/store/store.ts";

const WAITS = { until: Infinity, gone: false };

/** A number that is written only if it is as it was read. `quicker` others write before each. */
function fixture(quicker = 0) {
  let current = { value: 0 };
  return {
    async read() {
      await setImmediate();
      return current;
    },
    async write(read: { value: number }) {
      await setImmediate();
      if (quicker-- > 0) current = { value: current.value + 100 };
      if (read !== current) return undefined;
      return current = { value: read.value + 1 };
    },
  };
}

test("changes at the same time are all made", async () => {
  const { read, write } = fixture();
  const all = Array.from({ length: 20 }, async () => change(await read(), read, write, WAITS));
  const values = (await Promise.all(all)).map(({ value }) => value);
  assert.deepEqual(values.sort((x, y) => x - y), Array.from({ length: 20 }, (_, i) => i + 1));
});

test("if others were quicker, it is read and written again", async () => {
  const { read, write } = fixture(3);
  assert.deepEqual(await change(await read(), read, write, WAITS), { value: 301 });
});

test("a client that has gone or waited too long gets no second try", async () => {
  for (const client of [{ until: 0, gone: false }, { until: Infinity, gone: true }]) {
    const { read, write } = fixture(1);
    await assert.rejects(change(await read(), read, write, client), Unavailable);
    const other = fixture();
    assert.deepEqual(await change(await other.read(), other.read, other.write, client), {
      value: 1,
    });
  }
});

test("a failure is passed on", async () => {
  const { read, write } = fixture(1);
  const fails = () => Promise.reject(new Error("it fails"));
  await assert.rejects(change(await read(), fails, write, WAITS), /it fails/);
  await assert.rejects(change(await read(), read, fails, WAITS), /it fails/);
});
