// The choice of one face in a picture with several, and the part of the picture that shows only this face.

import { ask, Problem } from "./api.js";
import { openDialog } from "./dialogs.js";
import { h } from "./dom.js";
import { texts } from "./texts.js";

const MARGIN = 0.6;
const COVER_MARGIN = 0.15;
const QUALITY = 0.95;
const SHOWN_PX = 160;

/** Let the user choose a face of a picture. Return a file that shows no other face, or null. Throw Problem. */
export async function chooseFace(file, signal) {
  const { faces, image } = await ask("detect", file, {}, signal);
  const bitmap = await createImageBitmap(file).catch(() => { throw new Problem(0, "not_shown", texts.add.notShown); });
  // The gateway may have made a large picture smaller before it looked for faces.
  const scale = bitmap.width / image.width;
  const boxes = faces.map(({ box }) => box.map((each) => each * scale));
  const parts = boxes.map((_, chosen) => showOnly(bitmap, boxes, chosen));
  bitmap.close();
  const chosen = await askWhich(parts);
  return chosen === null ? null : toFile(parts[chosen], file.name);
}

/** Return a canvas with one face and its surroundings. All other faces are covered. */
function showOnly(bitmap, boxes, chosen) {
  const [left, top, right, bottom] = grow(boxes[chosen], MARGIN, bitmap);
  const canvas = h("canvas", { width: Math.round(right - left), height: Math.round(bottom - top) });
  const pen = canvas.getContext("2d");
  pen.translate(-left, -top);
  pen.drawImage(bitmap, 0, 0);
  pen.fillStyle = "#808080";
  boxes.forEach((box, n) => { if (n !== chosen) pen.fillRect(...corner(grow(box, COVER_MARGIN, bitmap))); });
  // A face that overlaps another one must not lose a part.
  const own = corner(boxes[chosen]);
  pen.drawImage(bitmap, ...own, ...own);
  return canvas;
}

function grow([left, top, right, bottom], share, { width, height }) {
  const [x, y] = [(right - left) * share, (bottom - top) * share];
  return [Math.max(0, left - x), Math.max(0, top - y), Math.min(width, right + x), Math.min(height, bottom + y)];
}

function corner([left, top, right, bottom]) {
  return [left, top, right - left, bottom - top];
}

/** Return the number of the chosen part, or null if the dialog is closed without a choice. */
function askWhich(parts) {
  return new Promise((resolve) => {
    const dialog = openDialog(texts.add.whichFace, (opened) => [h("p", {}, texts.add.whichText),
      h("div", { class: "choices" }, parts.map((part, n) => h("button", {
        type: "button", "aria-label": texts.add.faceNumber(n + 1), onclick: () => { resolve(n); opened.close(); },
      }, small(part)))),
      h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => opened.close() }, texts.cancel))]);
    // After a choice this changes nothing: a promise has one result.
    dialog.addEventListener("close", () => resolve(null));
  });
}

function small(part) {
  const scale = Math.min(1, SHOWN_PX / Math.max(part.width, part.height));
  const canvas = h("canvas", { width: Math.ceil(part.width * scale), height: Math.ceil(part.height * scale) });
  canvas.getContext("2d").drawImage(part, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function toFile(canvas, name) {
  return new Promise((resolve) => {
    canvas.toBlob((blob) => resolve(new File([blob], name, { type: "image/jpeg" })), "image/jpeg", QUALITY);
  });
}
