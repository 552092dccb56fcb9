// Keeps what is typed and chosen in the fields of a page, with the entry of the tab's history: for the buttons back and
// forward, for a reload, and for a page that refreshes itself. Another visit of the page begins with empty fields, apart
// from the form of a file: it is as it was left, until the file is sent. A chosen file is kept until the document is left.

import { byId } from "./service.js";

const kept = new Map(); // fields and files of each entry, as long as the document is not left
const LEFT = "rowcast-left ";
const leftFiles = {}; // by the address of the page
let entry = null; // that of the page that is shown: until the next page has come, the address is ahead of it

const isKept = ({ id, type, form }) => id && !["file", "password"].includes(type) && !("draft" in (form?.dataset ?? {}));

// Returns whether the address is that of the page that is shown.
export const isEntryShown = () => history.state?.entry === entry;

export function restoreFields() {
  const { entry: known, fields: before = known || !byId("file-form") ? {} : left(place()) } = history.state ?? {};
  entry = known ?? Math.random();
  if (!kept.size) kept.set(entry, { fields: { ...before, ...typedBefore() }, files: filesBefore() });
  if (!kept.has(entry)) kept.set(entry, { fields: before, files: known ? undefined : leftFiles[place()] });
  const { fields, files } = kept.get(entry);
  keepFields();
  for (const [id, value] of Object.entries(fields)) {
    const field = byId(id);
    if (!field || !byId("main").contains(field)) continue;
    field[field.type === "checkbox" ? "checked" : "value"] = value;
    if (field.selectedIndex === -1) field.add(new Option(value, value, true, true)); // its model was removed meanwhile
    const folded = field.closest("details");
    if (folded) folded.open = true; // it would be sent without being seen
  }
  if (files && byId("file")) byId("file").files = files;
}

const place = () => location.pathname + location.search;

// Returns the fields of the form of a file as they were left in this tab.
function left(address) {
  try {
    return JSON.parse(sessionStorage.getItem(LEFT + address)) ?? {};
  } catch {
    return {}; // the storage is not allowed
  }
}

function storeLeft(address, fields) {
  try {
    sessionStorage.removeItem(LEFT + address);
    if (Object.keys(fields).length) sessionStorage.setItem(LEFT + address, JSON.stringify(fields));
  } catch {
    // the storage is full or not allowed
  }
}

function leave({ fields, files }) {
  if (!byId("file-form") || !isEntryShown()) return;
  leftFiles[place()] = files;
  storeLeft(place(), fields);
}

// Forgets the options of a file that was sent. A row that is typed stays.
export function forgetLeft(file) {
  for (const [address, files] of Object.entries(leftFiles)) {
    if (files?.[0] !== file) continue;
    delete leftFiles[address];
    storeLeft(address, Object.fromEntries(Object.entries(left(address)).filter(([id]) => id.startsWith("f-"))));
  }
}

const valueOf = (field) => field[field.type === "checkbox" ? "checked" : "value"];

function isChanged(field) {
  if (field.type === "checkbox") return field.checked !== field.defaultChecked;
  if (field.type !== "select-one") return field.value !== field.defaultValue;
  const first = [...field.options].findIndex(({ defaultSelected }) => defaultSelected);
  return field.selectedIndex !== Math.max(first, 0);
}

// Returns what was typed and chosen before this script was loaded, which takes seconds on a slow network.
function typedBefore() {
  const typed = [...byId("main").querySelectorAll("input, select")].filter((field) => isKept(field) && isChanged(field));
  return Object.fromEntries(typed.map((field) => [field.id, valueOf(field)]));
}

function filesBefore() {
  const files = byId("file")?.files;
  return files?.length ? files : undefined;
}

export const holdsFiles = () => [...kept.values()].some(({ files }) => files?.length);

function keep(more) {
  Object.assign(kept.get(entry), more);
  leave(kept.get(entry));
  if (isEntryShown()) keepFields();
}

// Has the browser keep the fields with the entry at which it is.
export function keepFields() {
  const state = { entry, fields: kept.get(entry).fields };
  if (JSON.stringify(history.state) === JSON.stringify(state)) return;
  try {
    history.replaceState(state, "");
  } catch {
    // the browser limits how often: the next change writes it
  }
}

for (const type of ["input", "change"]) {
  document.addEventListener(type, ({ target }) => {
    if (target.id === "file") keep({ files: target.files });
    if (!isKept(target) || !byId("main").contains(target)) return;
    keep({ fields: { ...kept.get(entry).fields, [target.id]: valueOf(target) } });
  });
}
