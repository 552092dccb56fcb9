// Following a job: server-sent events, read with fetch because EventSource cannot send a key.

import { announce, announceProgress, AWAY, counted, markLost, numbers } from "./messages.js";
import { beforeNext, isUsed, refresh, refreshParts, stopFollowing } from "./navigation.js";
import { byId, headers, parsed } from "./service.js";

// The service says something every five seconds. A connection that was lost during sleep, for example, says nothing more.
const SILENCE_MS = 20_000;

let lastLive = 0;
let nextLive = null;

// Follows the job of the page that is shown, or has the page refresh itself.
export function beginFollowing() {
  const main = byId("main");
  if (main.dataset.events && !document.hidden) follow(main.dataset.events);
  if (!main.dataset.refresh) return;
  let isAsking = false;
  const again = async () => {
    if (isAsking || document.hidden) return;
    isAsking = true;
    const isInUse = "parts" in main.dataset || isUsed(main);
    await (isInUse ? refreshParts() : refresh({ onlyIfChanged: true })).catch(() => markLost(AWAY));
    isAsking = false;
  };
  const timer = setInterval(again, main.dataset.refresh * 1000);
  beforeNext(() => clearInterval(timer));
}

async function follow(url) {
  const stop = new AbortController();
  let isLeft = false;
  let silence = 0;
  const listen = () => {
    clearTimeout(silence);
    silence = setTimeout(() => stop.abort(), SILENCE_MS);
  };
  beforeNext(() => {
    isLeft = true;
    clearTimeout(silence);
    stop.abort();
  });
  const again = (isEnd) => {
    if (isLeft) return;
    const later = () => setTimeout(again, 2000, isEnd);
    refresh().then(
      (isDone) => {
        if (!isDone) later();
        else if (isEnd && byId("status")) announce(`${document.querySelector("h1").textContent}: ${byId("status").textContent}`);
      },
      () => {
        markLost(AWAY);
        later();
      },
    );
  };
  listen();
  try {
    const response = await fetch(url, { headers: headers(), signal: stop.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      listen();
      live(stop.signal);
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const event of events) {
        const data = event.match(/^data: (.*)$/m);
        if (data) progress(JSON.parse(data[1]));
        if (event.startsWith("event: end")) return again(true);
      }
    }
  } catch {
    if (stop.signal.aborted && !isLeft) markLost(AWAY);
  }
  clearTimeout(silence);
  setTimeout(again, 2000);
}

// A browser has six connections to a service, for all tabs together. Those that are hidden leave theirs to others.
document.addEventListener("visibilitychange", () => {
  const { events } = byId("main").dataset;
  if (!events) return;
  stopFollowing();
  if (!document.hidden) follow(events);
});

// The chunks and the log may change with every event. They are fetched at most once a second, and less often for a
// large job, of which the service reads more.
async function live(signal) {
  const { live: address, pause } = byId("chunk-progress")?.dataset ?? {};
  if (!address || signal.aborted) return;
  clearTimeout(nextLive);
  const wait = lastLive + Number(pause) - performance.now();
  if (wait > 0) {
    nextLive = setTimeout(() => live(signal), wait);
    return;
  }
  lastLive = performance.now();
  try {
    const response = await fetch(address, { headers: headers(), signal });
    if (!response.ok) return;
    for (const part of parsed(await response.text()).querySelectorAll(".live")) {
      const shown = byId(part.id);
      if (shown && !signal.aborted && !shown.contains(document.activeElement)) shown.replaceWith(part);
    }
  } catch {
    // the events say that the connection broke
  }
}

function progress({ status, progress: rows }) {
  if (!byId("progress")) return;
  byId("progress").value = rows.fraction;
  const bad = rows.rows_failed ? `, ${numbers.format(rows.rows_failed)} of them bad` : "";
  const rate = rows.rows_per_second ? `, ${counted(Math.round(rows.rows_per_second), "row")} a second` : "";
  const left = rows.eta_seconds ? `, about ${rows.eta_seconds} s left` : "";
  const total = rows.rows_total;
  if (total) {
    byId("progress-text").textContent = `${numbers.format(rows.rows_done)} of ${counted(total, "row")} done${bad}${rate}${left}.`;
  }
  announceProgress(rows.fraction);
  const label = byId("status").firstElementChild;
  label.textContent = status;
  label.className = `status ${status}`;
}
