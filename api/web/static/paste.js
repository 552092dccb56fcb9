// Cells that are copied from a spreadsheet go into fields one after another. The browser would join them in one field.

import { counted, notify } from "./messages.js";

document.addEventListener("paste", (event) => {
  const { target, clipboardData } = event;
  const { form } = target;
  if (target.type !== "text" || !form || !("draft" in form.dataset || "part" in form.dataset)) return;
  const cells = clipboardData.getData("text").replace(/\r?\n$/, "").split(/\t|\r?\n/);
  if (cells.length === 1) return;
  event.preventDefault();
  const fields = [...form.elements].filter(({ type }) => type === "text");
  const free = fields.slice(fields.indexOf(target), fields.indexOf(target) + cells.length);
  free.forEach((field, place) => {
    field.value = cells[place];
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const left = cells.length - free.length;
  if (left) notify(`Left out ${counted(left, "pasted cell")}, for which there is no field.`);
});
