// What the page says: to everybody in its lines and boxes, and to screen readers.

import { byId } from "./service.js";

export const AWAY = "The service cannot be reached. This page tries again by itself.";
export const WAITS = "This page has changed. It is shown anew as soon as nothing in its lists is selected or has the focus.";
export const NOT_LOADED = "The page could not be loaded: the service cannot be reached. Try again.";

export const element = (name, about) => Object.assign(document.createElement(name), about);

export const numbers = new Intl.NumberFormat("en");
let lastAnnounced = 0;

// Returns for example `1 row` and `1,200 rows`.
export const counted = (number, noun) => `${numbers.format(number)} ${noun}${number === 1 ? "" : "s"}`;

// Has a screen reader say the text.
export function announce(text) {
  lastAnnounced = performance.now();
  byId("announcer").textContent = text;
}

// What changes several times a second is said every 15 seconds, and is no live region.
export function announceProgress(fraction) {
  if (performance.now() - lastAnnounced > 15_000) announce(`${Math.floor(fraction * 100)} % done`);
}

export function markLost(text) {
  byId("lost").textContent = text;
  byId("lost").hidden = !text;
}

// Says what is so on every page, for example what became of a file. It replaces what was said about the same.
export function notify(text, { href, about = text } = {}) {
  retract(about);
  const line = element("p");
  line.dataset.about = about;
  line.append(href ? element("a", { href, textContent: text }) : text);
  byId("news").append(line);
  byId("news").hidden = false;
}

export function retract(about) {
  for (const line of byId("news").querySelectorAll("p")) if (line.dataset.about === about) line.remove();
  byId("news").hidden = !byId("news").childElementCount;
}

// `help` is the address of the page about such problems.
export function problemBox(title, detail, help) {
  const box = element("section", { className: "problem", role: "alert" });
  box.append(element("h2", { textContent: title }), element("p", { textContent: detail }));
  if (help) {
    box.append(element("p"));
    box.lastChild.append(element("a", { href: help, textContent: "What this means and what to do" }));
  }
  return box;
}
