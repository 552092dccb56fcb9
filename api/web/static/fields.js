// Keeps what is typed and chosen in the fields of a page for when the page is shown again: after a reload, by the
// buttons back and forward, or because it refreshes itself. The browser keeps it with the entry of the tab's history,
// so another visit of the page begins with empty fields. A chosen file is kept for such an entry too, as long as the
// document is not left.

import { byId } from "./service.js";

const chosenFiles = new Map();

const isKept = ({ id, type, form }) => id && !["file", "password"].includes(type) && !("draft" in (form?.dataset ?? {}));

export function restoreFields() {
  for (const [id, value] of Object.entries(history.state?.fields ?? {})) {
    const field = byId(id);
    if (!field || !byId("main").contains(field)) continue;
    field[field.type === "checkbox" ? "checked" : "value"] = value;
    if (field.selectedIndex === -1) field.add(new Option(value, value, true, true)); // its model was removed meanwhile
    const folded = field.closest("details");
    if (folded) folded.open = true; // it would be sent without being seen
  }
  const files = chosenFiles.get(history.state?.entry);
  if (files && byId("file")) byId("file").files = files;
}

export const holdsFiles = () => [...chosenFiles.values()].some(({ length }) => length);

function keep(more) {
  try {
    history.replaceState({ ...history.state, ...more }, "");
  } catch {
    // the browser limits how often: the next change keeps it
  }
}

for (const type of ["input", "change"]) {
  document.addEventListener(type, ({ target }) => {
    if (target.id === "file") keepFiles(target.files);
    if (!isKept(target) || !byId("main").contains(target)) return;
    const value = target.type === "checkbox" ? target.checked : target.value;
    keep({ fields: { ...history.state?.fields, [target.id]: value } });
  });
}

function keepFiles(files) {
  const entry = history.state?.entry ?? Math.random();
  chosenFiles.set(entry, files);
  keep({ entry });
}
