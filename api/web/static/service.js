// Requests to the service, and the API key that they need. The key stays in this tab.

export const prefix = document.body.dataset.prefix;
export const byId = (id) => document.getElementById(id);

const PATIENCE_MS = 20_000;
const FORM_PATIENCE_MS = 45_000; // an action on many jobs takes 20 s

let heldKey = null;

export function apiKey() {
  try {
    return sessionStorage.getItem("rowcast-key") ?? heldKey;
  } catch {
    return heldKey; // the storage is not allowed
  }
}

export function keepKey(key) {
  heldKey = key;
  try {
    sessionStorage.removeItem("rowcast-key");
    sessionStorage.setItem("rowcast-key", key);
  } catch {
    // the storage is full or not allowed: the key is gone when the page is loaded anew
  }
}

export function headers(more = {}) {
  const key = apiKey();
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

export const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

// Fetches a page with the key. Without a key the browser could do this itself. Without a file it fails after a while: a
// connection that was lost during sleep, for example, says nothing more.
export async function fetchPage(url, options = {}) {
  const stop = new AbortController();
  const patience = options.method ? FORM_PATIENCE_MS : PATIENCE_MS;
  const timer = options.body instanceof FormData ? 0 : setTimeout(() => stop.abort(), patience);
  try {
    const response = await fetch(url, { ...options, headers: headers(options.headers), signal: stop.signal });
    const page = parsed(await response.text());
    return { response, main: page.querySelector("main#main"), title: page.title };
  } finally {
    clearTimeout(timer);
  }
}
