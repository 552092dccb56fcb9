// Downloads of results and lists.

import { markLost, notify, retract } from "./messages.js";
import { apiKey, headers } from "./service.js";

const BROKEN = "The download broke off, and no file was made: the service cannot be reached. Try again.";

// Downloads the file of a link. Without a key the browser does it itself: it only says that it failed, but not why.
export function download(link, event) {
  if (apiKey()) event.preventDefault();
  retract("download");
  (apiKey() ? save(link) : explain(link)).catch(() => markLost(BROKEN));
}

// Downloads need the key too, so with a key the file is fetched here.
async function save(link) {
  const response = await fetch(link.href, { headers: headers() });
  if (!response.ok) return refuse(response);
  const named = response.headers.get("Content-Disposition") ?? "";
  const full = named.match(/filename\*=UTF-8''([^;]+)/i)?.[1];
  const name = full ? decodeURIComponent(full) : (named.match(/filename="?([^";]+)/)?.[1] ?? "result.csv");
  const address = URL.createObjectURL(await response.blob());
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

async function explain(link) {
  const { ok } = await fetch(link.href, { method: "HEAD" });
  if (!ok) await refuse(await fetch(link.href));
}

async function refuse(response) {
  const { detail } = await response.json();
  notify(`Nothing was downloaded. ${detail}`, { about: "download" });
}
