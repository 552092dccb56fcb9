// Cells that are copied from a table go into fields one after another, or by the names of the columns if these are
// copied too. The browser would join them in one field.

import { counted, notify, retract } from "./messages.js";

const SEVERAL = "Nothing was pasted: the cells are of several columns. Copy those of one column, or send the rows as a file.";

document.addEventListener("paste", (event) => {
  const { target, clipboardData } = event;
  const { form } = target;
  if (target.type !== "text" || !form || !("draft" in form.dataset || "part" in form.dataset)) return;
  const text = clipboardData.getData("text");
  const rows = rowsOf(text, "\t");
  if (rows.length === 1 && rows[0].length === 1) return;
  event.preventDefault();
  retract("paste");
  const isRow = "part" in form.dataset;
  if (!isRow && rows.some(({ length }) => length > 1)) {
    notify(SEVERAL, { about: "paste" }); // each row has one cell here: the others would go to the rows below
    return;
  }
  const pairs = (isRow && byHeader(form, text)) || inOrder(form, target, rows);
  for (const [cell, field] of pairs) if (field) type(field, cell);
  target.focus({ preventScroll: true });
  const left = pairs.filter(([, field]) => !field).length;
  if (left) notify(`Left out ${counted(left, "pasted cell")}, for which there is no field.`, { about: "paste" });
});

// Returns each cell with its field. A cell that cannot be typed has a place, but no field. The name of a column that is
// corrected is left out.
function inOrder(form, target, rows) {
  if (rows[1] && target.name.toLowerCase().endsWith(`/${rows[0][0].trim().toLowerCase()}`)) rows.shift();
  const places = [...form.querySelectorAll("input:not([type=hidden]), .cell")];
  const from = places.slice(places.indexOf(target));
  const [first, ...others] = rows.some(({ length }) => length > 1) ? rows : [rows.flat()];
  return [...first.map((cell, place) => [cell, from[place]?.type === "text" && from[place]]), ...unplaced(others)];
}

// Returns the cells of further rows, for which there is no field.
const unplaced = (rows) => rows.flat().map((cell) => [cell]);

// Returns the same if the first line, or the first of two columns, names at least half of the fields, or nothing else.
function byHeader(form, text) {
  const fields = [...form.querySelectorAll("input:not([type=hidden])")];
  for (const delimiter of "\t,;|") {
    const rows = rowsOf(text, delimiter).map((cells) => cells.map((cell) => cell.trim()));
    const turned = rows.every(({ length }) => length === 2) ? [0, 1].map((place) => rows.map((cells) => cells[place])) : [[]];
    const named = (header) => columnsOf(header, fields).filter(Boolean).length;
    const [header, row, ...others] = named(turned[0]) > named(rows[0]) ? turned : rows;
    if (!row || !named(header) || (named(header) < header.length && named(header) < fields.length / 2)) continue;
    const columns = columnsOf(header, fields);
    return [...row.map((cell, place) => [cell, columns[place]]), ...unplaced(others)];
  }
}

// As the cells, it is without spaces around it.
const columnOf = ({ name }) => name.slice("f:".length).trim();

// Returns the field of each name. Capitals count only if there is a choice.
function columnsOf(header, fields) {
  const exact = header.map((name) => fields.find((field) => columnOf(field) === name));
  const others = fields.filter((field) => !exact.includes(field));
  return header.map((name, place) => {
    const alike = others.filter((field) => columnOf(field).toLowerCase() === name.toLowerCase());
    return exact[place] ?? (alike.length === 1 ? alike[0] : undefined);
  });
}

// Returns the cells of each line. A cell in quotes may hold delimiters, line ends, and quotes that are doubled.
function rowsOf(text, delimiter) {
  const [rows, end] = [[[]], `\\${delimiter}|\\r\\n?|\\n|$`];
  for (const [, quoted, plain, after] of text.matchAll(
    new RegExp(`(?:"((?:[^"]|"")*)"(?=${end})|([^\\${delimiter}\\r\\n]*))(${end})`, "g"),
  )) {
    rows.at(-1).push(quoted?.replaceAll('""', '"').replace(/\s*\n\s*/g, " ") ?? plain);
    if (!after) break;
    if (after !== delimiter) rows.push([]);
  }
  if (rows.length > 1 && `${rows.at(-1)}` === "") rows.pop(); // behind the last line end
  return rows;
}

// So that it can be undone.
function type(field, text) {
  field.focus({ preventScroll: true });
  field.select();
  if (document.execCommand(text ? "insertText" : "delete", false, text) || field.value === text) return;
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
