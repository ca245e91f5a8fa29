// Text as a SQLite file stores it: any tool can read it, and every SQLite reads the same.

// UTF-8 has no lone surrogates, some drivers stop at NUL, and SQLite itself loses U+FFFE and U+FFFF
// in a file of UTF-16. So these are written as a backslash and four hexadecimal digits.
const SPECIAL = /[\\\0\ufffe\uffff]|\p{Surrogate}/gu;

/** Writes a string of JavaScript so that SQLite gives it back as it was. */
export const escape = (text: string) =>
  text.replace(SPECIAL, (unit) => `\\${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Returns the string that `escape` was given. */
export const unescape = (text: string) =>
  text.includes("\\")
    ? text.replace(/\\([0-9a-f]{4})/g, (_, digits) => String.fromCharCode(parseInt(digits, 16)))
    : text;

/** Text with all that might get lost. Each file has it, and it is read when a file is opened. */
export const PROOF = "naïve café, żółw 😀 \\ \0 \ud83d \ufffe \uffff";
