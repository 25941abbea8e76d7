// The view of the cameras: the last picture of each, with boxes and names as they come.

import { change, read } from "../api.js";
import { h, put } from "../dom.js";
import { listen } from "../events.js";
import { complain } from "../messages.js";
import { commandBlock, emptyState, viewHead } from "../parts.js";
import { may } from "../session.js";
import { texts } from "../texts.js";
import { makeTile } from "./camera_tile.js";

const MOST_TILES = 24;

export const live = { name: "live", role: "viewer", show };

async function show(main, { query, signal }) {
  const search = query.get("search") ?? "";
  const tiles = new Map();
  const switchAll = allSwitch(() => load().catch(complain));
  const empty = h("div", { hidden: true });
  const grid = h("div", { class: "cameras" });
  const note = h("p", { class: "hint" });
  const finder = searchField(search);

  await load();
  put(main, viewHead(texts.views.live, finder), switchAll, empty, grid, note);
  listen(["reset", "camera", "present", "result"], receive, signal);

  async function load() {
    const { enabled, cameras, known, found } = await read("cameras", { search, limit: MOST_TILES }, signal);
    const shown = new Map(cameras.map((each) => [each.camera, each]));
    for (const name of [...tiles.keys()]) if (!shown.has(name)) removeTile(name);
    // A tile that is there already knows more than the list: the newest boxes. It stays where it is, and so does the
    // focus on its button.
    for (const [name, each] of shown) {
      if (tiles.has(name)) tiles.get(name).camera(each);
      else addTile(name, each);
    }
    note.textContent = found > MOST_TILES ? texts.live.more(MOST_TILES, found) : "";
    finder.hidden = known <= MOST_TILES;
    empty.hidden = known > 0;
    if (known === 0) put(empty, noCamera((await read("health", {}, signal)).address));
    switchAll.hidden = enabled;
  }

  function addTile(name, camera) {
    const tile = makeTile(camera, signal);
    tiles.set(name, tile);
    grid.append(tile.element);
  }

  function removeTile(name) {
    tiles.get(name).element.remove();
    tiles.delete(name);
  }

  function receive(kind, event) {
    if (kind === "reload" || kind === "reset") load().catch(complain);
    else if (kind === "camera" && event.camera === null) switchAll.hidden = event.enabled;
    else if (tiles.has(event.camera) && !event.forgotten) tiles.get(event.camera)[kind](event);
    else if (kind === "camera" && event.camera.toLowerCase().includes(search.toLowerCase())) load().catch(complain);
  }
}

/** Return the notice that recognition is off for all cameras. */
function allSwitch(changed) {
  const on = h("button", { type: "button", onclick: () => turn("cameras/enable").then(changed).catch(complain) }, texts.live.switchAllOn);
  return h("div", { class: "notice", hidden: true }, h("span", {}, texts.live.allOff), may("keeper") ? on : null);
}

/** Return what to do without a camera. `address`: the broker of this gateway and the base of its topics. */
function noCamera({ host, port, base, tls }) {
  const text = texts.live.emptyText(`${base}/NAME/frame`, `${host}:${port}`);
  // The simulator has no encryption.
  if (tls) return emptyState(texts.live.empty, text);
  const command = `.venv/bin/python -m device_sim --host ${host} --port ${port} --base ${base} --cameras 2 --rate 1 --seconds 300 --quiet`;
  return emptyState(texts.live.empty, text, h("p", {}, texts.live.simulate), commandBlock(command));
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
