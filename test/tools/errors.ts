// What responses to wrong requests contain.

/** The content of a 400. */
export const bad = (message: string) => ({ error: "Bad request", message });

/** The content of a 400 about members: what is wrong with each, in words and in `fields`. */
export const wrong = (fields: Record<string, string>) => ({
  ...bad(Object.entries(fields).map((fault) => fault.join(" ")).join("; ")),
  fields,
});
