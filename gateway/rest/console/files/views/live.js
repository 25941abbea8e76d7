// The view of the cameras: the last picture of each, with boxes and names as they come.

import { change, read, readPicture } from "../api.js";
import { h, put } from "../dom.js";
import { listen } from "../events.js";
import { facePicture } from "../faces.js";
import * as format from "../format.js";
import { complain, say } from "../messages.js";
import { commandBlock, emptyState, viewHead } from "../parts.js";
import { may } from "../session.js";
import { texts } from "../texts.js";

const MOST_TILES = 24;
const PICTURE_MS = 700;
const RATE_S = 10;

const COMMAND = ".venv/bin/python -m device_sim --cameras 2 --rate 1 --seconds 300 --quiet";

export const live = { name: "live", role: "viewer", show };

async function show(main, { query, signal }) {
  const search = query.get("search") ?? "";
  const tiles = new Map();
  const switchAll = h("div", { class: "notice", hidden: true });
  const grid = h("div", { class: "cameras" });
  const note = h("p", { class: "hint" });

  await load();
  listen(["reset", "camera", "present", "result"], receive, signal);

  async function load() {
    const { enabled, cameras } = await read("cameras", {}, signal);
    const found = cameras.filter((each) => each.camera.includes(search));
    const shown = new Map(found.slice(0, MOST_TILES).map((each) => [each.camera, each]));
    for (const name of [...tiles.keys()]) if (!shown.has(name)) tiles.delete(name);
    // A tile that is there already knows more than the list: the newest boxes.
    for (const [name, each] of shown) {
      if (tiles.has(name)) tiles.get(name).camera(each);
      else tiles.set(name, makeTile(each, signal));
    }
    put(grid, [...tiles.values()].map((tile) => tile.element));
    note.textContent = found.length > MOST_TILES ? texts.live.more(MOST_TILES, found.length) : "";
    drawSwitch(enabled);
    const empty = cameras.length === 0 && emptyState(texts.live.empty, texts.live.emptyText, commandBlock(COMMAND));
    put(main, viewHead(texts.views.live, cameras.length > MOST_TILES ? searchField(search) : null), switchAll, empty || grid, note);
  }

  function receive(kind, event) {
    if (kind === "reload" || kind === "reset") load().catch(complain);
    else if (kind === "camera" && event.camera === null) drawSwitch(event.enabled);
    else if (tiles.has(event.camera) && !event.forgotten) tiles.get(event.camera)[kind](event);
    else if (kind === "camera" && event.camera.includes(search)) load().catch(complain);
  }

  function drawSwitch(enabled) {
    switchAll.hidden = enabled;
    const on = h("button", { type: "button", onclick: () => turn("cameras/enable").then(load).catch(complain) }, texts.live.switchAllOn);
    put(switchAll, h("span", {}, texts.live.allOff), may("keeper") ? on : null);
  }
}

function searchField(search) {
  const input = h("input", { type: "search", value: search, "aria-label": texts.live.search, placeholder: texts.live.search });
  return h("form", { role: "search", onsubmit: (event) => {
    event.preventDefault();
    location.hash = `#/live?search=${encodeURIComponent(input.value)}`;
  } }, input);
}

function turn(path) {
  return change("POST", path);
}

/** Return the tile of a camera: `{element, camera(event), present(event), result(event)}`. */
function makeTile(first, signal) {
  const name = first.camera;
  const picture = facePicture(texts.live.picture(name));
  const state = h("span", { class: "chip" });
  const who = h("p", { class: "who", "aria-live": "polite" });
  const why = h("p", { class: "why" });
  const numbers = h("p", { class: "numbers" });
  const power = may("keeper") ? h("button", { type: "button", class: "quiet" }) : null;
  const element = h("article", { class: "camera" }, picture.figure,
    h("div", { class: "camera-head" }, h("h2", {}, name), state, power), who, why, numbers);
  const arrivals = [];
  let shownAt = 0;

  power?.addEventListener("click", async () => {
    try {
      const { enabled } = await turn(`cameras/${name}/${power.dataset.on ? "disable" : "enable"}`);
      say(enabled ? texts.live.isOn(name) : texts.live.isOff(name));
      drawState({ ...first, enabled });
    } catch (error) {
      complain(error);
    }
  });
  picture.image.addEventListener("load", () => URL.revokeObjectURL(picture.image.src));

  function drawState(camera) {
    Object.assign(first, camera);
    const word = !camera.enabled ? "off" : camera.connected ? "on" : "silent";
    state.textContent = texts.live.states[word];
    state.className = `chip ${word}`;
    if (power === null) return;
    power.textContent = camera.enabled ? texts.live.switchOff : texts.live.switchOn;
    power.setAttribute("aria-label", `${power.textContent}: ${name}`);
    power.toggleAttribute("data-on", camera.enabled);
  }

  function drawNumbers(rate, delay) {
    const parts = [texts.live.rate(rate), delay === null ? null : texts.live.delay(delay)];
    numbers.textContent = parts.filter(Boolean).join(" · ");
  }

  function drawPresent({ text, count }) {
    const words = count === 0 || text === "nobody" ? texts.live.nobody : text;
    if (who.textContent !== words) who.textContent = words;
  }

  /** Load the newest picture, at most one at a time, and draw the faces over it. */
  async function loadPicture(drawing) {
    if (Date.now() - shownAt < PICTURE_MS) return;
    shownAt = Date.now();
    const blob = await readPicture(`cameras/${name}/snapshot`, signal);
    element.classList.toggle("no-picture", blob === null);
    if (blob !== null) picture.image.src = URL.createObjectURL(blob);
    if (drawing) picture.draw(drawing.image, drawing.faces);
  }

  function drawResult(event) {
    arrivals.push(event.timestamp);
    while (arrivals[0] < event.timestamp - RATE_S) arrivals.shift();
    if (event.error) {
      why.textContent = `${texts.live.failed} ${event.detail}`;
      return;
    }
    loadPicture(event);
    const named = event.faces.some((face) => face.name);
    why.textContent = named || event.faces.length === 0 ? "" : reasonsOf(event);
    if (arrivals.length > 1) {
      drawNumbers((arrivals.length - 1) / Math.max(1, arrivals.at(-1) - arrivals[0]), event.timing_ms?.total ?? null);
    }
  }

  drawState(first);
  drawPresent({ text: first.present, count: 1 });
  drawNumbers(first.rate ?? 0, first.delay_ms ?? null);
  element.classList.add("no-picture");
  if (first.last_frame !== null) loadPicture(null);
  if (first.hint) why.textContent = texts.verdicts[first.hint] ?? first.hint;
  return { element, camera: drawState, present: drawPresent, result: drawResult };
}

/** Return why no face of a picture has a name. */
function reasonsOf(event) {
  const words = event.faces.map((face) => texts.reasons[face.verdict] ?? face.verdict);
  if (event.hint) words.push(texts.reasons[event.hint] ?? event.hint);
  return [...new Set(words)].join("; ");
}
