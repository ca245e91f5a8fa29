// What happens, said at the foot of the screen and to screen readers; it moves nothing else.

const connection = document.getElementById("connection");
const said = document.getElementById("said");
const LONG_ENOUGH = 6000; // ms to read it
let timer;

/** Says that something has happened. */
export function say(words) {
  clearTimeout(timer);
  said.textContent = words;
  timer = setTimeout(() => said.textContent = "", LONG_ENOUGH);
}

/** What is wrong with the connection, for as long as it is; "" when all is well. */
export function setConnection(words) {
  if (connection.textContent !== words) connection.textContent = words; // and isn't read out twice
}
