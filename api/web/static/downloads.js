// Downloads of results and lists.

import { askKey } from "./forms.js";
import { element, notify, retract } from "./messages.js";
import { apiKey, headers } from "./service.js";

const BROKEN = "The download broke off, and no file was made: the service cannot be reached. Try again.";

const saving = new Set(); // addresses of the files that this page fetches

export const isSaving = () => saving.size > 0;

// Downloads the file of a link. Without a key the browser does it itself: it only says that it failed, but not why.
export function download(link, event) {
  if (apiKey()) event.preventDefault();
  if (saving.has(link.href)) return; // the second of two clicks
  retract("download");
  told(apiKey() ? save(link) : explain(link));
}

const told = (work) => work.catch(() => notify(BROKEN, { about: "download" }));

// Downloads need the key too, so with a key the file is fetched here.
async function save(link) {
  const { href } = link;
  saving.add(href);
  notify("Downloading … Keep this tab open until the browser shows the file.", { about: "download" });
  try {
    const response = await fetch(href, { headers: headers() });
    if (!response.ok) return await refuse(response, link);
    const named = response.headers.get("Content-Disposition") ?? "";
    const full = named.match(/filename\*=UTF-8''([^;]+)/i)?.[1];
    const name = full ? decodeURIComponent(full) : (named.match(/filename="?([^";]+)/)?.[1] ?? "result.csv");
    const address = URL.createObjectURL(await response.blob());
    element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } finally {
    saving.delete(href);
  }
  if (!isSaving()) retract("download");
}

async function explain(link) {
  const { ok } = await fetch(link.href, { method: "HEAD" });
  if (!ok) await refuse(await fetch(link.href), link);
}

async function refuse(response, link) {
  const { detail } = await response.json();
  notify(`Nothing was downloaded. ${detail}`, { about: "download" });
  if (response.status === 401) await askKey(() => told(save(link)), link.href); // for example because it was removed
}
