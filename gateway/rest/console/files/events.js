// The stream of events of the gateway. All views share one; without it they are told to load again every few seconds.

import { address } from "./api.js";

const KINDS = ["reset", "result", "sighting", "present", "camera", "people", "unknowns", "health"];
const RELOAD_MS = 5000;

const listeners = new Set();
let stream = null;
let timer = null;
let lastId = "";

/**
 * Call `handle(kind, document)` for each event of the kinds, until `signal` aborts.
 *
 * The kind `reload` means: events may be missing, so ask the routes again.
 */
export function listen(kinds, handle, signal) {
  const listener = { kinds, handle };
  listeners.add(listener);
  signal.addEventListener("abort", () => {
    listeners.delete(listener);
    follow();
  });
  follow();
}

/** Open the stream while a visible page has listeners. A hidden page frees its place: their number is bounded. */
function follow() {
  if (listeners.size > 0 && !document.hidden) open();
  else close();
}

function open() {
  if (stream !== null) return;
  stream = new EventSource(address("api/v1/events", { last_event_id: lastId }));
  for (const kind of KINDS) stream.addEventListener(kind, (event) => receive(kind, event));
  stream.addEventListener("open", () => stopReloading());
  stream.addEventListener("error", () => {
    startReloading();
    // The browser connects again by itself, except after an answer that is no stream.
    if (stream?.readyState === EventSource.CLOSED) stream = null;
  });
}

function close() {
  stream?.close();
  stream = null;
  stopReloading();
}

function receive(kind, event) {
  lastId = event.lastEventId || lastId;
  const content = JSON.parse(event.data);
  for (const each of listeners) if (each.kinds.includes(kind)) each.handle(kind, content);
}

function startReloading() {
  timer ??= setInterval(() => {
    for (const each of listeners) each.handle("reload", null);
    follow();
  }, RELOAD_MS);
}

function stopReloading() {
  clearInterval(timer);
  timer = null;
}

document.addEventListener("visibilitychange", () => {
  follow();
  if (!document.hidden) for (const each of listeners) each.handle("reload", null);
});
