// What happens: shown at the foot of the screen, where it moves nothing, and read out.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

const [toast, connection, said, announcement] = ["toast", "connection", "said", "announcement"].map(
  byId,
);
const LONG_ENOUGH = 6000; // ms to read it
let timer;

/** Says it for a while. */
export function say(words) {
  announce(words);
  show(said, words);
  clearTimeout(timer);
  timer = setTimeout(show, LONG_ENOUGH, said, "");
}

/** Has read out what can be seen anyway. */
export function announce(words) {
  announcement.textContent = words;
}

/** Says what is wrong with the connection, for as long as it is; "" when all is well. */
export function setConnection(words) {
  if (connection.textContent === words) return; // it isn't read out twice
  announce(words);
  show(connection, words);
}

/** A title in quotation marks, cut if it is very long. */
export function quote(title) {
  const characters = [...title];
  return characters.length > 60 ? `“${characters.slice(0, 59).join("")}…”` : `“${title}”`;
}

function show(line, words) {
  line.textContent = words;
  toast.hidePopover();
  if (said.textContent + connection.textContent) toast.showPopover(); // above any dialog
}
