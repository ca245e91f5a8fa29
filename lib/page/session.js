// Who is signed in, and the changes under way.

import * as poll from "./poll.js";

/** The service, while somebody is signed in. */
export let service;
export let isOpen = false; // the list is shown and kept up to date
export let writes = 0; // under way

export function begin(user) {
  service = user;
  isOpen = true;
}

/** Stops asking. What is being typed stays for the same user. */
export function pause() {
  isOpen = false;
  poll.stop();
}

export function end() {
  pause();
  service = undefined;
}

/** Makes changes. Polling stops: what it read before must not be shown. */
export async function write(change) {
  writes++;
  poll.stop();
  try {
    return await change(service);
  } finally {
    writes--;
    if (isOpen && writes === 0) poll.now();
  }
}
