// The pages work without this script. It adds the check before a file is sent, the progress of an upload, pages that
// follow a running job, and the API key, which stays in this tab.

import { isReadable, sendFile } from "./upload.js";

const CHECKED_BYTES = 1024 * 1024;
const prefix = document.body.dataset.prefix;
const byId = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat("en");
let stopFollowing = () => {};
let shows = 0;
let checks = 0;
let keyWasTried = false;
let lastMain = byId("main").outerHTML;
let lastAnnounced = 0;

document.documentElement.classList.add("script");

function headers(more = {}) {
  const key = sessionStorage.getItem("rowcast-key");
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

// Shows a page that was fetched with the key. Without a key the browser could do this itself.
async function show(url, options = {}, { push = true, onlyIfChanged = false } = {}) {
  const turn = ++shows;
  const response = await fetch(url, { ...options, headers: headers(options.headers) });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (turn !== shows) return; // another page was asked for in the meantime
  markLost(false);
  const main = page.querySelector("main#main");
  if (!main) {
    location.assign(url);
    return;
  }
  const before = lastMain;
  lastMain = main.outerHTML;
  if (onlyIfChanged && lastMain === before) return; // a screen reader would lose its place
  stopFollowing();
  byId("main").replaceWith(main);
  document.title = page.title;
  const isForm = options.method === "POST" && !response.redirected; // its address answers no GET
  if (push && !isForm) history.pushState({}, "", response.url);
  begin();
  if (push) arrive(url);
}

function markLost(isLost) {
  byId("lost").hidden = !isLost;
}

// Shows the page of a link or a form, and says so if the service cannot be reached: what was typed stays.
function go(url, options) {
  return show(url, options).catch(() => {
    markLost(true);
    delete document.activeElement?.form?.dataset.sent;
  });
}

// Says what became of a file although another page is shown by now.
function notify(text, href) {
  const link = Object.assign(document.createElement("a"), { href, textContent: text });
  byId("news").replaceChildren(href ? link : text);
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
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("rowcast-key", byId("key").value.trim());
    box.remove();
    andThen();
  });
}

async function refresh(how = {}) {
  const focused = document.activeElement?.id;
  const wasInside = byId("main").contains(document.activeElement);
  const unfolded = [...document.querySelectorAll("details[id][open]")].map(({ id }) => id);
  await show(location.href, {}, { push: false, ...how });
  for (const id of unfolded) if (byId(id)) byId(id).open = true;
  if (focused) byId(focused)?.focus();
  if (wasInside && document.activeElement === document.body) byId("main").focus({ preventScroll: true });
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

function faultsOf({ type, errors = [] }) {
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
  if (status === 0) {
    const fault = "The connection broke. Press Predict again: the file is not scored twice.";
    const said = (await isReadable(file)) ? fault : `The file was not sent: ${UNREADABLE}`;
    if (form.isConnected) tell(said);
    else notify(`${file.name}: ${said}`);
    return;
  }
  if (status === 401 && form.isConnected) {
    byId("upload").hidden = true;
    return askKey(() => form.requestSubmit());
  }
  let answer = { type: "", title: "Not taken", detail: `The service answered with status ${status}.` };
  try {
    answer = JSON.parse(text);
  } catch {
    // a proxy's page
  }
  if (!form.isConnected) {
    if (status < 300) notify(`${file.name} is sent: see its job`, `${prefix}/ui/jobs/${answer.id}`);
    else notify(`${file.name}: ${answer.detail}`);
    return;
  }
  if (status < 300) {
    go(`${prefix}/ui/jobs/${answer.id}`);
    return;
  }
  byId("upload").hidden = true;
  const box = document.createElement("section");
  box.className = "problem";
  box.setAttribute("role", "alert");
  box.append(Object.assign(document.createElement("h2"), { textContent: answer.title }));
  box.append(Object.assign(document.createElement("p"), { textContent: answer.detail }));
  byId("check").replaceChildren(box);
  markFaults(faultsOf(answer));
  form.querySelector("[aria-invalid]")?.focus();
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
        if (event.startsWith("event: end")) {
          await refresh();
          announce(`${document.querySelector("h1").textContent}: ${byId("status").textContent}`);
          return;
        }
      }
    }
  } catch {
    if (stop.signal.aborted) return;
  }
  const again = () => {
    if (stop.signal.aborted) return;
    refresh().catch(() => {
      markLost(true);
      setTimeout(again, 2000);
    });
  };
  setTimeout(again, 2000);
}

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
  const name = response.headers.get("Content-Disposition")?.match(/filename="?([^";]+)/)?.[1] ?? "result.csv";
  const address = URL.createObjectURL(await response.blob());
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function begin() {
  stopFollowing = () => {};
  const main = byId("main");
  if (main.dataset.events) follow(main.dataset.events);
  if (main.dataset.refresh) {
    const isBusy = () => document.hidden || main.querySelector(":focus:not(.wide)");
    const timer = setInterval(() => isBusy() || refresh({ onlyIfChanged: true }).catch(() => markLost(true)), main.dataset.refresh * 1000);
    stopFollowing = () => clearInterval(timer);
  }
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
  if (byId("key-form") && sessionStorage.getItem("rowcast-key") && !keyWasTried) {
    keyWasTried = true; // the page was loaded anew, and browsers do not send the key by themselves
    refresh();
  }
  byId("key-form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    keyWasTried = true;
    sessionStorage.setItem("rowcast-key", byId("key").value.trim());
    refresh();
  });
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented) return;
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) {
    event.preventDefault();
  } else if (form.dataset.sent) {
    event.preventDefault(); // the second of two quick clicks
  } else if (sessionStorage.getItem("rowcast-key")) {
    event.preventDefault();
    const address = form.getAttribute("action"); // not form.action, as a field may have that name
    form.dataset.sent = "yes";
    if (form.getAttribute("method") === "get") go(`${address}?${new URLSearchParams(new FormData(form))}`);
    else go(address, { method: "POST", body: new FormData(form) });
  } else {
    form.dataset.sent = "yes";
  }
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || !sessionStorage.getItem("rowcast-key") || link.origin !== location.origin) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || link.getAttribute("href").startsWith("#")) return;
  if (link.pathname.startsWith(`${prefix}/docs`)) return; // the documentation needs no key
  event.preventDefault();
  if (link.hasAttribute("download")) download(link).catch(() => markLost(true));
  else go(link.href);
});

addEventListener("popstate", () => refresh().catch(() => markLost(true)));
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent; // the page came back from the browser's memory
});
addEventListener("beforeunload", (event) => {
  if (uploads) event.preventDefault(); // the browser asks whether to leave
});
for (const type of ["dragenter", "dragover"]) {
  addEventListener(type, (event) => {
    if (!byId("file") || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
}
addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (!byId("file") || !event.dataTransfer?.files.length) return;
  event.preventDefault();
  byId("file").files = event.dataTransfer.files;
  choose(event.dataTransfer.files[0]);
});

begin();
