// Messages at the lower edge: results, errors, and changes that can still be undone.

import { h, put } from "./dom.js";
import { texts } from "./texts.js";

const SHOWN_MS = 6000;
const UNDO_MS = 8000;

const waiting = new Set();

// Screen readers read what appears in these two. They must be there before the first message.
const polite = h("div", { class: "messages", role: "status" });
const urgent = h("div", { class: "messages", role: "alert" });

/** Return the places of the messages, for the page. */
export function messagePlaces() {
  return h("div", { class: "message-places" }, polite, urgent);
}

/** Show a sentence for some seconds. */
export function say(text) {
  const message = h("p", { class: "message" }, text);
  polite.append(message);
  setTimeout(() => message.remove(), SHOWN_MS);
}

/** Show an error until somebody closes it. */
export function complain(error) {
  if (isSilent(error)) return;
  const close = h("button", { type: "button", class: "quiet", onclick: () => message.remove() }, texts.close);
  const message = h("p", { class: "message bad" }, h("span", {}, sentenceOf(error)), close);
  put(urgent, message);
}

/** Tell whether an error needs no words: the view was left, or the page asks for a token after a 401. */
export function isSilent(error) {
  return error.name === "AbortError" || error.status === 401;
}

/** Return what went wrong, in the words of the gateway. */
export function sentenceOf(error) {
  if (error.code === "offline") return texts.offline;
  return error.code ? (texts.problems[error.code]?.(error.message) ?? error.message) : `${texts.bug} ${error.message}`;
}

/**
 * Change something after a pause in which the user may undo it.
 *
 * `change`: sends the change and returns a promise; it gets `true` if the page is being closed. `undo`: shows the old
 * state again.
 */
export function changeSoon(text, change, undo) {
  const pending = { finish };
  const button = h("button", { type: "button", onclick: takeBack }, texts.undo);
  const message = h("p", { class: "message" }, h("span", {}, text), button);
  let timer = setTimeout(finish, UNDO_MS);
  // Nobody loses the button while it has the focus.
  button.addEventListener("focus", () => clearTimeout(timer));
  button.addEventListener("blur", () => (timer = setTimeout(finish, UNDO_MS)));
  waiting.add(pending);
  polite.append(message);

  function end() {
    clearTimeout(timer);
    message.remove();
    return waiting.delete(pending);
  }

  async function finish(isClosing = false) {
    if (!end()) return;
    try {
      await change(isClosing === true);
    } catch (error) {
      undo();
      complain(error);
    }
  }

  function takeBack() {
    if (!end()) return;
    undo();
    say(texts.undone);
  }
}

/** Send all changes that wait. */
export function finishChanges(isClosing = false) {
  return Promise.all([...waiting].map((each) => each.finish(isClosing)));
}

addEventListener("pagehide", () => finishChanges(true));
