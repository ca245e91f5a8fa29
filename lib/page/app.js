// The page, put together: somebody is signed in and sees the list, or is asked to sign in.

import { register, Service } from "./api.js";
import { clearErrors, onSubmit } from "./form.js";
import { List } from "./list.js";
import { say, setConnection } from "./status.js";

const [account, who, changePassword, signOut, welcome, farewell, signIn, listView, dialog] =
  document.querySelectorAll( // in the order of the document
    "#account, #who, #change-password, #sign-out, #welcome, #farewell, #sign-in, #list, #password",
  );
const passwordForm = dialog.querySelector("form");

const list = new List((problem) => {
  if (problem.status !== 401) return say(problem.message);
  list.close();
  leave("You are signed out: your password was changed, or your account is gone.");
});

onSubmit(signIn, async ({ username, password }, button) => {
  const user = { username: username.value, password: password.value };
  if (button.value === "register") await register(user);
  await list.open(new Service(user));
  forget();
  who.textContent = user.username;
  show({ signedIn: true });
  document.querySelector("#add [name=title]").focus();
});

signOut.addEventListener("click", async () => {
  await list.leave();
  leave("You are signed out.");
});

changePassword.addEventListener("click", () => {
  list.settle(); // with the password that still holds
  passwordForm.elements.username.value = who.textContent; // for the browser's password manager
  dialog.showModal();
});

onSubmit(passwordForm, async ({ password }) => {
  await list.write((service) => service.changePassword(password.value));
  dialog.close();
  say("Your password is changed.");
});

passwordForm.querySelector(".cancel").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", forget);

function leave(words) {
  document.querySelector("dialog[open]")?.close();
  forget();
  setConnection("");
  say("");
  show({ signedIn: false });
  farewell.textContent = words;
  signIn.elements.username.focus();
}

/** Empties the forms that hold passwords. */
function forget() {
  for (const form of [signIn, passwordForm]) {
    form.reset();
    clearErrors(form);
  }
}

function show({ signedIn }) {
  welcome.hidden = signedIn;
  for (const part of [account, listView]) part.hidden = !signedIn;
}
