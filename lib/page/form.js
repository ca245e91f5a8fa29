// Forms: each is sent once at a time; an error is shown at its field.

import { Problem, TEXTS } from "./api.js";

let errors = 0;

/** Calls `submit` with the elements of a valid form. Shows a Problem that it throws. */
export function onSubmit(form, submit) {
  form.noValidate = true; // a browser's own messages soon go away
  for (const field of form.querySelectorAll("[required]")) {
    field.required = false; // otherwise it is invalid before anything is sent
    field.ariaRequired = "true";
  }
  let isAgain; // sent again during a request
  form.onsubmit = async (event) => {
    event.preventDefault();
    clearErrors(form);
    for (const field of form.querySelectorAll("[aria-required]")) {
      if (field.type === "checkbox" && !field.checked) field.setCustomValidity("Please tick this.");
      if (field.value.trim() === "") field.setCustomValidity("Please fill in this field.");
    }
    if (!isValid(form)) return;
    isAgain = isBusy(form);
    if (isAgain) return;
    const sent = textOf(form);
    try {
      await whileBusy(form, () => submit(form.elements));
      isAgain &&= isTyped(form); // a double click counts once
    } catch (problem) {
      isAgain &&= textOf(form) !== sent; // it was corrected meanwhile
      if (!isAgain) showProblem(form, problem);
    }
    if (isAgain) form.requestSubmit();
  };
  form.addEventListener("keydown", (event) => {
    const isSent = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (isSent && event.target.matches("textarea")) form.requestSubmit();
  });
  form.onreset = () => clearErrors(form);
  form.oninput = ({ target }) => clearError(target);
  form.addEventListener("invalid", ({ target }) => showError(target), { capture: true });
}

const textOf = (form) => JSON.stringify([...new FormData(form)]);

export const isBusy = (element) => element.ariaBusy === "true";

/** Marks an element as busy until the work is done. */
export async function whileBusy(element, work) {
  element.ariaBusy = "true";
  try {
    return await work();
  } finally {
    element.ariaBusy = null;
  }
}

/** Shows a Problem at the fields that it names, or at the end. Throws what is a bug. */
export function showProblem(form, problem) {
  if (!(problem instanceof Problem)) throw problem;
  for (const [name, words] of Object.entries(problem.fields)) {
    form.elements[name]?.setCustomValidity(words);
  }
  if (isValid(form)) form.append(errorOf(problem.advice));
}

/** The texts of a task. */
export function textsIn({ elements }) {
  const texts = Object.fromEntries(TEXTS.map((name) => [name, elements[name].value]));
  return { ...texts, title: texts.title.trim() };
}

/** The texts, by name, of fields that were changed. */
export function changesIn(form) {
  const fields = [...form.querySelectorAll("[name]:not([hidden])")];
  const changed = fields.filter(({ value, defaultValue }) => value !== defaultValue);
  return Object.fromEntries(changed.map(({ name, value }) => [name, value]));
}

export const isTyped = (form) => Object.keys(changesIn(form)).length > 0;

export function clearErrors(form) {
  for (const field of form.elements) clearError(field);
  for (const error of form.querySelectorAll(".error")) error.remove();
}

/** Whether all fields are valid. The first that isn't gets the focus. */
function isValid(form) {
  if (form.checkValidity()) return true;
  const at = document.activeElement; // the user may be typing elsewhere by now
  if (form.contains(at) || at === document.body) form.querySelector("[aria-invalid]").focus();
  return false;
}

function showError(field) {
  const error = errorOf(field.validationMessage);
  error.id = `error${++errors}`;
  field.setAttribute("aria-describedby", error.id);
  field.ariaInvalid = "true";
  (field.closest("label") ?? field).after(error);
}

function errorOf(words) {
  const error = document.createElement("p");
  // An alert is read out even if the focus is at the field already (WCAG 4.1.3).
  return Object.assign(error, { className: "error", role: "alert", textContent: words });
}

function clearError(field) {
  field.setCustomValidity("");
  document.getElementById(field.getAttribute("aria-describedby"))?.remove();
  field.removeAttribute("aria-describedby");
  field.ariaInvalid = null;
}
