// Files are dropped anywhere. Without the default, the browser would leave the page and show the file.

import { announce, notify, retract } from "./messages.js";
import { byId, prefix } from "./service.js";

const fileInput = () => byId("file") ?? byId("corrected");

for (const type of ["dragenter", "dragover"]) {
  addEventListener(type, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (fileInput()) document.body.classList.add("dropping");
  });
}
addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  const [file, ...others] = event.dataTransfer?.files ?? [];
  if (!file) return;
  event.preventDefault();
  const input = fileInput();
  if (!input) {
    notify("This page takes no file: drop it on the page Predict.", { href: `${prefix}/`, about: "drop" });
    return;
  }
  retract("drop");
  const one = new DataTransfer();
  one.items.add(file);
  input.files = one.files;
  if (others.length) {
    notify(`${others.length + 1} files were dropped. Only ${file.name} is chosen: send one after another.`, { about: "drop" });
  }
  input.dispatchEvent(new Event("change", { bubbles: true }));
  if (input.id !== "file") announce(`${file.name} chosen`);
});

// If the same file is chosen again, Chromium says that nothing was. It is another one if it was changed since, which could
// not be read.
addEventListener("cancel", ({ target }) => {
  if (target.files?.length) target.dispatchEvent(new Event("change", { bubbles: true }));
});
