// A picture with the boxes, names and landmarks of its faces.

import { h, put, s } from "./dom.js";
import { texts } from "./texts.js";

/** Return a picture with an empty drawing over it: `{figure, image, draw(size, faces)}`. */
export function facePicture(alternative) {
  const image = h("img", { alt: alternative });
  const drawing = s("svg", { class: "faces", "aria-hidden": "true", preserveAspectRatio: "none" });
  const figure = h("div", { class: "face-picture" }, image, drawing);
  return { figure, image, draw: (size, faces) => drawFaces(drawing, size, faces) };
}

/** Return the name of a face, or why it has none. */
export function faceText(face) {
  if (face.name) return face.name;
  const candidates = face.candidates?.map((each) => each.name).join(texts.or);
  return candidates || (texts.verdicts[face.verdict] ?? face.verdict ?? texts.face);
}

function drawFaces(drawing, { width, height }, faces) {
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  put(drawing, faces.map((face) => drawFace(face, width, height)));
}

function drawFace(face, width, height) {
  const [left, top, right, bottom] = face.box;
  const size = Math.max(height, width * 0.7) / 22;
  const text = faceText(face);
  const wide = text.length * size * 0.66 + size;
  const x = Math.max(0, Math.min(left, width - wide));
  const above = top > size * 1.6 ? top - size * 1.5 : Math.min(bottom, height - size * 1.5);
  return s("g", { class: `face ${face.verdict ?? "found"}` },
    s("rect", { x: left, y: top, width: right - left, height: bottom - top, class: "box", rx: size / 4 }),
    s("rect", { x, y: above, width: wide, height: size * 1.5, class: "plate", rx: size / 4 }),
    s("text", { x: x + size / 2, y: above + size * 1.1, "font-size": size }, text),
    Object.values(face.landmarks ?? {}).flat().map(([cx, cy]) => s("circle", { cx, cy, r: Math.max(1, (right - left) / 90) })),
  );
}
