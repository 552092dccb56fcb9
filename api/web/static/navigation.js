// Which page is shown: the page of a link, or the same page as it is by now.

import { markLost, NOT_LOADED, notify, retract, WAITS } from "./messages.js";
import { isEntryShown, keepFields, restoreFields } from "./fields.js";
import { byId, fetchPage } from "./service.js";

// What the address names, apart from a place within the page.
const pageOf = ({ pathname, search }) => pathname + search;
const shown = { page: pageOf(location), hash: location.hash };
let placeShown = null; // in the tab's history, if the browser tells it

// Returns whether a link leads to the page that is shown.
export const isShown = (link) => pageOf(link) === shown.page;

let begin = () => {};
let stop = () => {};
let shows = 0; // how often a page was asked for
let going = 0; // how many pages are being fetched
let lastMain = byId("main").outerHTML;

// Has `action` called for each page that is shown, this one included.
export function whenShown(action) {
  begin = () => {
    stop = () => {};
    restoreFields();
    placeShown = globalThis.navigation?.currentEntry?.key;
    action();
  };
  begin();
}

// Has `action` called before another page is shown.
export function beforeNext(action) {
  stop = action;
}

// Returns whether another page, or the answer to a form, is being loaded.
export const isGoing = () => going > 0;

export const stopFollowing = () => stop();

// Does `work` as what was asked for last: `isLast` says whether it still is. Pages do not refresh themselves meanwhile.
export async function asLast(work) {
  const turn = ++shows;
  going += 1;
  try {
    await work(() => turn === shows);
  } finally {
    going -= 1;
  }
}

// After a link or a form, keyboard and screen reader begin at the page's content, or at the place that the address names.
function arrive(url) {
  const place = byId(new URL(url, location).hash.slice(1));
  if (place) place.scrollIntoView();
  else byId("main").focus();
}

// `place` is the address at which keyboard and screen reader begin, if the page was asked for.
export function put({ main, title }, address = location.href, { push = true, place = "" } = {}) {
  lastMain = main.outerHTML;
  markLost("");
  retract("waits");
  stop();
  byId("main").replaceWith(main);
  document.title = title;
  if (push) history.pushState({}, "", address);
  Object.assign(shown, { page: pageOf(location), hash: location.hash });
  begin();
  if (place) arrive(place);
}

// Shows the page of a link, or says that the service cannot be reached. `leave` follows links to other documents.
export function go(url, { push = true, leave = (address) => location.assign(address) } = {}) {
  return asLast(async (isLast) => {
    try {
      const page = await fetchPage(url);
      if (!isLast()) return; // another page was asked for in the meantime
      const address = page.response.url + new URL(url, location).hash;
      if (page.main) put(page, address, { push: push && address !== location.href, place: push ? url : "" });
      else leave(url);
    } catch {
      if (!isLast()) return;
      markLost(NOT_LOADED);
      if (!isEntryShown() && placeShown) navigation.traverseTo(placeShown);
    }
  });
}

// Fetches the page that is shown. Returns null if another one is being loaded.
async function fetchAnew() {
  if (going) return null;
  const turn = shows;
  const page = await fetchPage(location.href);
  if (turn !== shows || going) return null;
  const { status } = page.response;
  if (!page.main || status === 429 || status >= 500) throw new Error("the service is away"); // what is shown stays
  markLost("");
  return page;
}

// Shows anew only the parts of the page that change by themselves: what else is on it is being used.
export async function refreshParts() {
  const page = await fetchAnew();
  if (!page) return;
  retract("waits");
  for (const part of page.main.querySelectorAll(".live[id]")) {
    const shown = byId(part.id);
    if (!shown || shown.outerHTML === part.outerHTML) continue;
    lastMain = null; // the next time it is shown anew as a whole
    if (isUsed(shown)) notify(WAITS, { about: "waits" });
    else shown.replaceWith(part);
  }
}

// Returns whether something in a part has the focus, or is selected to be copied.
export function isUsed(part) {
  const selection = getSelection();
  return Boolean(part.querySelector(":focus:not(.wide)")) || (!selection.isCollapsed && part.contains(selection.anchorNode));
}

// Shows the page anew, unfolded and focused as it is. Returns false if another page is being loaded.
export async function refresh({ onlyIfChanged = false } = {}) {
  const page = await fetchAnew();
  if (!page) return false;
  if (onlyIfChanged && page.main.outerHTML === lastMain) return true; // a screen reader would lose its place
  const focused = document.activeElement?.id;
  const wasInside = byId("main").contains(document.activeElement);
  const unfolded = [...document.querySelectorAll("details[id][open]")].map(({ id }) => id);
  put(page, location.href, { push: false });
  for (const id of unfolded) if (byId(id)) byId(id).open = true;
  if (focused) byId(focused)?.focus();
  if (wasInside && document.activeElement === document.body) byId("main").focus({ preventScroll: true });
  return true;
}

addEventListener("popstate", () => {
  const isWithin = pageOf(location) === shown.page && location.hash !== shown.hash; // a link to a place in the page
  shown.hash = location.hash;
  if (isEntryShown()) asLast(() => {}); // it is still shown
  else if (isWithin && !history.state) keepFields();
  else go(location.href, { push: false });
});
