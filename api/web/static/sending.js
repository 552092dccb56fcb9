// The form of a file: the upload with its progress, and what becomes of it.

import { check, choose, chosenFile, choseNothing, faultsOf, isChosen, markFaults, options, showRefusal } from "./check.js";
import { forgetLeft } from "./fields.js";
import { askKey } from "./forms.js";
import { announceProgress, counted, notify, numbers, retract } from "./messages.js";
import { go, isGoing } from "./navigation.js";
import { byId, headers, prefix } from "./service.js";
import { isSameFile, requestOf } from "./unanswered.js";
import { isReadable, sendFile, UNREADABLE } from "./upload.js";

let answered = []; // the requests that made the jobs which are not shown yet
const uploads = new Map(); // the files that are being sent, with what is said about each
let shownUpload = null; // the file whose upload the page shows
let lastTyped = 0;

export const isSending = () => uploads.size > 0;

document.addEventListener("input", ({ target }) => {
  if (target.id !== "file") lastTyped = performance.now();
});

// Prepares the form of the page that is shown, if it has one.
export function beginForm() {
  choseNothing();
  shownUpload = null;
  for (const request of answered.splice(0)) request.forget(); // sent again after another page, it is another request
  const form = byId("file-form");
  if (chosenFile()) choose(chosenFile()); // it is kept
  if (uploads.has(chosenFile())) showUpload(chosenFile());
  tellUploads();
  form?.addEventListener("submit", send);
  // Otherwise the field that loses the focus starts a check, the page moves, and the click misses the button.
  form?.querySelector("button:not([type])").addEventListener("mousedown", (event) => event.preventDefault());
  byId("file")?.addEventListener("change", ({ target }) => (target.files[0] ? choose(target.files[0]) : choseNothing()));
  form?.addEventListener("change", ({ target }) => {
    if (target.id === "file") return;
    markFaults({}); // they may be about another value
    check();
  });
}

async function send(event) {
  event.preventDefault();
  const form = event.target;
  const file = chosenFile();
  const query = new URLSearchParams(options(form));
  const isTwin = [...uploads.keys()].some((other) => isSameFile(other, file));
  uploads.set(file, `Sending ${file.name} …`);
  showUpload(file);
  const began = performance.now();
  const request = await requestOf(file, query, { isTwin });
  const { status, text } = await sendFile(file, prefix, query, request, headers(), progressOf(file), (said) => tell(file, said));
  uploads.delete(file);
  tellUploads();
  const isShown = isChosen(file); // otherwise another page or file is
  if (shownUpload === file) hideUpload();
  if (status === 0) await broke(file, isShown);
  else if (status === 401 && isShown) {
    await askKey(() => byId("file-form").requestSubmit(), "upload").catch(() => broke(file, isShown));
  } else {
    const answer = readAnswer(status, text);
    if (answer.isTaken) answered.push(request);
    else if (status >= 400 && status < 500 && ![401, 429].includes(status)) request.forget();
    await ended(file, isShown, lastTyped < began && !isGoing(), answer);
  }
}

// Shows how much of the file is sent. A second click would send it again.
function showUpload(file) {
  show(file, uploads.get(file));
  submitButton().disabled = true;
}

function show(file, text) {
  if (!byId("upload")) return;
  shownUpload = file;
  byId("upload").hidden = false;
  tell(file, text);
}

function hideUpload() {
  shownUpload = null;
  if (!byId("upload")) return;
  submitButton().disabled = false;
  byId("upload").hidden = true;
}

// Says which files are being sent that the page does not show.
function tellUploads() {
  retract("uploads");
  const others = [...uploads].filter(([file]) => file !== shownUpload).map(([, text]) => text);
  if (others.length) notify(others.join(" "), { href: `${prefix}/`, about: "uploads" });
}

const submitButton = () => byId("file-form").querySelector("button:not([type])");

function tell(file, text) {
  if (uploads.has(file)) uploads.set(file, text);
  if (shownUpload !== file || !byId("upload")) {
    tellUploads();
    return;
  }
  byId("upload-text").textContent = text;
  byId("upload-amount").textContent = "";
}

function progressOf(file) {
  let first = null; // an upload that goes on does not begin at 0
  return (sent) => {
    if (shownUpload !== file || !byId("upload")) return;
    first ??= { sent, at: performance.now() };
    byId("upload-bar").value = sent / file.size;
    const left = ((file.size - sent) / (sent - first.sent)) * ((performance.now() - first.at) / 1000);
    const estimate = Number.isFinite(left) ? `, about ${Math.ceil(left)} s left` : "";
    byId("upload-amount").textContent = `${numbers.format(sent)} of ${counted(file.size, "byte")} sent${estimate}`;
    announceProgress(sent / file.size);
  };
}

async function broke(file, isShown) {
  const fault = "The connection broke. Press Predict again: the file is not scored twice.";
  const said = (await isReadable(file)) ? fault : `The file was not sent: ${UNREADABLE}`;
  if (isShown) show(file, said);
  else notify(`${file.name}: ${said}`);
}

// The page of the job is shown, unless something else was typed or asked for meanwhile: it would be interrupted.
async function ended(file, isShown, isIdle, { isTaken, answer }) {
  if (isTaken && !(await isReadable(file))) {
    notify(`${file.name} was changed while it was sent: some of its rows may be the old ones, others the new ones. Send it again.`);
  }
  if (isTaken) forgetLeft(file);
  if (isTaken && !(isShown && isIdle)) {
    const href = `${prefix}/ui/jobs/${answer.id}`;
    notify(`${file.name} is sent: see its job`, { href, about: href });
  } else if (!isShown) {
    notify(`${file.name}: ${answer.detail}`);
  } else if (isTaken) {
    show(file, `${file.name} is sent. Loading its job …`);
    go(`${prefix}/ui/jobs/${answer.id}`);
  } else {
    showRefusal(answer);
    markFaults(faultsOf(answer));
    byId("file-form").querySelector("[aria-invalid]")?.focus();
  }
}

// A proxy in between may answer in place of the service, for example with a page to log in.
function readAnswer(status, text) {
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {
    // a proxy's page
  }
  const isTaken = status < 300 && "id" in answer;
  if (!isTaken && !answer.detail) answer = { title: "Not taken", detail: `The service answered with status ${status}.` };
  return { isTaken, answer };
}
