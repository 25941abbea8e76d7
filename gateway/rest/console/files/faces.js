// A picture with the boxes, names and landmarks of its faces.

import { h, put, s } from "./dom.js";
import { texts } from "./texts.js";

// The share of a picture's height that a name takes on a phone.
const NAME_SHARE = 0.1;
const MANY_POINTS = 100;

/** Return a picture with an empty drawing over it: `{figure, image, draw(size, faces)}`. */
export function facePicture(alternative) {
  const image = h("img", { alt: alternative });
  const drawing = s("svg", { class: "faces", "aria-hidden": "true" });
  const figure = h("div", { class: "face-picture" }, image, drawing);
  return { figure, image, draw: (size, faces) => drawFaces(drawing, size, faces) };
}

/** Return the name of a face, or why it has none. */
export function faceText(face) {
  if (face.name) return face.name;
  const candidates = face.candidates?.map((each) => each.name).join(texts.or);
  return candidates || (texts.verdicts[face.verdict] ?? face.verdict ?? texts.face);
}

function drawFaces(drawing, size, faces) {
  put(drawing, faces.map((face) => drawFace(face, size)));
}

/** Return the drawing of a face. Its places are shares of the picture, so that a name is as large on a phone. */
function drawFace(face, { width, height }) {
  const [left, top, right, bottom] = face.box;
  const across = (x) => percent(x, width);
  const down = (y) => percent(y, height);
  // A name begins at the left edge of its box, or ends at the right edge: so most of it is within the picture.
  const isLeft = left + right < width;
  const isAbove = top > height * NAME_SHARE;
  const isBelow = !isAbove && bottom < height * (1 - NAME_SHARE);
  const points = Object.values(face.landmarks ?? {}).flat();
  return s("g", { class: `face ${face.verdict ?? "found"}` },
    s("rect", { x: across(left), y: down(top), width: across(right - left), height: down(bottom - top), class: "box", rx: 4 }),
    s("text", {
      class: "name", x: across(Math.max(width / 100, Math.min(isLeft ? left : right, width * 0.99))), "text-anchor": isLeft ? "start" : "end",
      y: down(isAbove ? top : isBelow ? bottom : height), dy: isBelow ? "1.1em" : "-0.4em",
    }, faceText(face)),
    points.map(([x, y]) => s("circle", { cx: across(x), cy: down(y), r: points.length > MANY_POINTS ? 0.8 : 1.6 })),
  );
}

function percent(value, whole) {
  return `${((100 * value) / whole).toFixed(2)}%`;
}
