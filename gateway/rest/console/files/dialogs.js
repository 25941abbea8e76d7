// Dialogs. The element `dialog` keeps the focus inside, closes with Escape and gives the focus back.

import { sentenceNodes } from "./commands.js";
import { h } from "./dom.js";
import { complain, isSilent, sentenceOf } from "./messages.js";
import { texts } from "./texts.js";

let last = 0;

/** Open a dialog and return it. It is removed when it is closed. `content`: gets the dialog. */
export function openDialog(title, content) {
  const id = `dialog-${(last += 1)}`;
  const dialog = h("dialog", { "aria-labelledby": id, onclose: () => dialog.remove() });
  dialog.append(h("h2", { id }, title), ...[content(dialog)].flat());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Ask before a change, and make it. `action`: the text of the button. `change`: makes the change; an error is shown,
 * and the dialog stays.
 */
export function confirmChange({ title, text, action, change, isDangerous = true }) {
  openDialog(title, (dialog) => {
    const cancel = h("button", { type: "button", onclick: () => dialog.close() }, texts.cancel);
    const accept = h("button", { class: isDangerous ? "danger" : "primary" }, action);
    return h("form", { onsubmit: (event) => submit(event, accept, change, () => dialog.close()) },
      h("p", {}, text), h("div", { class: "buttons" }, cancel, accept));
  });
}

/** Send a form of a dialog: its button waits meanwhile, and an error is shown above the last buttons. */
export async function submit(event, button, change, done) {
  event.preventDefault();
  const form = event.currentTarget;
  form.querySelector(".fault")?.remove();
  button.disabled = true;
  try {
    await change();
    done();
  } catch (error) {
    // A message outside of an open dialog is dark, out of reach, and not read by screen readers.
    if (form.isConnected && !isSilent(error)) form.lastElementChild.before(h("div", { class: "fault sentence", role: "alert" }, sentenceNodes(sentenceOf(error))));
    else complain(error);
  } finally {
    button.disabled = false;
  }
}
