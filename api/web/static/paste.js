// Cells that are copied from a spreadsheet go into fields one after another. The browser would join them in one field.

import { counted, notify } from "./messages.js";

document.addEventListener("paste", (event) => {
  const { target, clipboardData } = event;
  const { form } = target;
  if (target.type !== "text" || !form || !("draft" in form.dataset || "part" in form.dataset)) return;
  const cells = clipboardData.getData("text").replace(/\r?\n$/, "").split(/\t|\r?\n/);
  if (cells.length === 1) return;
  event.preventDefault();
  const places = [...form.querySelectorAll("input:not([type=hidden]), .cell")]; // a cell that cannot be typed has no field
  const from = places.slice(places.indexOf(target));
  let left = cells.length;
  cells.forEach((cell, place) => {
    const field = from[place];
    if (field?.type !== "text") return;
    field.value = cell;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    left -= 1;
  });
  if (left) notify(`Left out ${counted(left, "pasted cell")}, for which there is no field.`);
});
