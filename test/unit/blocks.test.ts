// The array of short arrays, against a plain sorted one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Blocks } from "../../lib/store/blocks.ts";
import type { Task } from "../../lib/store/store.ts";

const BLOCK = 512; // what a block holds at most; the tests only have to go beyond it

const task = (id: number, title = ""): Task => ({
  id,
  title,
  description: "",
  done: false,
  revision: id,
});

/** Blocks of tasks with the even ids up to 2 n, and these tasks. */
function filled(n: number): [blocks: Blocks, plain: Task[]] {
  const blocks = new Blocks();
  const plain = Array.from({ length: n }, (_, i) => task(2 * i + 2));
  for (const task of plain) blocks.push(task);
  return [blocks, plain];
}

/** Park and Miller's random numbers below `n`: the same ones in every run. */
function random(seed: number): (n: number) => number {
  return (n) => (seed = seed * 48271 % 2147483647) % n;
}

/** What `after` gives, one time after the other: must be all tasks beyond this id, in order. */
function follow(blocks: Blocks, id: number): Task[] {
  const tasks: Task[] = [];
  for (let some = blocks.after(id); some.length > 0; some = blocks.after(id)) {
    tasks.push(...some);
    id = some.at(-1)?.id ?? assert.fail();
  }
  return tasks;
}

function assertSame(blocks: Blocks, plain: readonly Task[]): void {
  assert.equal(blocks.length, plain.length);
  assert.deepEqual(blocks.slice(0, Infinity), plain);
  assert.deepEqual(blocks.snapshot().flat(), plain);
  assert.deepEqual(follow(blocks, 0), plain);
}

test("blocks hold what a sorted array holds, after each of thousands of operations", () => {
  const below = random(2013);
  const blocks = new Blocks();
  const plain: Task[] = [];
  let id = 0;
  const remove = (at: number) => plain.splice(at, 1).forEach(({ id }) => blocks.remove(id));
  for (let step = 0; step < 6000; step++) {
    const at = below(Math.max(1, plain.length));
    const kind = below(100);
    if (kind < 55 || plain.length === 0) {
      id += 1 + below(3);
      plain.push(task(id));
      blocks.push(task(id));
    } else if (kind < 75) remove(at);
    else if (kind < 98) {
      const changed = task(plain[at]?.id ?? assert.fail(), `${step}`);
      plain[at] = changed;
      blocks.replace(changed);
    } else {
      const from = [0, at, Math.max(0, plain.length - 2 * BLOCK)][below(3)] ?? 0;
      for (let n = below(2 * BLOCK); n > 0 && from < plain.length; n--) remove(from);
    }
    if (step % 3 === 0) {
      for (let n = below(40); n > 0; n--) {
        plain.push(task(++id));
        blocks.push(task(id));
      }
    }
    assert.equal(blocks.length, plain.length, `step ${step}`);
    const wanted = below(id + 2);
    assert.deepEqual(blocks.get(wanted), plain.find(({ id }) => id === wanted), `step ${step}`);
    const [offset, limit] = [below(plain.length + 2), below(2 * BLOCK)];
    assert.deepEqual(blocks.slice(offset, limit), plain.slice(offset, offset + limit));
    if (step % 100 === 0) assertSame(blocks, plain);
  }
  assertSame(blocks, plain);
  while (plain.length > 0) remove(below(plain.length));
  assertSame(blocks, []);
});

test("whole blocks go from the front, the middle and the back", () => {
  const n = 5 * BLOCK;
  const rows: [where: string, from: number, count: number][] = [
    ["front", 0, BLOCK],
    ["middle", 2 * BLOCK, BLOCK],
    ["middle, two", BLOCK, 2 * BLOCK],
    ["back", 4 * BLOCK, BLOCK],
    ["across borders", BLOCK - 1, BLOCK + 2],
    ["everything", 0, n],
  ];
  for (const [where, from, count] of rows) {
    for (const reverse of [false, true]) {
      const [blocks, plain] = filled(n);
      const gone = plain.splice(from, count);
      for (const { id } of reverse ? gone.reverse() : gone) blocks.remove(id);
      assertSame(blocks, plain);
      for (const { id } of gone) assert.equal(blocks.get(id), undefined, where);
      for (const task of plain) assert.equal(blocks.get(task.id), task, where);
      const next = task(2 * n + 2);
      blocks.push(next);
      assertSame(blocks, [...plain, next]);
    }
  }
});

test("a slice goes over the borders of blocks", () => {
  const [blocks, plain] = filled(3 * BLOCK + 7);
  for (const border of [0, BLOCK, 2 * BLOCK, 3 * BLOCK, plain.length]) {
    for (const offset of [border - 1, border, border + 1].filter((offset) => offset >= 0)) {
      for (const limit of [0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 1, 1e17]) {
        const expected = plain.slice(offset, offset + limit);
        assert.deepEqual(blocks.slice(offset, limit), expected, `${limit} after ${offset}`);
      }
    }
  }
  assert.deepEqual(blocks.slice(1e17, 30), []);
});

test("what was read stays as it was", () => {
  const [blocks, plain] = filled(3);
  const read = [blocks.slice(0, 3), blocks.after(0), blocks.snapshot().flat()];
  const changes = [
    () => blocks.push(task(8)),
    () => blocks.replace(task(4, "changed")),
    () => blocks.remove(2),
  ];
  for (const change of changes) {
    const now = blocks.snapshot();
    const then = now.flat();
    change();
    assert.deepEqual(now.flat(), then);
    assert.notDeepEqual(blocks.snapshot().flat(), then);
  }
  assert.deepEqual(read, [plain, plain, plain]);
});

test("what was read stays as it was, when the block after it is gone", () => {
  const [blocks, plain] = filled(BLOCK + 1);
  const next = blocks.after(plain[BLOCK - 1]?.id ?? 0);
  blocks.push(task(3 * BLOCK));
  assert.deepEqual(next, [plain[BLOCK]]);
  for (const { id } of [...plain.slice(0, 5), ...blocks.snapshot().at(-1) ?? []]) {
    blocks.remove(id);
  }
  const before = blocks.snapshot();
  blocks.push(task(4 * BLOCK));
  blocks.push(task(4 * BLOCK + 1));
  assert.deepEqual(before.flat(), plain.slice(5, BLOCK));
  assert.equal(blocks.length, BLOCK - 3);
});

test("after an id comes the next task, wherever the block ends", () => {
  const [blocks, plain] = filled(2 * BLOCK + 1);
  for (const { id } of plain) {
    assert.equal(blocks.after(id - 1)[0]?.id, id); // an id that is not there
    assert.equal(blocks.after(id)[0], plain[id / 2]);
  }
  const last = plain.at(-1)?.id ?? assert.fail();
  for (const none of [last, last + 1, 2 ** 53]) assert.deepEqual(blocks.after(none), []);
  assert.deepEqual(new Blocks().after(0), []);
});

test("an id that is not there finds nothing", () => {
  const [blocks] = filled(2 * BLOCK);
  for (const id of [-1, 0, 1, 2.5, 2 * BLOCK + 1, 5 * BLOCK, 2 ** 53, Infinity, NaN]) {
    assert.equal(blocks.get(id), undefined, `${id}`);
  }
});
