// Sends a file. It is the body of a request, so that its progress can be seen and it may have any size. A large file
// goes on after a lost connection.

const LARGE_BYTES = 64 * 1024 * 1024;
const RETRY_SECONDS = 2;
const PATIENCE_SECONDS = 600; // without a connection
const SILENCE_SECONDS = 30; // without progress or an answer: a connection that was lost during sleep says nothing more
const QUESTION_SILENCE_SECONDS = 6; // the same for requests without a body
const UNKNOWN = 404; // for example because the service's Redis was emptied
const GONE = [UNKNOWN, 410];
const OTHER_TRY = [400, 409, 429]; // statuses after which the file may go on: a body cut short, a wrong offset, a limit

export const UNREADABLE = "it cannot be read. Was it changed or removed since it was chosen, or is it a folder? Choose it again.";

// A file that was changed or removed since it was chosen cannot be read any more.
export async function isReadable(file) {
  try {
    await (file.size ? file.slice(0, 1) : file).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

// Returns a name as the value of a header field takes it (RFC 8187): without ' ( ) *, which `encodeURIComponent` leaves.
const encoded = (name) => encodeURIComponent(name).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);

// Returns status and text of the last response; the status is 0 if the connection broke. `request` is of `requestOf`. A
// small file whose connection is silent goes on as a large one does: it has the same key, so it is the same request.
export async function sendFile(file, prefix, query, request, headers, onProgress, tell) {
  const named = `attachment; filename*=UTF-8''${encoded(file.name)}`;
  const about = { ...headers, "Idempotency-Key": request.key, "Content-Type": "text/csv", "Content-Disposition": named };
  if (file.size < LARGE_BYTES && !request.upload) {
    const sent = await sendBody("POST", `${prefix}/predict?${query}`, about, file, onProgress);
    if (!sent.isSilent) return sent;
    tell(faultOf(sent));
  }
  return sendResumable(file, `${prefix}/uploads?${query}`, request, headers, about, onProgress, tell);
}

// The service may say itself why it takes nothing, for example that its disk is full.
function faultOf({ status, text, isSilent }) {
  const silent = `Nothing more was sent for ${SILENCE_SECONDS} s: the connection seems to be lost.`;
  const detail = status >= 500 && text.match(/"detail": *("(?:[^"\\]|\\.)*")/);
  return `${detail ? JSON.parse(detail[1]) : isSilent ? silent : "The connection broke."} Trying to go on …`;
}

// `isSilent` says that the request was ended here, because nothing happened any more.
function sendBody(method, url, headers, body, onProgress = () => {}) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    let [silence, isSilent] = [0, false];
    const listen = () => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        isSilent = true;
        request.abort();
      }, (body ? SILENCE_SECONDS : QUESTION_SILENCE_SECONDS) * 1000);
    };
    request.upload.addEventListener("progress", ({ loaded }) => {
      listen();
      onProgress(loaded);
    });
    const header = (name) => request.getResponseHeader(name);
    request.addEventListener("loadend", () => {
      clearTimeout(silence);
      resolve({ status: request.status, text: request.responseText, header, isSilent });
    });
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    listen();
    request.send(body);
  });
}

// Returns the address of the upload and how much of it has arrived: of one that broke off, if it still exists.
async function beginUpload(file, url, request, headers, about) {
  const known = request.upload && (await sendBody("HEAD", request.upload, headers));
  if (known?.status === 204) return { upload: request.upload, begun: Number(known.header("Upload-Offset")) };
  if (known && !GONE.includes(known.status)) return { refused: known };
  const created = await sendBody("POST", url, { ...about, "Upload-Length": file.size });
  if (created.status !== 201) return { refused: created };
  const upload = created.header("Location");
  request.keepUpload(upload);
  return { upload, begun: 0 };
}

async function sendResumable(file, url, request, headers, about, onProgress, tell) {
  let patience = PATIENCE_SECONDS;
  const pause = async (sent) => {
    tell(faultOf(sent));
    patience -= RETRY_SECONDS + (sent.isSilent ? QUESTION_SILENCE_SECONDS : 0);
    await new Promise((resolve) => setTimeout(resolve, RETRY_SECONDS * 1000));
  };
  const begin = () => beginUpload(file, url, request, headers, about);
  let { refused, upload, begun } = await begin();
  while (refused?.status === 0 && patience > 0) {
    await pause(refused);
    ({ refused, upload, begun } = await begin());
  }
  if (refused) return refused;
  let isFirst = true; // what the service has lost is sent once more from its beginning
  for (let offset = begun; ; ) {
    tell(`Sending ${file.name} …`);
    const piece = { ...headers, "Content-Type": "application/partial-upload", "Upload-Offset": offset };
    const last = { ...piece, "Upload-Complete": "?1" };
    const sent = await sendBody("PATCH", upload, last, file.slice(offset), (more) => onProgress(offset + more));
    const isOver = sent.status >= 200 && sent.status < 500 && !OTHER_TRY.includes(sent.status);
    const isUnread = sent.status === 0 && !(await isReadable(file));
    let found = sent;
    while (!isOver && !isUnread && found.status !== 204 && !GONE.includes(found.status)) {
      if (patience <= 0) return sent;
      await pause(found);
      found = await sendBody("HEAD", upload, headers);
    }
    if (found.status === UNKNOWN && isFirst) {
      isFirst = false;
      ({ refused, upload, begun: offset } = await begin());
      if (refused) return refused;
    } else if (isOver || isUnread) {
      return sent;
    } else if (GONE.includes(found.status)) {
      return sendBody("PATCH", upload, piece); // it says why
    } else {
      const arrived = Number(found.header("Upload-Offset"));
      if (arrived > offset) patience = PATIENCE_SECONDS;
      offset = arrived;
    }
  }
}
