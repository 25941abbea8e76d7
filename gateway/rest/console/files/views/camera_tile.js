// The tile of one camera in the view of the cameras.

import { change, read, readPicture } from "../api.js";
import { h, put } from "../dom.js";
import { facePicture } from "../faces.js";
import * as format from "../format.js";
import { icon } from "../icons.js";
import { complain, say } from "../messages.js";
import { may } from "../session.js";
import { texts } from "../texts.js";

const PICTURE_MS = 700;
// Twice the width of a tile, for screens with two pixels in the place of one.
const PICTURE_WIDTH = 960;
const RATE_S = 10;
const MISSING_MS = 10000;
const REASONS = 4;

/** Return the tile of a camera: `{element, camera(event), present(event), result(event)}`. */
export function makeTile(first, signal) {
  const name = first.camera;
  const picture = facePicture(texts.live.picture(name));
  const state = h("span", { class: "chip" });
  const who = h("p", { class: "who", "aria-live": "polite" });
  const why = h("p", { class: "why" });
  const reasonList = h("ul");
  const reasons = h("details", { class: "reasons", hidden: true }, h("summary", {}, texts.live.reasons), reasonList);
  const numbers = h("p", { class: "numbers" });
  const power = may("keeper") ? h("button", { type: "button", class: "quiet" }) : null;
  const element = h("article", { class: "camera" }, picture.figure,
    h("div", { class: "camera-head" }, h("h2", {}, name), state, power), who, why, reasons, numbers);
  const arrivals = [];
  // By reason why nobody was named: the last time.
  const noted = new Map();
  let newest = null;
  let shownAt = 0;
  let timer;

  power?.addEventListener("click", async () => {
    try {
      const { enabled } = await change("POST", `cameras/${name}/${first.enabled ? "disable" : "enable"}`);
      say(enabled ? texts.live.isOn(name) : texts.live.isOff(name));
      drawState({ enabled });
    } catch (error) {
      complain(error);
    }
  });
  picture.image.addEventListener("load", () => URL.revokeObjectURL(picture.image.src));

  function drawState(camera) {
    Object.assign(first, camera);
    const word = !first.enabled ? "off" : first.connected ? "on" : "silent";
    state.textContent = texts.live.states[word];
    state.className = `chip ${word}`;
    if (power === null) return;
    power.textContent = first.enabled ? texts.live.switchOff : texts.live.switchOn;
    power.setAttribute("aria-label", `${power.textContent}: ${name}`);
  }

  function drawNumbers(rate, delay) {
    const parts = [rate > 0 ? texts.live.rate(rate) : null, delay === null ? null : texts.live.delay(delay)];
    numbers.textContent = parts.filter(Boolean).join(" · ");
  }

  function drawPresent({ text, count }) {
    const words = count === 0 || text === "nobody" ? texts.live.nobody : text;
    if (who.textContent !== words) who.textContent = words;
  }

  /** Load the newest picture now, or a moment after the one before, and draw the faces of the newest result over it. */
  function loadPicture() {
    timer ??= setTimeout(showPicture, Math.max(0, shownAt + PICTURE_MS - Date.now()));
  }

  async function showPicture() {
    timer = undefined;
    if (signal.aborted) return;
    shownAt = Date.now();
    const blob = await readPicture(`cameras/${name}/snapshot`, { width: PICTURE_WIDTH }, signal);
    element.classList.toggle("no-picture", blob === null);
    // No picture yet: ask again later than for a newer one.
    if (blob === null) shownAt = Date.now() + MISSING_MS - PICTURE_MS;
    if (blob !== null) picture.image.src = URL.createObjectURL(blob);
    if (newest !== null) picture.draw(newest.image, newest.faces);
  }

  async function loadReasons() {
    const camera = await read(`cameras/${name}`, {}, signal);
    for (const { reason, last } of camera.reasons) noted.set(reason, last);
    drawReasons();
  }

  function drawReasons() {
    const newestFirst = [...noted].sort(([, one], [, other]) => other - one).slice(0, REASONS);
    reasons.hidden = newestFirst.length === 0;
    put(reasonList, newestFirst.map(([reason, last]) => h("li", {}, h("time", {}, format.clock(last)), texts.reasons[reason] ?? reason)));
  }

  function drawResult(event) {
    arrivals.push(event.timestamp);
    while (arrivals[0] < event.timestamp - RATE_S) arrivals.shift();
    if (event.error) {
      // The picture of a camera that is off gets an error, too. The tile says already that it is off.
      why.textContent = first.enabled ? `${texts.live.failed} ${event.detail}` : "";
      return;
    }
    newest = event;
    loadPicture();
    const named = event.faces.some((face) => face.name);
    why.textContent = named || event.faces.length === 0 ? "" : reasonsOf(event);
    if (!named) noted.set(reasonOf(event), event.timestamp);
    drawReasons();
    if (arrivals.length > 1) {
      drawNumbers((arrivals.length - 1) / Math.max(1, arrivals.at(-1) - arrivals[0]), event.timing_ms?.total ?? null);
    }
  }

  drawState(first);
  drawPresent({ text: first.present, count: 1 });
  drawNumbers(first.rate ?? 0, first.delay_ms ?? null);
  picture.figure.append(icon("camera"));
  element.classList.add("no-picture");
  if (first.last_frame !== null) loadPicture();
  if (first.hint) why.textContent = texts.reasons[first.hint] ?? first.hint;
  // The tile is complete without them.
  loadReasons().catch(() => null);
  return { element, camera: drawState, present: drawPresent, result: drawResult };
}

/** Return the main reason why a picture named nobody. */
function reasonOf(event) {
  return event.hint ?? event.faces[0]?.verdict ?? "no_face";
}

/** Return why no face of a picture has a name. */
function reasonsOf(event) {
  const words = event.faces.map((face) => texts.reasons[face.verdict] ?? face.verdict);
  if (event.hint) words.push(texts.reasons[event.hint] ?? event.hint);
  return [...new Set(words)].join("; ");
}
