// The view of the enrolled people: one page of the list at a time, however many there are.

import { read } from "../api.js";
import { h, put } from "../dom.js";
import { listen } from "../events.js";
import { icon } from "../icons.js";
import { complain } from "../messages.js";
import { emptyState, portrait, viewHead } from "../parts.js";
import { may } from "../session.js";
import { texts } from "../texts.js";
import { showAdd } from "./add_person.js";
import { showArchive } from "./archive.js";
import { showPerson } from "./person.js";
import { showSuggestions } from "./suggestions.js";

const PAGE = 24;
const TYPING_MS = 250;
// A link of another site may have any text there, which must not lead to another route.
const ID = /^[a-z0-9_]{1,53}$/;

export const people = { name: "people", role: "viewer", show };

function show(main, place) {
  const [id = ""] = place.rest;
  if (id === "add-person" && may("keeper")) return showAdd(main, place);
  if (id === "export-import") return showArchive(main);
  return ID.test(id) ? showPerson(main, id, place) : showList(main, place);
}

async function showList(main, { query, signal }) {
  // The ids after which the pages before this one began: the list has no way back of its own.
  let starts = [""];
  let search = query.get("search") ?? "";
  let timer;
  const grid = h("ul", { class: "people" });
  const pages = h("div", { class: "pages" });
  const total = h("p", { class: "hint", role: "status" });
  const suggestions = h("div");
  const input = h("input", {
    type: "search", value: search, "aria-label": texts.people.search, placeholder: texts.people.search,
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => { search = input.value.trim(); starts = [""]; load().catch(complain); }, TYPING_MS);
    },
  });
  const add = h("a", { class: "button primary", href: "#/people/add-person" }, icon("add"), texts.people.add);

  const archive = h("a", { class: "button", href: "#/people/export-import" }, texts.archive.title);
  put(main, viewHead(texts.views.people, input, archive, may("keeper") ? add : null), suggestions, total, grid, pages);
  await load();
  showSuggestions(suggestions, signal).catch(complain);
  listen(["people"], () => load().catch(complain), signal);

  async function load() {
    const page = await read("people", { limit: PAGE, after: starts.at(-1), search }, signal);
    const count = page.found ?? page.known;
    total.textContent = page.known === 0 ? "" : texts.people.count(count, search);
    put(grid, page.people.map(personTile));
    drawPages(page.next);
    if (page.known === 0) put(grid, h("li", { class: "wide" }, noPeople()));
  }

  function drawPages(next) {
    const turn = (change) => async () => { change(); await load().catch(complain); scrollTo(0, 0); };
    const back = h("button", { type: "button", onclick: turn(() => starts.pop()) }, texts.previous);
    const onward = h("button", { type: "button", onclick: turn(() => starts.push(next)) }, texts.next);
    put(pages, starts.length > 1 ? back : null, next ? onward : null);
  }
}

function personTile(person) {
  return h("li", {}, h("a", { href: `#/people/${person.person}` },
    portrait(person.person, person.shown), h("strong", {}, person.name),
    h("small", {}, texts.people.pictures(person.pictures.length))));
}

function noPeople() {
  const add = h("a", { class: "button primary", href: "#/people/add-person" }, icon("add"), texts.people.addFirst);
  return emptyState(texts.people.empty, texts.people.emptyText, may("keeper") ? add : null);
}
