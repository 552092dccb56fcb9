// Requests to the service, and the API key that they need. The key stays in this tab.

export const prefix = document.body.dataset.prefix;
export const byId = (id) => document.getElementById(id);

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

// Fetches a page with the key. Without a key the browser could do this itself.
export async function fetchPage(url, options = {}) {
  const response = await fetch(url, { ...options, headers: headers(options.headers) });
  const page = parsed(await response.text());
  return { response, main: page.querySelector("main#main"), title: page.title };
}
