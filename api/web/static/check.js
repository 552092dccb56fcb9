// The check of the chosen file: its first part is sent, and what comes back is a part of the page.

import { askKey } from "./forms.js";
import { announce, problemBox } from "./messages.js";
import { byId, headers, prefix } from "./service.js";
import { isReadable, UNREADABLE } from "./upload.js";

const CHECKED_BYTES = 1024 * 1024;

// Files that a worker converts. They cannot be read without their end, so the whole file is sent.
const CONVERTED = /\.(parquet|xlsx)(\.gz)?$/i;
// The same by how they begin: a workbook is a zip, and behind 30 bytes is the name of its first file.
const CONVERTED_START = /^(PAR1|PK.{28}(\[Content_Types\]|_rels\/|docProps\/|xl\/))/s;
const CHECKED_SOURCE_BYTES = 64 * 1024 * 1024;

const PATIENCE_MS = 20_000;

let chosen = null;
let checks = 0;

// The file that is chosen, or null. A browser may remember one that it chose before the page was loaded.
export function chosenFile() {
  chosen ??= byId("file")?.files[0] ?? null;
  return chosen;
}

export function isChosen(file) {
  return chosen === file;
}

export function choose(file) {
  chosen = file;
  announce(`${file.name} chosen`);
  check();
}

// Forgets the chosen file, for example for another page.
export function choseNothing() {
  chosen = null;
  checks += 1;
  byId("check")?.replaceChildren();
}

// Shows why the file was refused, in the place of its check.
export function showRefusal({ title, detail, help }) {
  checks += 1; // a check that is still under way would hide it
  byId("check").replaceChildren(problemBox(title, detail, help));
}

export async function check() {
  const [form, file] = [byId("file-form"), chosen];
  if (!file || !form) return;
  const turn = ++checks;
  const isConverted = CONVERTED.test(file.name) || CONVERTED_START.test(await startOf(file));
  if (turn !== checks || !form.isConnected) return;
  if (isConverted && file.size > CHECKED_SOURCE_BYTES) {
    byId("check").textContent = `${file.name} is larger than 64 MiB, so it is checked when it is sent: a worker reads its columns and their types.`;
    return;
  }
  const part = isConverted ? file : file.slice(0, CHECKED_BYTES);
  byId("check").textContent = `Checking ${file.name} …`;
  const slow = `The check of ${file.name} takes long: the connection is slow or lost. The file can be sent without it.`;
  const timer = setTimeout(() => {
    if (turn === checks && byId("check")) byId("check").textContent = slow;
  }, PATIENCE_MS);
  try {
    const response = await fetchCheck(form, file, part);
    const found = await response.text();
    if (turn !== checks || !byId("check")) return; // another file or option was chosen in the meantime
    if (response.status === 401) {
      byId("check").textContent = "";
      await askKey(check);
      return;
    }
    if (found.includes("<html")) throw new Error("not a part of the page");
    byId("check").innerHTML = found;
    markFaults(JSON.parse(byId("check").querySelector("[data-faults]")?.dataset.faults ?? "{}"));
  } catch {
    if (turn !== checks || !byId("check")) return;
    const fault = (await isReadable(part)) ? "the service cannot be reached, or refused. Try again." : UNREADABLE;
    byId("check").textContent = `The file could not be checked: ${fault}`;
    return;
  } finally {
    clearTimeout(timer);
  }
  for (const button of byId("check").querySelectorAll("button[data-option]")) {
    button.addEventListener("click", () => {
      const field = form.elements[button.dataset.option];
      field.value = button.dataset.value;
      field.dispatchEvent(new Event("change", { bubbles: true })); // the file is checked again
    });
  }
}

async function startOf(file) {
  try {
    return new TextDecoder("latin1").decode(await file.slice(0, 64).arrayBuffer());
  } catch {
    return ""; // it cannot be read, which is said later
  }
}

function fetchCheck(form, file, part) {
  const query = new URLSearchParams(options(form));
  const range = file.size > part.size ? { "Content-Range": `bytes 0-${part.size - 1}/${file.size}` } : {};
  const about = headers({ "Content-Type": "text/csv", ...range });
  return fetch(`${prefix}/ui/check?${query}`, { method: "POST", headers: about, body: part });
}

// Returns names and values of the options of the form that are given.
export function options(form) {
  const fields = new FormData(form);
  const models = fields.getAll("model").map((name) => name.trim()).filter(Boolean);
  const others = [...fields].filter(([name, value]) => name !== "file" && name !== "model" && value.trim());
  return models.length ? [["model", models.join(",")], ...others] : others;
}

// Shows what the service says about options at their fields.
export function markFaults(faults) {
  for (const place of document.querySelectorAll(".options .fault")) {
    const name = place.id.slice(2);
    place.textContent = faults[name] ?? "";
    place.hidden = !faults[name];
    if (faults[name]) {
      byId(`o-${name}`).setAttribute("aria-invalid", "true");
      place.closest("details").open = true;
    } else byId(`o-${name}`).removeAttribute("aria-invalid");
  }
}

// Returns the faults of a problem document by option.
export function faultsOf({ type = "", errors = [] }) {
  const field = ({ where }) => {
    const [place] = where.split(".", 1);
    if (place === "key" || place === "columns") return place;
    return type.endsWith(":column-clash") ? "prediction_column" : where;
  };
  return Object.fromEntries(errors.map((fault) => [field(fault), fault.message]));
}
