// The view that tries one picture, or compares two, and shows what the gateway answers.

import { address, ask } from "../api.js";
import { sentenceNodes } from "../commands.js";
import { h, put } from "../dom.js";
import { faceText, facePicture } from "../faces.js";
import * as format from "../format.js";
import { pictureIntake, takePasted } from "../intake.js";
import { complain } from "../messages.js";
import { choice, commandBlock, emptyState, field, viewHead, warningList, warningTexts } from "../parts.js";
import { texts } from "../texts.js";

export const tryIt = { name: "try", role: "client", show };

async function show(main, { query, signal }) {
  const isComparison = query.get("use") === "compare";
  const labels = isComparison ? texts.tryIt.places : [null];
  const pictures = labels.map(() => null);
  const names = labels.map(() => h("p", { class: "hint", role: "status" }));
  const result = h("div", { class: "result", "aria-live": "polite" });
  const points = choice(texts.tryIt.landmarks, "5", { onchange: () => run() });
  const places = h("div", { class: "pair" }, labels.map((label, place) => h("div", { class: "place" }, label ? h("h2", {}, label) : null,
    pictureIntake({ signal, label, many: false, pastes: false, take: (files) => takeAt(place, files) }), names[place])));
  put(main, viewHead(texts.views.try), useLinks(isComparison), h("p", { class: "hint" }, isComparison ? texts.tryIt.compareAdvice : texts.tryIt.advice),
    h("div", { class: "panel" }, places, h("div", { class: "filters" }, field(texts.tryIt.points, points))), result);
  // A pasted picture takes the first place that is free, or else the last one.
  takePasted((files) => takeAt(pictures.includes(null) ? pictures.indexOf(null) : pictures.length - 1, files), signal);

  /** Put a picture into a place, and further ones into the places behind it. */
  function takeAt(place, files) {
    for (const [n, file] of files.slice(0, pictures.length - place).entries()) {
      pictures[place + n] = file;
      names[place + n].textContent = texts.tryIt.chosen(file.name);
    }
    run();
  }

  async function run() {
    if (pictures.includes(null)) return;
    put(result, h("p", { class: "loading" }, texts.tryIt.works));
    try {
      put(result, ...await (isComparison ? match(pictures, points.value, signal) : recognise(pictures[0], points.value, signal)));
    } catch (error) {
      put(result, emptyState(texts.tryIt.failed, sentenceNodes(error.message)));
      if (!error.code) complain(error);
    }
  }
}

/** Return the links to the two uses of the view. */
function useLinks(isComparison) {
  const link = (href, text, isCurrent) => h("a", { class: "button", href, "aria-current": isCurrent ? "page" : null }, text);
  return h("div", { class: "uses" }, link("#/try", texts.tryIt.recognise, !isComparison), link("#/try?use=compare", texts.tryIt.compare, isComparison));
}

async function recognise(picture, landmarks, signal) {
  const query = landmarks === "0" ? {} : { landmarks };
  const reply = await ask("recognise", picture, query, signal);
  const drawn = facePicture(texts.tryIt.picture);
  showFaces(drawn, picture, reply.image, reply.faces);
  const faces = reply.faces.map((face) => h("li", {}, h("strong", {}, faceText(face)), scale(face.score, reply.threshold), qualityText(face)));
  return [
    h("h2", {}, reply.faces.length === 0 ? texts.tryIt.nobody : texts.tryIt.faces(reply.faces.length)),
    h("div", { class: "pair" }, drawn.figure), h("ul", { class: "found" }, faces), warningList(warningTexts(reply)),
    ...exchange(`curl --data-binary @picture.jpg '${address("api/v1/recognise", query)}'`, reply),
  ];
}

async function match(pictures, landmarks, signal) {
  const form = new FormData();
  pictures.forEach((picture, n) => form.append(`image${n + 1}`, picture));
  const query = landmarks === "0" ? {} : { landmarks };
  const reply = await ask("match", form, query, signal);
  const drawn = await Promise.all(pictures.map(async (picture, n) => {
    const each = facePicture(texts.tryIt.picture);
    showFaces(each, picture, await sizeOf(picture), reply.faces.slice(n, n + 1));
    return each.figure;
  }));
  const command = `curl -F image1=@first.jpg -F image2=@second.jpg '${address("api/v1/match", query)}'`;
  return [
    h("h2", {}, reply.match ? texts.tryIt.same : texts.tryIt.different), h("div", { class: "pair" }, drawn),
    h("div", { class: "found" }, scale(reply.score, reply.threshold)), warningList(warningTexts(reply)), ...exchange(command, reply),
  ];
}

function showFaces(drawn, picture, size, faces) {
  const source = URL.createObjectURL(picture);
  drawn.image.addEventListener("load", () => URL.revokeObjectURL(source));
  drawn.image.src = source;
  drawn.draw(size, faces);
}

/** Return the size of a picture after it was turned upright, as the boxes are. */
async function sizeOf(picture) {
  const bitmap = await createImageBitmap(picture);
  const { width, height } = bitmap;
  bitmap.close();
  return { width, height };
}

/** Return a score on its scale, with the threshold and the meaning. */
function scale(score, threshold) {
  if (score === null || score === undefined) return null;
  const rate = Math.round(10 ** (6 * Math.min(score, 1)));
  return h("div", { class: "scale" },
    h("meter", { min: 0, max: 1, low: threshold, high: threshold, optimum: 1, value: score, "aria-label": texts.tryIt.score }),
    h("small", {}, texts.tryIt.scoreText(format.score(score), format.score(threshold), score >= threshold)),
    h("small", {}, texts.tryIt.meaning(format.count(rate))));
}

function qualityText({ quality }) {
  if (!quality) return null;
  return h("small", {}, texts.tryIt.quality(quality));
}

/** Return the request as a command, and the answer. Only the pictures in it are left out. */
function exchange(command, reply) {
  const text = JSON.stringify(reply, (name, value) => (name === "annotated" ? undefined : value), 1);
  return [
    h("details", { class: "panel" }, h("summary", {}, texts.tryIt.request), commandBlock(command)),
    h("details", { class: "panel" }, h("summary", {}, texts.tryIt.response), h("pre", { tabindex: "0" }, text)),
  ];
}
