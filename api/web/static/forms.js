// Forms are sent without leaving the page, so that what was typed stays if they are refused.

import { dropDraft, dropFile, dropSent, isUnsent, tellDrafts } from "./drafts.js";
import { announce, element, notify, problemBox } from "./messages.js";
import { asLast, put } from "./navigation.js";
import { outdate } from "./row_form.js";
import { byId, fetchPage, headers, keepKey, parsed, prefix } from "./service.js";
import { isReadable, UNREADABLE } from "./upload.js";

const UNREACHED = "The service cannot be reached. Nothing that you typed is lost: try again.";

// Sends a form. If it is refused, the page stays, with what was typed.
export function sendForm(form, button) {
  const attribute = (name) => button?.getAttribute(`form${name}`) ?? form.getAttribute(name); // a field may be called so
  const data = new FormData(form);
  const body = attribute("enctype") === "multipart/form-data" ? data : new URLSearchParams(data);
  form.dataset.sent = "yes";
  button?.setAttribute("aria-busy", "true");
  announce("Sending …");
  return asLast(async (isLast) => {
    try {
      const page = await fetchPage(attribute("action"), { method: "POST", body });
      if (page.response.redirected) forget(form, data);
      if (!isLast()) {
        if (!page.response.redirected) tellUndone(form, refusalOf(page).detail);
      } else if (page.response.status === 401) await askKey(() => sendForm(form, button), form);
      else answer(form, page, data);
    } catch {
      const fault = (await hasUnreadable(data)) ? `The file was not sent: ${UNREADABLE}` : UNREACHED;
      if (isLast()) refuse(form, "Not sent", fault);
      else tellUndone(form, fault);
    } finally {
      delete form.dataset.sent;
      button?.removeAttribute("aria-busy");
      announce("");
    }
  });
}

// Returns whether a file of the form was changed or removed since it was chosen.
async function hasUnreadable(data) {
  const files = [...data.values()].filter((value) => value instanceof File);
  return (await Promise.all(files.map(isReadable))).includes(false);
}

// Says that a job's form was refused after the page of the job was left. Otherwise it would be taken as done.
function tellUndone(form, detail) {
  const [, href] = form.getAttribute("action").match(/(.*\/ui\/jobs\/[^/]+)\/\w+$/) ?? [];
  const job = form.closest("main")?.querySelector("h1").textContent;
  if (href) notify(`${job}: “${form.querySelector("button").textContent}” was not done. ${detail}`, { href });
}

// Forgets what the service has by now.
function forget(form, sent) {
  if ("draft" in form.dataset) dropSent(form, sent);
  if ("file" in form.dataset) dropFile(form);
  if (!form.isConnected) tellDrafts(); // another page says that they are not sent
  const [, deleted] = form.getAttribute("action").match(/(.*)\/delete$/) ?? [];
  if (deleted) dropDraft(deleted);
}

// Shows what the service answered to a form: its page, a part of this one, or why it was refused.
function answer(form, page, sent) {
  const { redirected, url } = page.response;
  const part = "part" in form.dataset && page.main?.querySelector("form[data-part]");
  const isMissing = "part" in form.dataset && !part; // for example because the model of the row was removed
  if (!page.main || isMissing || "error" in page.main.dataset) {
    const { title, detail, help } = refusalOf(page);
    refuse(form, title, detail, help);
  } else if (part) {
    replaceForm(form, part, sent);
  } else {
    const isLeft = "draft" in form.dataset && isUnsent(form, redirected ? sent : undefined);
    // The address of a form answers no GET. That of a filter has what was chosen, for the time after a reload.
    const address = redirected ? url : form.id === "filter" ? filtered(sent) : location.href;
    put(page, address, { push: address !== location.href || "step" in form.dataset, place: address });
    if (isLeft && !byId("main").querySelector("form[data-draft]")) notify("What you typed is kept. It is shown again when the job has ended.");
  }
}

// Returns why the service refused a form.
function refusalOf({ response, main }) {
  const box = main?.querySelector(".problem h2") ? ".problem h2" : "h1";
  const [title, detail] = main?.querySelectorAll(`${box}, ${box} + p`) ?? [];
  return {
    title: title?.textContent ?? "Not taken",
    detail: detail?.textContent ?? `The service answered with status ${response.status}.`,
    help: main?.querySelector("[data-help]")?.getAttribute("href"),
  };
}

function filtered(fields) {
  return new URL(`?${new URLSearchParams([...fields].filter(([, value]) => value))}`, location.href).href;
}

// Shows the answer to a form in its place. The rest of the page stays, for example a file that is chosen, and what was
// typed since the form was sent.
function replaceForm(form, part, sent) {
  if (!form.isConnected) { // another model was chosen meanwhile
    const said = part.querySelector(".outcome, .problem h2 + p, [role=status]");
    if (said) notify(`The row that was sent to ${form.elements[":model"].value}: ${said.textContent.trim()}`);
    return;
  }
  const active = document.activeElement;
  const isElsewhere = active !== document.body && !form.contains(active);
  const { id, selectionStart, selectionEnd } = active;
  byId("main").querySelector(".refused")?.remove();
  form.replaceWith(part);
  for (const field of form.querySelectorAll("input[id]")) {
    const next = byId(field.id);
    if (next?.name !== field.name || field.value === sent.get(field.name)) continue;
    next.value = field.value;
    outdate(part);
  }
  if (isElsewhere) return; // something else is being typed
  const focused = byId(id) ?? part.querySelector("button");
  focused.focus({ preventScroll: true });
  if (focused.type === "text") focused.setSelectionRange(selectionStart, selectionEnd);
  part.scrollIntoView();
}

function refuse(form, title, detail, help) {
  if (!form.isConnected) {
    notify(`${title}: ${detail}`, { href: help });
    return;
  }
  const box = problemBox(title, detail, help);
  box.classList.add("refused");
  byId("main").querySelector(".refused")?.remove();
  (form.closest(".actions") ?? form).after(box);
}

const waiting = new Map(); // what is done with another API key, by what it is about

// Asks for another API key in place, so that a file that is chosen stays chosen. What waits for one already waits on.
export async function askKey(andThen, about = andThen) {
  const page = parsed(await (await fetch(`${prefix}/`, { headers: headers() })).text());
  const form = page.querySelector("#key-form");
  if (!form) return andThen();
  const earlier = byId("main").querySelector(".problem:has(#key-form)");
  if (!earlier) waiting.clear();
  waiting.set(about, andThen);
  if (earlier) {
    if (about !== andThen) byId("key").focus(); // a check, which nobody asked for, takes no focus
    return;
  }
  const box = element("section", { className: "problem", role: "alert" });
  box.append(...page.querySelectorAll("main h1 + p"), form);
  byId("main").prepend(box);
  byId("key").focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keepKey(byId("key").value.trim());
    box.remove();
    for (const action of waiting.values()) action();
  });
}
