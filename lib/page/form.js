// Forms: sent once at a time; what is wrong is said where it can be mended.

import { Problem } from "./api.js";
import { byId } from "./status.js";

let errors = 0;

/** Calls `submit` with the form's elements once they are valid. Shows a Problem that it throws. */
export function onSubmit(form, submit) {
  form.noValidate = true; // or the browser says it, in a bubble that soon goes away
  let isBusy = false; // a double click counts once
  form.onsubmit = async (event) => {
    event.preventDefault();
    clearErrors(form);
    for (const field of form.querySelectorAll("[required]")) {
      if (field.value.trim() === "") field.setCustomValidity("Please fill in this field.");
    }
    if (isBusy || !isValid(form)) return;
    isBusy = true;
    await whileBusy(form, () => submit(form.elements))
      .catch((problem) => showProblem(form, problem))
      .finally(() => isBusy = false);
  };
  form.oninput = ({ target }) => clearError(target);
  form.addEventListener("invalid", ({ target }) => showError(target), { capture: true });
}

/** Marks an element as busy until the work is done. */
export async function whileBusy(element, work) {
  element.ariaBusy = "true";
  try {
    return await work();
  } finally {
    element.ariaBusy = null;
  }
}

/** Shows a Problem at the fields that it names, or at the form's end. Throws what is a bug. */
export function showProblem(form, problem) {
  if (!(problem instanceof Problem)) throw problem;
  for (const [name, words] of Object.entries(problem.fields)) {
    form.elements[name]?.setCustomValidity(words);
  }
  if (isValid(form)) form.append(errorOf(problem.advice));
}

/** The fields of a form whose text isn't the one that it began with. */
export const typedIn = (form) =>
  [...form.querySelectorAll("[name]:not([hidden])")].filter((at) => at.value !== at.defaultValue);

export const isTyped = (form) => typedIn(form).length > 0;

export function clear(form) {
  form.reset();
  clearErrors(form);
}

export function clearErrors(form) {
  for (const field of form.elements) clearError(field);
  for (const error of form.querySelectorAll(".error")) error.remove();
}

/** Whether all fields are valid. The others show their errors; the first gets the focus. */
function isValid(form) {
  if (form.checkValidity()) return true;
  const at = document.activeElement; // somebody may be typing elsewhere by now
  if (form.contains(at) || at === document.body) form.querySelector("[aria-invalid]").focus();
  return false;
}

function showError(field) {
  const error = errorOf(field.validationMessage);
  error.id = `error-${++errors}`;
  field.setAttribute("aria-describedby", error.id);
  field.ariaInvalid = "true";
  field.closest("label").after(error);
}

function errorOf(words) {
  const error = document.createElement("p");
  error.className = "error";
  error.role = "alert"; // read out, even if the focus is at the field already (WCAG 4.1.3)
  error.textContent = words;
  return error;
}

function clearError(field) {
  field.setCustomValidity("");
  byId(field.getAttribute("aria-describedby"))?.remove();
  field.removeAttribute("aria-describedby");
  field.ariaInvalid = null;
}
