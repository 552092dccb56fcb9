// The pages work without this script. It adds checks, progress, pages that follow a job, and API keys.

import { choose, chosenFile, isChosen } from "./check.js";
import { download, isSaving } from "./downloads.js";
import { dropDraft, holdsCorrections, holdsDrafts, holdsUnstored, keepDraft, keepFile, tellDrafts } from "./drafts.js";
import { holdsFiles } from "./fields.js";
import "./file_drop.js";
import { beginFollowing } from "./following.js";
import { sendForm } from "./forms.js";
import { markLost, NOT_LOADED } from "./messages.js";
import { go, isShown, refresh, whenShown } from "./navigation.js";
import "./paste.js";
import { beginRowForm } from "./row_form.js";
import { beginForm, isSending } from "./sending.js";
import { apiKey, byId, keepKey, prefix } from "./service.js";

let keyWasTried = false;
let staysInside = -Infinity; // when a link of ours was last followed

document.documentElement.classList.add("script");

// Whether files would be lost with the document.
const isHeld = () => isSending() || isSaving() || holdsFiles() || holdsCorrections();

function beginKeyForm() {
  if (!byId("key-form")) return;
  if (apiKey() && !keyWasTried) {
    keyWasTried = true; // the page was loaded anew, and browsers do not send the key by themselves
    go(location.href, { push: false });
  }
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keyWasTried = true;
    keepKey(byId("key").value.trim());
    go(location.href, { push: false });
  });
}

document.addEventListener("submit", (event) => {
  const [form, button] = [event.target, event.submitter];
  if (event.defaultPrevented) return;
  if (form.dataset.sent || (form.dataset.confirm && !confirm(form.dataset.confirm))) {
    event.preventDefault(); // the second of two quick clicks, or no
    return;
  }
  if (form.dataset.confirm) form.elements.confirmed.value = "true"; // otherwise the service asks
  if ((button?.getAttribute("formmethod") ?? form.getAttribute("method")) === "post") {
    event.preventDefault();
    sendForm(form, button);
  } else if (apiKey() || isHeld()) {
    event.preventDefault();
    go(`${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
  }
});

document.addEventListener("click", (event) => {
  // By the second of two quick clicks, the page may have another button in the place of the first.
  if (event.detail > 1 && event.target.closest("button:not([type])")) event.preventDefault();
  const link = event.target.closest("a");
  if (!link || link.origin !== location.origin) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || link.getAttribute("href").startsWith("#")) return;
  staysInside = performance.now(); // what is typed is kept for the tab
  if (link.hasAttribute("download")) {
    download(link, event);
    return;
  }
  const isGuide = link.pathname.startsWith(`${prefix}/docs`); // it needs no key
  if (!isHeld() && !isShown(link) && (isGuide || !apiKey())) return; // the browser follows it
  event.preventDefault();
  if (isShown(link)) refresh().catch(() => markLost(NOT_LOADED)); // with what is typed
  else go(link.href, { leave: (url) => (isHeld() && open(url)) || location.assign(url) }); // in another tab
});

addEventListener("pageshow", () => {
  if (isChosen(null) && chosenFile()) choose(chosenFile()); // the browser remembered it
});
addEventListener("beforeunload", (event) => {
  const isInside = performance.now() - staysInside < 1000;
  if (isSending() || isSaving() || holdsUnstored() || (holdsDrafts() && !isInside)) event.preventDefault(); // the browser asks whether to leave
});

whenShown(() => {
  beginFollowing();
  for (const form of byId("main").querySelectorAll("form[data-draft]")) keepDraft(form);
  for (const form of byId("main").querySelectorAll("form[data-file]")) keepFile(form);
  const { gone } = byId("main").dataset;
  if (gone) dropDraft(location.pathname, { isCorrected: gone === "corrected" });
  tellDrafts();
  beginForm();
  if (byId("row")) beginRowForm();
  beginKeyForm();
});
