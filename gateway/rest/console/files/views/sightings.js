// The view of the history: who was on which camera, with corrections.

import { address, change, read } from "../api.js";
import { openDialog, submit } from "../dialogs.js";
import { h, put } from "../dom.js";
import { listen } from "../events.js";
import * as format from "../format.js";
import { complain, say, sayUndoable } from "../messages.js";
import { choice, emptyState, field, nameInput, personNamed, squarePicture, viewHead, warningTexts } from "../parts.js";
import { may } from "../session.js";
import { texts } from "../texts.js";

const PAGE = 30;
const MOST_CAMERAS = 1000;
const FILTERS = ["camera", "outcome", "person", "unknown", "since"];

export const sightings = { name: "sightings", role: "viewer", show };

async function show(main, { query, signal }) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const list = h("ul", { class: "sightings" });
  const pages = h("div", { class: "pages" });
  const news = h("div");
  let starts = [""];

  const [{ cameras }, person] = await Promise.all([read("cameras", { limit: MOST_CAMERAS }, signal), personOf(filters.person, signal)]);
  put(main, viewHead(texts.views.sightings), filterForm(filters, cameras, person), news, list, pages);
  await load();
  listen(["sighting", "reset"], receive, signal);

  async function load() {
    const page = await read("sightings", { ...filters, since: sinceMidnight(filters.since), limit: PAGE, before: starts.at(-1) }, signal);
    const isFiltered = FILTERS.some((name) => filters[name]);
    const empty = h("li", { class: "wide" }, emptyState(texts.sightings.empty, isFiltered ? texts.sightings.emptyFiltered : texts.sightings.emptyText));
    put(list, page.sightings.length === 0 ? empty : page.sightings.map(sightingTile));
    put(news);
    drawPages(page.next);
  }

  function receive(kind, event) {
    // A new stream begins with this event. The list was read a moment ago.
    if (kind === "reset" && event.reason === "new") return;
    // The list does not move under the reader's finger.
    const first = starts.length === 1;
    if (first && list.querySelector("article") === null) load().catch(complain);
    else if (first) put(news, h("button", { type: "button", onclick: () => load().catch(complain) }, texts.sightings.news));
  }

  function drawPages(next) {
    const turn = (move) => async () => { move(); await load().catch(complain); scrollTo(0, 0); };
    put(pages,
      starts.length > 1 ? h("button", { type: "button", onclick: turn(() => starts.pop()) }, texts.sightings.newer) : null,
      next ? h("button", { type: "button", onclick: turn(() => starts.push(next)) }, texts.sightings.older) : null);
  }

  function sightingTile(sighting) {
    const who = nameOf(sighting);
    const label = `${who}, ${sighting.camera}, ${format.moment(sighting.since)}`;
    const score = sighting.score === null ? null : texts.sightings.score(format.score(sighting.score), format.score(sighting.threshold));
    const details = [sighting.camera, format.moment(sighting.since), format.duration(sighting.duration)].join(" · ");
    return h("li", {}, h("article", {}, squarePicture(address(sighting.snapshot.slice(1)), texts.sightings.picture(label)),
      h("div", { class: "about" },
        sighting.person ? h("a", { href: `#/people/${sighting.person}` }, h("strong", {}, who)) : h("strong", {}, who),
        h("small", {}, details), h("small", {}, score)),
      may("keeper") ? corrections(sighting, label) : null));
  }

  function corrections(sighting, label) {
    const button = (text, onclick) => h("button", { type: "button", class: "quiet", "aria-label": `${text}: ${label}`, onclick }, text);
    if (sighting.outcome === "named") {
      return h("div", { class: "buttons" },
        button(texts.sightings.notThem, () => notThem(sighting)),
        button(texts.sightings.confirm, () => confirmPerson(sighting, null)));
    }
    return h("div", { class: "buttons" }, button(texts.sightings.who, () => askWho(sighting)));
  }

  async function notThem(sighting) {
    try {
      await change("POST", `sightings/${sighting.sighting}/not_them`, {});
      sayUndoable(texts.sightings.isNotThem(sighting.name), async () => {
        await change("POST", `sightings/${sighting.sighting}/confirm`, { person: sighting.person });
        if (!signal.aborted) await load();
      });
      await load();
    } catch (error) {
      complain(error);
    }
  }

  async function confirmPerson(sighting, person) {
    try {
      const reply = await change("POST", `sightings/${sighting.sighting}/confirm`, person ? { person } : {});
      say([texts.sightings.confirmed, ...warningTexts(reply)].join(" "));
      await load();
    } catch (error) {
      complain(error);
    }
  }

  function askWho(sighting) {
    openDialog(texts.sightings.whoTitle, (dialog) => {
      const [input, names] = nameInput(findPeople);
      const accept = h("button", { class: "primary" }, texts.sightings.confirm);
      const send = async () => {
        const person = await personNamed(input.value, signal);
        await confirmPerson(sighting, person.person);
      };
      const likely = (sighting.candidates ?? []).map((each) => h("button", { type: "button", onclick: () => { input.value = each.name; } }, each.name));
      return h("form", { onsubmit: (event) => submit(event, accept, send, () => dialog.close()) },
        field(texts.add.name, input), names, h("div", { class: "buttons" }, likely),
        h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, texts.cancel), accept));
    });
  }

  async function findPeople(search) {
    return (await read("people", { search: search.trim(), limit: 8 }, signal)).people;
  }
}

function filterForm(filters, cameras, person) {
  const anyOutcome = ["", texts.sightings.anyOutcome];
  const outcomes = [anyOutcome, ...Object.entries(texts.outcomes)];
  const places = [["", texts.sightings.anyCamera], ...cameras.map((each) => [each.camera, each.camera])];
  const apply = (event) => {
    event.preventDefault();
    const chosen = [...new FormData(form)].filter(([, value]) => value !== "");
    location.hash = `#/sightings?${new URLSearchParams(chosen)}`;
  };
  const form = h("form", { class: "filters", onsubmit: apply, onchange: apply },
    field(texts.sightings.camera, choice(places, filters.camera, { name: "camera" })),
    field(texts.sightings.outcome, choice(outcomes, filters.outcome, { name: "outcome" })),
    field(texts.sightings.since, h("input", { type: "date", name: "since", value: filters.since })),
    person ? h("label", { class: "chosen" }, h("input", { type: "checkbox", name: "person", value: filters.person, checked: true }), person.name) : null,
    h("button", { class: "unseen" }, texts.sightings.apply));
  return form;
}

async function personOf(id, signal) {
  return id ? read(`people/${id}`, {}, signal) : null;
}

function nameOf(sighting) {
  if (sighting.name) return sighting.name;
  const candidates = sighting.candidates?.map((each) => each.name).join(texts.or);
  return candidates ? texts.sightings.either(candidates) : texts.outcomes[sighting.outcome];
}

function sinceMidnight(date) {
  return date ? new Date(`${date}T00:00`).getTime() / 1000 : "";
}
