// The pages of the project: README.md and those of the folders. Reads their blocks and tables, so
// that tests can check these.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const ROOT = new URL("../..", import.meta.url);

/** A file of the project. */
export const read = (file: string) =>
  readFileSync(new URL(file, ROOT), "utf8").replaceAll("\r\n", "\n");

/** The files below a folder, such as `lib/`, or, for "", all files of the project. */
export function filesIn(folder: string): string[] {
  return readdirSync(new URL(folder === "" ? "." : folder, ROOT), { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules" && name !== ".git")
    .flatMap((entry) =>
      entry.isDirectory() ? filesIn(`${folder}${entry.name}/`) : [folder + entry.name]
    );
}

/** Every page, README.md first. */
export const PAGES = filesIn("").filter((file) => file.endsWith(".md")).sort((a, b) =>
  a.split("/").length - b.split("/").length
);

/** A block of code on a page, under its nearest heading. */
export interface Block {
  readonly page: string;
  readonly heading: string;
  readonly language: string;
  readonly text: string;
}

/** The blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let heading = "";
  for (const found of read(page).matchAll(/^```(\w*)\n(.*?)^```$|^#+ ([^\n]*)$/gms)) {
    const [, language = "", text = "", title] = found;
    if (title !== undefined) heading = title;
    else blocks.push({ page, heading, language, text });
  }
  return blocks;
}

/** The text of the only block in this language under a heading of a page. */
export function blockUnder(page: string, heading: string, language: string): string {
  const found = blocksOf(page).filter((block) =>
    block.heading === heading && block.language === language
  );
  assert.equal(found.length, 1, `${page}: ${language} under ${heading}`);
  return found[0]?.text ?? "";
}

/** The rows of each table of a page whose first column has this heading, without backticks. */
export function table(page: string, heading: string): string[][] {
  const tables = read(page).split(new RegExp(`^\\| ${heading} +\\|.*\n\\|[ |-]+\\|\n`, "m")).slice(
    1,
  );
  assert.notEqual(tables.length, 0, `no table of ${page} begins with ${heading}`);
  return tables.flatMap((text) => text.slice(0, text.search(/^(?!\|)/m)).trimEnd().split("\n"))
    .map((line) => line.slice(2, -2).split("|").map((cell) => cell.replaceAll("`", "").trim()));
}

const { stdout: version } = spawnSync("sh", ["-c", "curl --version"], { encoding: "utf8" });
/** Why transcripts are not typed, if they are not. */
export const NO_CURL = Number(/^curl (\d+\.\d+)/.exec(version)?.[1] ?? 0) >= 7.84
  ? false
  : "the transcripts need sh, and curl 7.84 or newer";

/** The commands after `$ ` in console blocks, and the output that is shown below each. */
export function transcript(blocks: readonly Block[]): { command: string; printed: string }[] {
  const texts = blocks.filter(({ language }) => language === "console").map(({ text }) => text);
  return texts.flatMap((text) => text.split(/^\$ /m).slice(1)).map((text) => {
    const end = text.indexOf("\n");
    return { command: text.slice(0, end), printed: text.slice(end + 1) };
  });
}
