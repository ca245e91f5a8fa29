// The page, put together: somebody is signed in and sees the list, or is asked to sign in.

import { register, Service, takesUsers } from "./api.js";
import { clear, isTyped, onSubmit } from "./form.js";
import * as list from "./list.js";
import { byId, say, setConnection } from "./status.js";

const [account, who, welcome, farewell, listView, dialog] = [
  "account",
  "who",
  "welcome",
  "farewell",
  "list",
  "account-dialog",
].map(byId);
const [signIn, registration, passwordForm, deletion] = [
  "sign-in",
  "register",
  "change-password",
  "delete-account",
].map(byId);
const onClick = (id, act) => byId(id).onclick = act;

list.start(() => {
  list.close();
  leave("You are signed out: your password was changed, or your account is gone.");
});

onSubmit(signIn, ({ username, password }) => enter(username.value, password.value));

onSubmit(registration, async ({ username, password, email }) => {
  const user = { username: username.value, password: password.value };
  await register(email.value === "" ? user : { ...user, email: email.value });
  await enter(user.username, user.password);
});

onClick("show-register", () => showForm(registration));
onClick("show-sign-in", () => showForm(signIn));

onClick("sign-out", () => {
  if (list.isUnsaved() && !confirm("Sign out, and lose what isn’t saved yet?")) return;
  list.leave();
  leave("You are signed out.");
});

onClick("open-account", () => {
  list.settle(); // with the password that still holds
  passwordForm.elements.username.value = who.textContent; // for the browser's password manager
  dialog.showModal();
});

onSubmit(passwordForm, async ({ password }) => {
  await list.write((service) => service.changePassword(password.value));
  dialog.close();
  say("Your password is changed.");
});

onSubmit(deletion, async () => {
  await list.write((service) => service.deleteAccount());
  list.leave();
  leave("Your account and its tasks are deleted.");
});

onClick("cancel", () => dialog.close());
dialog.onclose = forget;

addEventListener("beforeunload", (event) => {
  if (list.isUnsaved() || [registration, passwordForm].some(isTyped)) event.preventDefault();
});

async function enter(username, password) {
  await list.open(new Service({ username, password }));
  forget();
  who.textContent = username;
  show({ signedIn: true });
  byId("add").elements.title.focus();
}

function leave(words) {
  document.querySelector("dialog[open]")?.close();
  forget();
  setConnection("");
  say("");
  show({ signedIn: false });
  showForm(signIn);
  farewell.textContent = words;
}

/** Empties the forms that hold passwords. */
function forget() {
  [signIn, registration, passwordForm, deletion].forEach(clear);
}

function show({ signedIn }) {
  welcome.hidden = signedIn;
  account.hidden = listView.hidden = !signedIn;
}

/** Shows one of the two forms, with the name typed in the other. */
function showForm(form) {
  const other = form === signIn ? registration : signIn;
  form.elements.username.value ||= other.elements.username.value;
  other.reset();
  other.hidden = true;
  form.hidden = false;
  form.elements.username.focus();
}

byId("too-old").remove();
welcome.hidden = false;
byId("show-register").hidden = !await takesUsers().catch(() => true);
