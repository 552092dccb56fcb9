// Files that were sent, but not answered yet. The same file with the same options is the same request, also after the
// page was loaded again: one job is made of it, and a large file goes on where it broke off. Kept for the tab only.

const unstored = new Map(); // what the browser does not store

const newKey = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
const nameOf = ({ name, size, lastModified }) => `${size} ${lastModified} ${name}`;
const SAMPLES = 128;
const SAMPLE_BYTES = 4096;

export const isSameFile = (one, other) => nameOf(one) === nameOf(other);

// Returns a hash (FNV-1a) of blocks in even distances, the first and the last ones included: a program may write a file
// anew with the same size and time, and its end would be sent behind the beginning of the old one. A small file is
// hashed as a whole.
async function hashOf(file) {
  const distance = Math.max((file.size - SAMPLE_BYTES) / (SAMPLES - 1), SAMPLE_BYTES);
  const starts = Array.from({ length: SAMPLES }, (_, number) => Math.floor(number * distance));
  try {
    const blocks = await new Blob(starts.map((start) => file.slice(start, start + SAMPLE_BYTES))).arrayBuffer();
    return new Uint8Array(blocks).reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5);
  } catch {
    return 0; // it cannot be read, which is said when it is sent
  }
}

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
export async function requestOf(file, query, { isTwin }) {
  if (isTwin) return { key: newKey(), keepUpload() {}, forget() {} };
  const place = `rowcast-sent ${nameOf(file)} ${await hashOf(file)} ${query}`;
  const request = read(place) ?? { key: newKey() };
  store(place, request);
  const keepUpload = (upload) => store(place, { ...request, upload });
  return { ...request, keepUpload, forget: () => store(place) };
}
