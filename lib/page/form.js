// Forms: sent once at a time, and what is wrong is said where it can be mended.

import { Problem } from "./api.js";

let errors = 0;

/**
 * Calls `submit` with the fields and the button, once they hold what is required. A Problem that it
 * throws is said at the field that it is about, or at the form's end.
 */
export function onSubmit(form, submit) {
  form.noValidate = true; // or the browser says it, in a bubble that soon goes away
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return; // a double click adds one task
    clearErrors(form);
    const wrong = [...form.elements].filter((field) => invalidity(field) !== "");
    for (const field of wrong.reverse()) say(form, field, invalidity(field));
    if (wrong.length > 0) return;
    form.ariaBusy = "true";
    try {
      await submit(form.elements, event.submitter);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      // "title is missing; description must be…" names the fields: to each its part.
      for (const part of error.field ? [error.message] : error.message.split("; ")) {
        say(form, form.elements[error.field ?? part.split(" ")[0]], part);
      }
    } finally {
      form.ariaBusy = "false";
    }
  });
  form.addEventListener("input", ({ target }) => clearError(target));
}

/** Why a field can't be sent, in the browser's words and language; "" if it can. */
function invalidity(field) {
  if (field.required && field.value.trim() === "") return "Please fill in this field.";
  return field.validationMessage ?? "";
}

/** Puts an error below a field, where it is read out with the field; or at the form's end. */
function say(form, field, words) {
  const error = document.createElement("p");
  error.className = "error";
  error.textContent = words[0].toUpperCase() + words.slice(1);
  if (field) {
    error.id = `error-${++errors}`;
    field.setAttribute("aria-describedby", error.id);
    field.ariaInvalid = "true";
    field.closest("label").after(error);
    field.focus();
  } else {
    error.role = "alert";
    form.append(error);
  }
}

function clearError(field) {
  document.getElementById(field.getAttribute("aria-describedby"))?.remove();
  field.removeAttribute("aria-describedby");
  field.ariaInvalid = null;
}

export function clearErrors(form) {
  for (const field of form.elements) clearError(field);
  for (const error of form.querySelectorAll(".error")) error.remove();
}
