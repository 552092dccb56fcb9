// The form of a row is that of the model which is chosen for a file. Cells that both models have stay typed, and the
// others are there again when their model is chosen again.

import { restoreFields } from "./fields.js";
import { byId, fetchPage, prefix } from "./service.js";

export function beginRowForm() {
  followModel();
  byId("model")?.addEventListener("change", followModel);
}

// Says that the prediction which is shown is not that of the cells by now.
export function outdate(form) {
  const outcome = form.querySelector(".outcome:not([data-old])");
  if (!outcome) return;
  outcome.dataset.old = "";
  outcome.append(" (of the row before you changed it)");
}

document.addEventListener("input", ({ target }) => {
  if (target.form === byId("row") && target.form) outdate(target.form);
});

async function followModel() {
  const { value: model } = byId("model") ?? {};
  const form = byId("row");
  if (!form || byId("row-model").value === model) return;
  const { main } = await fetchPage(`${prefix}/?model=${encodeURIComponent(model)}`).catch(() => ({}));
  const other = main?.querySelector("#row");
  if (!other?.querySelector("#row-model").value || !form.isConnected || byId("model").value !== model) return; // the form says whose it is
  for (const { id, value } of form.querySelectorAll("input[id^=f-]")) {
    const field = other.querySelector(`#${CSS.escape(id)}`);
    if (field) field.value = value;
  }
  form.replaceWith(other);
  restoreFields();
}
