// A long run on a network that is slow and loses much. A person repeats what the page says has
// failed, and nothing else. PAGE_PACE is how many milliseconds a request takes, PAGE_SEED another run.

import assert from "node:assert/strict";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { ask } from "../tools/start.ts";
import {
  box,
  browser,
  isChecked,
  shown,
  signIn,
  storyThrough,
  type Task,
  timePasses,
  untilServer,
} from "../tools/stories.ts";
import { KEY } from "../tools/webdriver.ts";

const PACE = Number(process.env["PAGE_PACE"] ?? 20);
const SEED = Number(process.env["PAGE_SEED"] ?? 1);
const DEEDS = 50;

/** Numbers from 0 to 1, by Park and Miller. */
function numbers(seed: number): () => number {
  let random = seed;
  return () => (random = random * 48_271 % 2_147_483_647) / 2_147_483_647;
}

storyThrough(
  `${DEEDS} deeds at ${PACE} ms a request, 30 % of which are lost: nothing twice, nothing gone`,
  async (proxy, server) => {
    await browser.open(`${proxy.origin}/?per_page=100`);
    await signIn();
    const chance = numbers(SEED);
    const isLost = numbers(SEED + 1); // apart: nobody knows when the page reads the list
    let lost = 0;
    Object.defineProperty(proxy, "gate", { get: () => setTimeout(PACE) });
    // Half of what is lost are requests, the other half are responses, or their ends.
    proxy.answer = (_, response) => isLost() < 0.15 && Boolean(++lost && response.destroy());
    proxy.lose = () => {
      const chance = isLost() * 0.85;
      if (chance < 0.15) lost++;
      return chance < 0.07 ? "rest" : chance < 0.15 ? "all" : undefined;
    };

    const isTrue = async (expression: string, ...args: unknown[]) =>
      Boolean(await browser.run(`const args = arguments; return ${expression}`, ...args));
    /** Does something again, as long as it has failed and the page says so. */
    const insist = async (
      act: () => Promise<void>,
      busy: string,
      failed: () => Promise<boolean>,
    ) => {
      for (let tries = 0; tries === 0 || await failed(); tries++) {
        assert.ok(tries < 30, "it never succeeds");
        await act();
        await untilServer(() => isTrue(`!document.querySelector(args[0])`, `${busy}[aria-busy]`));
      }
    };
    const saysAt = async (selector: string) =>
      assert.ok(await isTrue("document.querySelector(args[0])", `${selector} .error`), "unsaid");
    const says = async (words: string) =>
      assert.ok(await isTrue("said.textContent.includes(args[0])", words), `unsaid: ${words}`);

    let expected = [["Buy groceries", false], ["Learn Python", false]] as [string, boolean][];
    const any = () => expected[Math.floor(chance() * expected.length)] ?? assert.fail();
    const deeds: ((name: string) => Promise<void>)[] = [
      async function add(name) {
        await browser.fill("New task", name);
        await insist(() => browser.press("Add"), "#outbox", async () => {
          const isEmpty = await isTrue("document.querySelector('#add input').value === ''");
          if (!isEmpty) await saysAt("#add");
          return !isEmpty;
        });
        expected.push([name, false]);
      },
      async function edit(name) {
        const task = any();
        await browser.press(`Edit “${task[0]}”`);
        await browser.fill("Title", name);
        await insist(() => browser.keys(KEY.enter), ".editor", async () => {
          assert.equal(await isTrue("conflict.open"), false, "there is nothing to choose");
          const isOpen = await isTrue("document.querySelector('.editor:not([hidden])')");
          if (isOpen) await saysAt(".editor");
          return isOpen;
        });
        task[0] = name;
      },
      async function tick() {
        const task = any();
        task[1] = !task[1];
        await insist(async () => await browser.click(await box(task[0])), "li", async () => {
          const isDone = await isChecked(task[0]);
          if (isDone !== task[1]) await says(`“${task[0]}”: `);
          return isDone !== task[1];
        });
      },
      async function remove() {
        const task = any();
        const act = async () => {
          await browser.press(`Delete “${task[0]}”`);
          await timePasses();
        };
        await insist(act, "#summary", async () => {
          const isThere = (await shown() as string[]).includes(task[0]);
          if (isThere) await says(`“${task[0]}” isn’t deleted. `);
          return isThere;
        });
        expected = expected.filter((one) => one !== task);
      },
    ];
    for (let i = 0; i < DEEDS; i++) {
      await deeds[expected.length < 3 ? 0 : Math.floor(chance() * 4)]?.(`Task ${i}`);
      const { json } = await ask(server, "GET /tasks");
      const kept = (json as { tasks: Task[] }).tasks.map(({ title, done }) => [title, done]);
      assert.deepEqual(kept, expected, `after deed ${i}`);
      const names = `${expected.map(([title]) => title)}`;
      await untilServer(async () => {
        await timePasses(); // the page reads the list again and again
        return `${await shown()}` === names;
      });
    }
    assert.ok(lost > DEEDS / 2, `${lost} were lost`);
  },
  / 4(04|12) |ERR_/,
);
