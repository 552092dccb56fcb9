// The pages work without this script. It adds the check before a file is sent, the progress of an upload, pages that
// follow a running job, and the API key, which stays in this tab.

import { dropDraft, isUnsent, keepDraft } from "./drafts.js";
import { isReadable, sendFile } from "./upload.js";

const CHECKED_BYTES = 1024 * 1024;
const prefix = document.body.dataset.prefix;
const byId = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat("en");
let stopFollowing = () => {};
let shows = 0;
let going = 0;
let checks = 0;
let keyWasTried = false;
let lastMain = byId("main").outerHTML;
let lastAnnounced = 0;
let heldKey = null;

document.documentElement.classList.add("script");

function apiKey() {
  try {
    return sessionStorage.getItem("rowcast-key") ?? heldKey;
  } catch {
    return heldKey; // the storage is not allowed
  }
}

function keepKey(key) {
  heldKey = key;
  try {
    sessionStorage.removeItem("rowcast-key");
    sessionStorage.setItem("rowcast-key", key);
  } catch {
    // the storage is full or not allowed: the key is gone when the page is loaded anew
  }
}

function headers(more = {}) {
  const key = apiKey();
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

// Has a screen reader say the text.
function announce(text) {
  lastAnnounced = performance.now();
  byId("announcer").textContent = text;
}

// What changes several times a second is said every 15 seconds, and is no live region.
function announceProgress(fraction) {
  if (performance.now() - lastAnnounced > 15_000) announce(`${Math.floor(fraction * 100)} % done`);
}

// After a link or a form, keyboard and screen reader begin at the page's content, or at the place that the address names.
function arrive(url) {
  const place = byId(new URL(url, location).hash.slice(1));
  if (place) place.scrollIntoView();
  else byId("main").focus();
}

const AWAY = "The service cannot be reached. This page tries again by itself.";
const NOT_LOADED = "The page could not be loaded: the service cannot be reached. Try again.";

function markLost(text) {
  byId("lost").textContent = text;
  byId("lost").hidden = !text;
}

// Fetches a page with the key. Without a key the browser could do this itself.
async function fetchPage(url, options = {}) {
  const response = await fetch(url, { ...options, headers: headers(options.headers) });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return { response, main: page.querySelector("main#main"), title: page.title };
}

// What the address names, apart from a place within the page.
const pageOf = ({ pathname, search }) => pathname + search;
const shown = { page: pageOf(location), hash: location.hash };

// `place` is the address at which keyboard and screen reader begin, if the page was asked for.
function put({ main, title }, address = location.href, { push = true, place = "" } = {}) {
  lastMain = main.outerHTML;
  markLost("");
  stopFollowing();
  byId("main").replaceWith(main);
  document.title = title;
  if (push) history.pushState({}, "", address);
  Object.assign(shown, { page: pageOf(location), hash: location.hash });
  begin();
  if (place) arrive(place);
}

// Shows the page of a link, or says that the service cannot be reached.
async function go(url, { push = true } = {}) {
  const turn = ++shows;
  going += 1;
  try {
    const page = await fetchPage(url);
    if (turn !== shows) return; // another page was asked for in the meantime
    if (page.main) put(page, page.response.url, { push: push && page.response.url !== location.href, place: push ? url : "" });
    else location.assign(url);
  } catch {
    if (turn === shows) markLost(NOT_LOADED);
  } finally {
    going -= 1;
  }
}

// Sends a form. If it is refused, the page stays, with what was typed.
async function sendForm(form, button) {
  const attribute = (name) => button?.getAttribute(`form${name}`) ?? form.getAttribute(name); // a field may be called so
  const data = new FormData(form);
  const body = attribute("enctype") === "multipart/form-data" ? data : new URLSearchParams(data);
  const turn = ++shows;
  form.dataset.sent = "yes";
  button?.setAttribute("aria-busy", "true");
  announce("Sending …");
  going += 1;
  try {
    const page = await fetchPage(attribute("action"), { method: "POST", body });
    if (turn !== shows) return;
    const { status, redirected, url } = page.response;
    if (status === 401) {
      await askKey(() => sendForm(form, button));
    } else if (!page.main || "error" in page.main.dataset) {
      const [title, detail] = page.main?.querySelectorAll("h1, h1 + p") ?? [];
      refuse(form, title?.textContent ?? "Not taken", detail?.textContent ?? `The service answered with status ${status}.`);
    } else if ("part" in form.dataset && page.main.querySelector("form[data-part]")) {
      replaceForm(form, page.main.querySelector("form[data-part]"));
    } else {
      if (redirected && "draft" in form.dataset) dropDraft(form);
      const address = redirected ? url : location.href; // the address of a form answers no GET
      put(page, address, { push: address !== location.href || "step" in form.dataset, place: address });
      const isHidden = "draft" in form.dataset && !redirected && !byId("main").querySelector("form[data-draft]");
      if (isHidden) notify("What you typed is kept. It is shown again when the job has ended.");
    }
  } catch {
    if (turn === shows) refuse(form, "Not sent", "The service cannot be reached. Nothing that you typed is lost: try again.");
  } finally {
    delete form.dataset.sent;
    button?.removeAttribute("aria-busy");
    announce("");
    going -= 1;
  }
}

// Shows the answer to a form in its place. The rest of the page stays, for example a file that is chosen.
function replaceForm(form, answer) {
  const focused = form.contains(document.activeElement) && document.activeElement.id;
  byId("main").querySelector(".refused")?.remove();
  form.replaceWith(answer);
  (byId(focused) ?? answer.querySelector("button")).focus({ preventScroll: true });
  answer.scrollIntoView();
}

function problemBox(title, detail) {
  const box = document.createElement("section");
  box.className = "problem";
  box.setAttribute("role", "alert");
  box.append(Object.assign(document.createElement("h2"), { textContent: title }));
  box.append(Object.assign(document.createElement("p"), { textContent: detail }));
  return box;
}

function refuse(form, title, detail) {
  const box = problemBox(title, detail);
  box.classList.add("refused");
  byId("main").querySelector(".refused")?.remove();
  (form.closest(".actions") ?? form).after(box);
}

// Says what became of a file although another page is shown by now, or another file chosen.
function notify(text, href) {
  const line = document.createElement("p");
  line.append(href ? Object.assign(document.createElement("a"), { href, textContent: text }) : text);
  byId("news").append(line);
  byId("news").hidden = false;
}

// Asks for another API key in place, so that a file that is chosen stays chosen.
async function askKey(andThen) {
  const page = new DOMParser().parseFromString(await (await fetch(`${prefix}/`, { headers: headers() })).text(), "text/html");
  const form = page.querySelector("#key-form");
  if (!form) return andThen();
  const box = document.createElement("section");
  box.className = "problem";
  box.setAttribute("role", "alert");
  box.append(...page.querySelectorAll("main h1 + p"), form);
  byId("main").querySelector(".problem:has(#key-form)")?.remove();
  byId("main").prepend(box);
  byId("key").focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keepKey(byId("key").value.trim());
    box.remove();
    andThen();
  });
}

const typedFields = () => [...byId("main").querySelectorAll("input[id], select[id]")].filter(({ type }) => type !== "file");
let valuesAtFirst = new Map();

// Shows the page anew, with what was typed, unfolded and focused. Returns false if another page is being loaded.
async function refresh({ onlyIfChanged = false } = {}) {
  if (going) return false;
  const turn = shows;
  const page = await fetchPage(location.href);
  if (turn !== shows || going) return false;
  const { status } = page.response;
  if (!page.main || status === 429 || status >= 500) throw new Error("the service is away"); // what is shown stays
  markLost("");
  if (onlyIfChanged && page.main.outerHTML === lastMain) return true; // a screen reader would lose its place
  const focused = document.activeElement?.id;
  const wasInside = byId("main").contains(document.activeElement);
  const unfolded = [...document.querySelectorAll("details[id][open]")].map(({ id }) => id);
  const typed = typedFields().filter(({ id, value }) => valuesAtFirst.get(id) !== value);
  put(page, location.href, { push: false });
  for (const { id, value } of typed) if (byId(id)) byId(id).value = value;
  for (const id of unfolded) if (byId(id)) byId(id).open = true;
  if (focused) byId(focused)?.focus();
  if (wasInside && document.activeElement === document.body) byId("main").focus({ preventScroll: true });
  return true;
}

// The check of the chosen file: its first part is sent, and what comes back is a part of the page.

// Files that a worker converts. They cannot be read without their end, so the whole file is sent.
const CONVERTED = /\.(parquet|xlsx)(\.gz)?$/i;
const CHECKED_SOURCE_BYTES = 64 * 1024 * 1024;

let chosen = null;
let uploadKey = "";
let uploadOptions = "";
let uploads = 0;

const newKey = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

async function check() {
  const form = byId("file-form");
  if (!chosen || !form) return;
  const isConverted = CONVERTED.test(chosen.name);
  if (isConverted && chosen.size > CHECKED_SOURCE_BYTES) {
    checks++;
    byId("check").textContent = `${chosen.name} is larger than 64 MiB, so it is checked when it is sent: a worker reads its columns and their types.`;
    return;
  }
  const part = isConverted ? chosen : chosen.slice(0, CHECKED_BYTES);
  const query = new URLSearchParams(options(form));
  const range = chosen.size > part.size ? { "Content-Range": `bytes 0-${part.size - 1}/${chosen.size}` } : {};
  byId("check").textContent = `Checking ${chosen.name} …`;
  const turn = ++checks;
  try {
    const response = await fetch(`${prefix}/ui/check?${query}`, {
      method: "POST",
      headers: headers({ "Content-Type": "text/csv", ...range }),
      body: part,
    });
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
  }
  for (const button of byId("check").querySelectorAll("button[data-option]")) {
    button.addEventListener("click", () => {
      form.elements[button.dataset.option].value = button.dataset.value;
      check();
    });
  }
}

const UNREADABLE = "it cannot be read. Was it changed or removed since it was chosen, or is it a folder? Choose it again.";

function options(form) {
  const fields = new FormData(form);
  const models = fields.getAll("model").map((name) => name.trim()).filter(Boolean);
  const others = [...fields].filter(([name, value]) => name !== "file" && name !== "model" && value.trim());
  return models.length ? [["model", models.join(",")], ...others] : others;
}

// What the service says about options, shown at their fields.

function markFaults(faults) {
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

function faultsOf({ type = "", errors = [] }) {
  const field = ({ where }) =>
    type.endsWith(":column-clash") ? "prediction_column" : where.startsWith("key.") ? "key" : where;
  return Object.fromEntries(errors.map((fault) => [field(fault), fault.message]));
}

// The upload, with its progress.

async function send(event) {
  event.preventDefault();
  const form = event.target;
  chosen ??= byId("file").files[0];
  const query = new URLSearchParams(options(form));
  if (`${query}` !== uploadOptions) uploadKey = newKey(); // another request
  uploadOptions = `${query}`;
  const [file, button] = [chosen, form.querySelector("button:not([type])")];
  const started = performance.now();
  const tell = (text) => {
    if (!byId("upload-text")) return;
    byId("upload-text").textContent = text;
    byId("upload-amount").textContent = "";
  };
  const onProgress = (sent) => {
    if (!byId("upload-bar")) return; // another page is shown
    byId("upload-bar").value = sent / file.size;
    const left = ((file.size - sent) / sent) * ((performance.now() - started) / 1000);
    byId("upload-amount").textContent =
      `${numbers.format(sent)} of ${numbers.format(file.size)} bytes sent, about ${Math.ceil(left)} s left`;
    announceProgress(sent / file.size);
  };
  byId("upload").hidden = false;
  button.disabled = true; // a second click would send the file again
  tell(`Sending ${file.name} …`);
  uploads += 1;
  const { status, text } = await sendFile(file, prefix, query, headers({ "Idempotency-Key": uploadKey }), onProgress, tell);
  uploads -= 1;
  button.disabled = false;
  const isShown = form.isConnected && chosen === file; // otherwise another page or file is
  if (form.isConnected && !isShown) byId("upload").hidden = true;
  if (status === 0) {
    const fault = "The connection broke. Press Predict again: the file is not scored twice.";
    const said = (await isReadable(file)) ? fault : `The file was not sent: ${UNREADABLE}`;
    if (isShown) tell(said);
    else notify(`${file.name}: ${said}`);
    return;
  }
  if (status === 401 && isShown) {
    byId("upload").hidden = true;
    return askKey(() => form.requestSubmit());
  }
  const { isTaken, answer } = readAnswer(status, text);
  if (isTaken && !(await isReadable(file))) {
    notify(`${file.name} was changed while it was sent: some of its rows may be the old ones, others the new ones. Send it again.`);
  }
  if (!isShown) {
    if (isTaken) notify(`${file.name} is sent: see its job`, `${prefix}/ui/jobs/${answer.id}`);
    else notify(`${file.name}: ${answer.detail}`);
    return;
  }
  if (isTaken) {
    go(`${prefix}/ui/jobs/${answer.id}`);
    return;
  }
  byId("upload").hidden = true;
  checks += 1; // a check that is still under way would hide why the file was refused
  byId("check").replaceChildren(problemBox(answer.title, answer.detail));
  markFaults(faultsOf(answer));
  form.querySelector("[aria-invalid]")?.focus();
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

function choose(file) {
  chosen = file;
  uploadKey = newKey();
  announce(`${file.name} chosen`);
  check();
}

// Following a job: server-sent events, read with fetch because EventSource cannot send a key.

async function follow(url) {
  const stop = new AbortController();
  stopFollowing = () => stop.abort();
  const again = (isEnd) => {
    if (stop.signal.aborted) return;
    const later = () => setTimeout(again, 2000, isEnd);
    refresh().then(
      (isDone) => {
        if (!isDone) later();
        else if (isEnd && byId("status")) announce(`${document.querySelector("h1").textContent}: ${byId("status").textContent}`);
      },
      () => {
        markLost(AWAY);
        later();
      },
    );
  };
  try {
    const response = await fetch(url, { headers: headers(), signal: stop.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      live(stop.signal);
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const event of events) {
        const data = event.match(/^data: (.*)$/m);
        if (data) progress(JSON.parse(data[1]));
        if (event.startsWith("event: end")) return again(true);
      }
    }
  } catch {
    if (stop.signal.aborted) return;
  }
  setTimeout(again, 2000);
}

// A browser has six connections to a service, for all tabs together. Those that are hidden leave theirs to others.
document.addEventListener("visibilitychange", () => {
  const { events } = byId("main").dataset;
  if (!events) return;
  stopFollowing();
  if (!document.hidden) follow(events);
});

// The chunks and the log may change with every event. They are fetched at most once a second, and less often for a
// large job, of which the service reads more.

let lastLive = 0;
let nextLive = null;

async function live(signal) {
  const { live: address, pause } = byId("chunk-progress")?.dataset ?? {};
  if (!address || signal.aborted) return;
  clearTimeout(nextLive);
  const wait = lastLive + Number(pause) - performance.now();
  if (wait > 0) {
    nextLive = setTimeout(() => live(signal), wait);
    return;
  }
  lastLive = performance.now();
  try {
    const response = await fetch(address, { headers: headers(), signal });
    if (!response.ok) return;
    const parts = new DOMParser().parseFromString(await response.text(), "text/html").querySelectorAll(".live");
    for (const part of parts) {
      const shown = byId(part.id);
      if (shown && !signal.aborted && !shown.contains(document.activeElement)) shown.replaceWith(part);
    }
  } catch {
    // the events say that the connection broke
  }
}

function progress({ status, progress: rows }) {
  if (!byId("progress")) return;
  byId("progress").value = rows.fraction;
  const bad = rows.rows_failed ? `, ${numbers.format(rows.rows_failed)} of them bad` : "";
  const rate = rows.rows_per_second ? `, ${numbers.format(Math.round(rows.rows_per_second))} rows a second` : "";
  const left = rows.eta_seconds ? `, about ${rows.eta_seconds} s left` : "";
  byId("progress-text").textContent =
    `${numbers.format(rows.rows_done)} of ${numbers.format(rows.rows_total)} rows done${bad}${rate}${left}.`;
  announceProgress(rows.fraction);
  const label = byId("status").firstElementChild;
  label.textContent = status;
  label.className = `status ${status}`;
}

// Downloads need the key too, so with a key the file is fetched here.

async function download(link) {
  const response = await fetch(link.href, { headers: headers() });
  if (!response.ok) {
    const problem = await response.json();
    alert(problem.detail);
    return;
  }
  const named = response.headers.get("Content-Disposition") ?? "";
  const full = named.match(/filename\*=UTF-8''([^;]+)/i)?.[1];
  const name = full ? decodeURIComponent(full) : (named.match(/filename="?([^";]+)/)?.[1] ?? "result.csv");
  const address = URL.createObjectURL(await response.blob());
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function begin() {
  stopFollowing = () => {};
  const main = byId("main");
  valuesAtFirst = new Map(typedFields().map(({ id, value }) => [id, value]));
  if (main.dataset.events && !document.hidden) follow(main.dataset.events);
  if (main.dataset.refresh) {
    const isBusy = () => document.hidden || main.querySelector(":focus:not(.wide)") || isSelected(main);
    const timer = setInterval(() => isBusy() || refresh({ onlyIfChanged: true }).catch(() => markLost(AWAY)), main.dataset.refresh * 1000);
    stopFollowing = () => clearInterval(timer);
  }
  for (const form of main.querySelectorAll("form[data-draft]")) keepDraft(form);
  chosen = null;
  uploadKey = uploadOptions = "";
  const form = byId("file-form");
  form?.addEventListener("submit", send);
  // Otherwise the field that loses the focus starts a check, the page moves, and the click misses the button.
  form?.querySelector("button:not([type])").addEventListener("mousedown", (event) => event.preventDefault());
  byId("file")?.addEventListener("change", ({ target }) => {
    if (target.files[0]) return choose(target.files[0]);
    chosen = null; // the choice was taken back
    checks += 1;
    byId("check").replaceChildren();
  });
  form?.addEventListener("change", ({ target }) => {
    if (target.id === "file") return;
    markFaults({}); // they may be about another value
    check();
  });
  if (byId("key-form") && apiKey() && !keyWasTried) {
    keyWasTried = true; // the page was loaded anew, and browsers do not send the key by themselves
    go(location.href, { push: false });
  }
  byId("key-form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    keyWasTried = true;
    keepKey(byId("key").value.trim());
    go(location.href, { push: false });
  });
}

// Whether text is selected, to be copied.
function isSelected(main) {
  const selection = getSelection();
  return !selection.isCollapsed && main.contains(selection.anchorNode);
}

document.addEventListener("submit", (event) => {
  const [form, button] = [event.target, event.submitter];
  if (event.defaultPrevented) return;
  if (form.dataset.sent || (form.dataset.confirm && !confirm(form.dataset.confirm))) {
    event.preventDefault(); // the second of two quick clicks, or no
  } else if ((button?.getAttribute("formmethod") ?? form.getAttribute("method")) === "post") {
    event.preventDefault();
    sendForm(form, button);
  } else if (apiKey()) {
    event.preventDefault();
    go(`${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
  }
});

let staysInside = -Infinity; // when a link of ours was last followed

document.addEventListener("click", (event) => {
  // By the second of two quick clicks, the page may have another button in the place of the first.
  if (event.detail > 1 && event.target.closest("button:not([type])")) event.preventDefault();
  const link = event.target.closest("a");
  if (!link || link.origin !== location.origin) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || link.getAttribute("href").startsWith("#")) return;
  staysInside = performance.now(); // what is typed is kept for the tab
  if (!apiKey()) return;
  if (link.pathname.startsWith(`${prefix}/docs`)) return; // the documentation needs no key
  event.preventDefault();
  if (link.hasAttribute("download")) download(link).catch(() => markLost(NOT_LOADED));
  else go(link.href);
});

addEventListener("popstate", () => {
  const isWithin = pageOf(location) === shown.page && location.hash !== shown.hash; // a link to a place in the page
  shown.hash = location.hash;
  if (!isWithin) go(location.href, { push: false });
});
addEventListener("pageshow", () => {
  if (!chosen && byId("file")?.files[0]) choose(byId("file").files[0]); // the browser remembered it
});
addEventListener("beforeunload", (event) => {
  const isInside = performance.now() - staysInside < 1000;
  const isTyped = [...document.querySelectorAll("form[data-draft]")].some(isUnsent);
  if (uploads || (isTyped && !isInside)) event.preventDefault(); // the browser asks whether to leave
});

// Files are dropped anywhere. Without the default, the browser would leave the page and show the file.

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
    notify("This page takes no file: drop it on the page Predict.", `${prefix}/`);
    return;
  }
  const one = new DataTransfer();
  one.items.add(file);
  input.files = one.files;
  if (others.length) notify(`${others.length + 1} files were dropped. Only ${file.name} is chosen: send one after another.`);
  if (input.id === "file") choose(file);
  else announce(`${file.name} chosen`);
});

begin();
