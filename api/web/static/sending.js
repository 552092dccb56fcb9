// The form of a file: the upload with its progress, and what becomes of it.

import { check, choose, chosenFile, choseNothing, faultsOf, isChosen, markFaults, options, showRefusal } from "./check.js";
import { askKey } from "./forms.js";
import { announceProgress, counted, notify, numbers } from "./messages.js";
import { go } from "./navigation.js";
import { byId, headers, prefix } from "./service.js";
import { isReadable, sendFile, UNREADABLE } from "./upload.js";

let request = {}; // what was sent last, with its Idempotency-Key
let uploads = 0;
let lastTyped = 0;

const newKey = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

export const isSending = () => uploads > 0;

document.addEventListener("input", ({ target }) => {
  if (target.id !== "file") lastTyped = performance.now();
});

// Prepares the form of the page that is shown, if it has one.
export function beginForm() {
  choseNothing();
  const form = byId("file-form");
  if (chosenFile()) choose(chosenFile()); // it is kept
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

// The same file with the same options is the same request, however often it is sent.
function keyOf(file, query) {
  if (request.file !== file || request.query !== `${query}`) request = { file, query: `${query}`, key: newKey() };
  return request.key;
}

async function send(event) {
  event.preventDefault();
  const form = event.target;
  const file = chosenFile();
  const query = new URLSearchParams(options(form));
  const about = headers({ "Idempotency-Key": keyOf(file, query) });
  const button = form.querySelector("button:not([type])");
  byId("upload").hidden = false;
  button.disabled = true; // a second click would send the file again
  tell(`Sending ${file.name} …`);
  uploads += 1;
  const began = performance.now();
  const { status, text } = await sendFile(file, prefix, query, about, progressOf(file), tell);
  uploads -= 1;
  button.disabled = false;
  const isShown = form.isConnected && isChosen(file); // otherwise another page or file is
  if (form.isConnected && !isShown) byId("upload").hidden = true;
  if (status === 0) await broke(file, isShown);
  else if (status === 401 && isShown) {
    byId("upload").hidden = true;
    await askKey(() => form.requestSubmit()).catch(() => {
      byId("upload").hidden = false;
      return broke(file, isShown);
    });
  } else await ended(form, file, isShown, lastTyped < began, readAnswer(status, text));
}

function tell(text) {
  if (!byId("upload-text")) return;
  byId("upload-text").textContent = text;
  byId("upload-amount").textContent = "";
}

function progressOf(file) {
  const started = performance.now();
  return (sent) => {
    if (!byId("upload-bar")) return; // another page is shown
    byId("upload-bar").value = sent / file.size;
    const left = ((file.size - sent) / sent) * ((performance.now() - started) / 1000);
    byId("upload-amount").textContent =
      `${numbers.format(sent)} of ${counted(file.size, "byte")} sent, about ${Math.ceil(left)} s left`;
    announceProgress(sent / file.size);
  };
}

async function broke(file, isShown) {
  const fault = "The connection broke. Press Predict again: the file is not scored twice.";
  const said = (await isReadable(file)) ? fault : `The file was not sent: ${UNREADABLE}`;
  if (isShown) tell(said);
  else notify(`${file.name}: ${said}`);
}

// The page of the job is shown, unless something else was typed meanwhile: it would be interrupted.
async function ended(form, file, isShown, isIdle, { isTaken, answer }) {
  if (isTaken && !(await isReadable(file))) {
    notify(`${file.name} was changed while it was sent: some of its rows may be the old ones, others the new ones. Send it again.`);
  }
  if (isTaken && !(isShown && isIdle)) {
    if (isShown) byId("upload").hidden = true;
    notify(`${file.name} is sent: see its job`, { href: `${prefix}/ui/jobs/${answer.id}` });
  } else if (!isShown) {
    notify(`${file.name}: ${answer.detail}`);
  } else if (isTaken) {
    tell(`${file.name} is sent. Loading its job …`);
    go(`${prefix}/ui/jobs/${answer.id}`);
  } else {
    byId("upload").hidden = true;
    showRefusal(answer);
    markFaults(faultsOf(answer));
    form.querySelector("[aria-invalid]")?.focus();
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
