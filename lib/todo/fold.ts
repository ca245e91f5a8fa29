// How text is compared in a search: upper and lower case, accents and forms of a letter are alike.

const ASCII = /^[\0-\x7f]*$/;
const ACCENTS = /[\u0300-\u036f]/g;
// ICU sorts the marks of a letter, and takes a second for a text of nothing else. No language has
// letters with more than 30 marks, so more of them are taken apart (UAX #15, stream-safe text).
const LETTERS = /\P{M}*\p{M}{0,30}/gu;

/** Returns what is left of a text if case and accents make no difference. */
export function fold(text: string): string {
  if (ASCII.test(text)) return text.toUpperCase();
  const parts = text.replace(LETTERS, (letters) => letters.normalize("NFKD"));
  // Of ß and ẞ, and of the two forms of σ, only one way leads to the same: down, then up.
  return parts.replace(ACCENTS, "").toLowerCase().toUpperCase();
}
