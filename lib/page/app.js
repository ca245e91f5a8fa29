// Signing in and out, and the account.

import { mayRegister, register, Service } from "./api.js";
import { isTyped, onSubmit } from "./form.js";
import * as list from "./list.js";
import { pause, write } from "./session.js";
import { parts, say, setConnection } from "./status.js";

const { account, who, welcome, farewell, accountDialog } = parts;
const { signIn, registration, showRegistration, passwordForm, deletion } = parts;

addEventListener("signedout", () => {
  pause();
  leave("You are signed out: your password was changed, or your account is gone.", who.textContent);
});

// Phones add a blank to a name that they complete.
onSubmit(signIn, ({ username, password }) => enter(username.value.trim(), password.value));

let registered; // the name that an earlier try may have registered
onSubmit(registration, async ({ username: { value }, password, email }) => {
  const username = value.trim();
  try {
    await register({ username, password: password.value, email: email.value });
    registered = username;
  } catch (problem) {
    if (!problem.isRefusal) registered = username;
    if (problem.status !== 409 || registered !== username) throw problem;
  }
  await enter(username, password.value);
});

showRegistration.onclick = () => showForm(registration);
parts.showSignIn.onclick = () => showForm(signIn);

parts.signOut.onclick = () => {
  if (list.isUnsaved() && !confirm("Sign out, and lose what isn’t saved yet?")) return;
  list.leave();
  leave("You are signed out.");
};

parts.openAccount.onclick = () => {
  passwordForm.elements.username.value = who.textContent; // for password managers
  accountDialog.showModal();
};

onSubmit(passwordForm, async ({ password }) => {
  await write((service) => service.changePassword(password.value));
  forget();
  accountDialog.close();
  say("Your password is changed.");
});

onSubmit(deletion, async () => {
  await write((service) => service.deleteAccount());
  list.leave();
  leave("Your account and its tasks are deleted.");
});

parts.cancel.onclick = () => accountDialog.close();
accountDialog.onclose = forget;

addEventListener("beforeunload", (event) => {
  if (list.isUnsaved() || [registration, passwordForm].some(isTyped)) event.preventDefault();
});

async function enter(username, password) {
  await list.open(new Service({ username, password }));
  forget();
  who.textContent = username;
  welcome.hidden = true;
  account.hidden = parts.list.hidden = false;
  parts.add.elements.title.focus();
}

function leave(words, username = "") {
  document.querySelector("dialog[open]")?.close();
  forget();
  setConnection("");
  say("");
  welcome.hidden = false;
  account.hidden = parts.list.hidden = true;
  signIn.elements.username.value = username;
  showForm(signIn);
  farewell.textContent = words;
}

/** Empties the forms that hold passwords. */
function forget() {
  for (const form of [signIn, registration, passwordForm, deletion]) form.reset();
}

/** Shows one of the two forms, with the name typed in the other. */
function showForm(form) {
  const other = form === signIn ? registration : signIn;
  form.elements.username.value ||= other.elements.username.value;
  other.reset();
  other.hidden = true;
  form.hidden = false;
  const { username, password } = form.elements;
  (username.value ? password : username).focus();
}

// What the scripts need, and browsers have had for the shortest time.
if (AbortSignal.any && AbortSignal.timeout && welcome.showPopover && "ariaBusy" in welcome) {
  parts.tooOld.remove();
  welcome.hidden = false;
  showRegistration.hidden = !await mayRegister().catch(() => true);
}
