// Keeps what is typed into a form until it is sent: when the page is left and shown again, reloaded, or replaced by an
// error. It is kept for the tab only. A file that is chosen is kept when the page is replaced by another form's answer.

import { notify, retract } from "./messages.js";

const unstored = new Map(); // what the browser did not store: it is lost with the document
const chosenFiles = new Map();

const PREFIX = "rowcast-draft ";
const keyAt = (action) => PREFIX + action;
const keyOf = (form) => keyAt(form.getAttribute("action"));
const fieldsOf = (form) => [...form.elements].filter(({ type }) => type === "text");

// What stood in the field before anything was typed. After an error the service sends it apart from what was typed.
const before = (form, field) => form.elements[form.dataset.draft + field.name]?.value ?? field.defaultValue;

function changedFields(form) {
  return fieldsOf(form).filter((field) => field.value !== before(form, field));
}

function read(key) {
  try {
    return unstored.get(key) ?? JSON.parse(sessionStorage.getItem(key)) ?? {};
  } catch {
    return {}; // the storage is not allowed
  }
}

function store(key, draft) {
  const isEmpty = !Object.keys(draft).length;
  unstored.delete(key);
  try {
    sessionStorage.removeItem(key);
    if (!isEmpty) sessionStorage.setItem(key, JSON.stringify(draft));
  } catch {
    if (!isEmpty) unstored.set(key, draft); // the storage is full or not allowed
  }
}

function write(form, fields, was = (field) => before(form, field)) {
  store(keyOf(form), Object.fromEntries(fields.map((field) => [field.name, [was(field), field.value]])));
}

// Returns whether something is typed that was not sent, or not with `sent`.
export function isUnsent(form, sent) {
  return changedFields(form).some((field) => field.value !== sent?.get(field.name));
}

// Returns whether something is typed that is lost with the document.
export const holdsUnstored = () => unstored.size > 0;

// Returns the keys of what is typed into any form and not sent.
function keys() {
  try {
    return Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));
  } catch {
    return []; // the storage is not allowed
  }
}

// Returns whether something is typed that is lost with the tab: on this page or another one.
export const holdsDrafts = () => keys().length > 0;

// Says which other pages have something typed. It would be lost with the tab.
export function tellDrafts() {
  for (const line of document.querySelectorAll("#news [data-about^='rowcast-draft ']")) retract(line.dataset.about);
  for (const key of keys()) {
    const href = key.slice(PREFIX.length).replace(/\/repair$/, "");
    if (href !== location.pathname) notify("Cells that you corrected are not sent yet: see their job", { href, about: key });
  }
}

export function keepDraft(form) {
  const draft = read(keyOf(form));
  for (const field of fieldsOf(form)) {
    const [was, typed] = draft[field.name] ?? [];
    const isTyped = field.value !== before(form, field); // before this script was loaded
    if (was === before(form, field) && !isTyped) field.value = typed;
    if (isTyped || field.value === typed) delete draft[field.name];
  }
  tellCorrected(draft);
  write(form, changedFields(form));
  form.addEventListener("input", () => write(form, changedFields(form)));
}

// What cannot be shown in its cell again is said.
function tellCorrected(draft) {
  for (const [name, [, typed]] of Object.entries(draft)) {
    const [row, column] = name.split(/\/(.*)/);
    notify(`Row ${row}, ${column}: you typed “${typed}”, but the row was corrected in the meantime.`);
  }
}

// Forgets what was sent. What was typed since then is kept.
export function dropSent(form, sent) {
  const left = changedFields(form).filter((field) => field.value !== sent.get(field.name));
  write(form, left, (field) => sent.get(field.name)); // the cells are by now what was sent
}

// Keeps the file that is chosen in the form.
export function keepFile(form) {
  const input = form.querySelector("input[type=file]");
  if (input.files.length) chosenFiles.set(keyOf(form), input.files); // before this script was loaded
  else if (chosenFiles.has(keyOf(form))) input.files = chosenFiles.get(keyOf(form));
  form.addEventListener("change", () => chosenFiles.set(keyOf(form), input.files));
}

export const holdsCorrections = () => [...chosenFiles.values()].some(({ length }) => length);

export const dropFile = (form) => chosenFiles.delete(keyOf(form));

// Forgets what was typed on a job's page.
export function dropDraft(page, { isCorrected = false } = {}) {
  const key = keyAt(`${page}/repair`);
  if (isCorrected) tellCorrected(read(key));
  store(key, {});
  chosenFiles.delete(key);
}
