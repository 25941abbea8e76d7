// Messages at the lower edge: results, errors, and changes that can be undone.

import { sentenceNodes } from "./commands.js";
import { h, put } from "./dom.js";
import { texts } from "./texts.js";

const SHOWN_MS = 6000;
const UNDO_MS = 8000;

// Screen readers read what appears in these two. They must be there before the first message.
const polite = h("div", { class: "messages", role: "status" });
const urgent = h("div", { class: "messages", role: "alert" });

/** Return the places of the messages, for the page. */
export function messagePlaces() {
  return h("div", { class: "message-places" }, polite, urgent);
}

/** Show a sentence for some seconds. */
export function say(text) {
  const message = h("div", { class: "message" }, h("div", { class: "sentence" }, sentenceNodes(text)));
  polite.append(message);
  setTimeout(() => message.remove(), SHOWN_MS);
}

/** Show an error until somebody closes it. */
export function complain(error) {
  if (isSilent(error)) return;
  const close = h("button", { type: "button", class: "quiet", onclick: () => message.remove() }, texts.close);
  const message = h("div", { class: "message bad" }, h("div", { class: "sentence" }, sentenceNodes(sentenceOf(error))), close);
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
 * Show for some seconds a sentence about a change, with a button that takes the change back.
 *
 * `undo`: sends the opposite change, and shows its result.
 */
export function sayUndoable(text, undo) {
  const button = h("button", { type: "button", onclick: takeBack }, texts.undo);
  const message = h("p", { class: "message" }, h("span", {}, text), button);
  const hide = () => message.remove();
  let timer = setTimeout(hide, UNDO_MS);
  // Nobody loses the button while it has the focus.
  button.addEventListener("focus", () => clearTimeout(timer));
  button.addEventListener("blur", () => (timer = setTimeout(hide, UNDO_MS)));
  polite.append(message);

  async function takeBack() {
    hide();
    try {
      await undo();
      say(texts.undone);
    } catch (error) {
      complain(error);
    }
  }
}
