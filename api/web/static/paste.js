// Cells that are copied from a table go into fields one after another, or by the names of the columns if these are
// copied too. The browser would join them in one field.

import { counted, notify, retract } from "./messages.js";

document.addEventListener("paste", (event) => {
  const { target, clipboardData } = event;
  const { form } = target;
  if (target.type !== "text" || !form || !("draft" in form.dataset || "part" in form.dataset)) return;
  const lines = clipboardData.getData("text").replace(/\r?\n$/, "").split(/\r?\n/);
  if (lines.length === 1 && !lines[0].includes("\t")) return;
  event.preventDefault();
  retract("paste");
  const pairs = ("part" in form.dataset && byHeader(form, lines)) || inOrder(form, target, lines);
  for (const [cell, field] of pairs) if (field) type(field, cell);
  target.focus({ preventScroll: true });
  const left = pairs.filter(([, field]) => !field).length;
  if (left) notify(`Left out ${counted(left, "pasted cell")}, for which there is no field.`, { about: "paste" });
});

// Returns each cell with its field. A cell that cannot be typed has a place, but no field. The name of a column that is
// corrected is left out.
function inOrder(form, target, lines) {
  if (lines[1] && target.name.endsWith(`/${lines[0]}`)) lines.shift();
  const places = [...form.querySelectorAll("input:not([type=hidden]), .cell")];
  const from = places.slice(places.indexOf(target));
  return lines.flatMap((line) => line.split("\t")).map((cell, place) => [cell, from[place]?.type === "text" && from[place]]);
}

// Returns the same if the first line names all fields, or only fields.
function byHeader(form, [first, ...rows]) {
  const fields = [...form.elements].filter(({ type }) => type === "text");
  for (const delimiter of rows.length ? "\t,;|" : "") {
    const header = cellsOf(first, delimiter);
    const columns = header.map((name) => fields.find((field) => field.name === name));
    if (!columns.every(Boolean) && !fields.every((field) => columns.includes(field))) continue;
    const [row, ...others] = rows.map((line) => cellsOf(line, delimiter));
    return [...row.map((cell, place) => [cell, columns[place]]), ...others.flat().map((cell) => [cell])];
  }
}

function cellsOf(line, delimiter) {
  const cells = line.matchAll(new RegExp(`(?:^|\\${delimiter})(?:"((?:[^"]|"")*)"|([^\\${delimiter}]*))`, "g"));
  return [...cells].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain.trim());
}

// So that it can be undone.
function type(field, text) {
  field.focus({ preventScroll: true });
  field.select();
  if (document.execCommand(text ? "insertText" : "delete", false, text) || field.value === text) return;
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
