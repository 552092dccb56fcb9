// Files that were sent, but not answered yet. The same file with the same options is the same request, also after the
// page was loaded again: one job is made of it, and a large file goes on where it broke off. Kept for the tab only.

const unstored = new Map(); // what the browser does not store

const newKey = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
const placeOf = ({ name, size, lastModified }, query) => `rowcast-sent ${size} ${lastModified} ${name} ${query}`;

export const isSameFile = (one, other) => placeOf(one) === placeOf(other);

function read(place) {
  try {
    return unstored.get(place) ?? JSON.parse(sessionStorage.getItem(place));
  } catch {
    return null; // the storage is not allowed
  }
}

function store(place, request) {
  unstored.delete(place);
  try {
    sessionStorage.removeItem(place);
    if (request) sessionStorage.setItem(place, JSON.stringify(request));
  } catch {
    if (request) unstored.set(place, request); // the storage is full or not allowed
  }
}

// Returns the request that sends the file: its Idempotency-Key, and the address of its upload if it has begun. While the
// same file is being sent, it is a request of its own.
export function requestOf(file, query, { isTwin }) {
  if (isTwin) return { key: newKey(), keepUpload() {}, forget() {} };
  const place = placeOf(file, query);
  const request = read(place) ?? { key: newKey() };
  store(place, request);
  const keepUpload = (upload) => store(place, { ...request, upload });
  return { ...request, keepUpload, forget: () => store(place) };
}
