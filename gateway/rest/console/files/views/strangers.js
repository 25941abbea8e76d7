// The view of people who are not enrolled, by their visits: name, join, ignore or forget them.

import { address, change, read } from "../api.js";
import { confirmChange, openDialog } from "../dialogs.js";
import { h, put } from "../dom.js";
import { listen } from "../events.js";
import * as format from "../format.js";
import { complain, say, sayUndoable } from "../messages.js";
import { emptyState, nameInput, squarePicture, viewHead, warningTexts } from "../parts.js";
import { may } from "../session.js";
import { texts } from "../texts.js";

const PAGE = 24;
const MOST = 1000;

export const strangers = { name: "strangers", role: "viewer", show };

async function show(main, { signal }) {
  const grid = h("ul", { class: "strangers" });
  const ignored = h("ul", { class: "strangers" });
  const ignoredPart = h("details", { class: "panel", hidden: true }, h("summary", {}, texts.strangers.ignored), ignored);
  const more = h("div", { class: "pages" });
  let groups = [];
  let shown = PAGE;

  put(main, viewHead(texts.views.strangers), h("p", { class: "hint" }, texts.strangers.advice), grid, more, ignoredPart);
  await load();
  listen(["unknowns"], () => load().catch(complain), signal);

  async function load() {
    const found = (await read("unknowns", { limit: MOST }, signal)).unknowns;
    groups = found.sort((one, other) => other.seen - one.seen || other.last - one.last);
    // A name that somebody is typing stays.
    if (!grid.contains(document.activeElement)) draw();
  }

  function draw() {
    const open = groups.filter((each) => !each.ignored);
    const silent = groups.filter((each) => each.ignored);
    const empty = h("li", { class: "wide" }, emptyState(texts.strangers.empty, texts.strangers.emptyText));
    put(grid, open.length === 0 ? empty : open.slice(0, shown).map(strangerTile));
    put(ignored, silent.slice(0, PAGE).map(ignoredTile));
    ignoredPart.hidden = silent.length === 0;
    const onward = h("button", { type: "button", onclick: () => { shown += PAGE; draw(); } }, texts.more);
    put(more, open.length > shown ? onward : null);
  }

  function strangerTile(group) {
    const id = group.unknown;
    const label = texts.strangers.name(id);
    const [input, names] = nameInput(findPeople, { placeholder: texts.strangers.who, "aria-label": label });
    const naming = h("form", { class: "naming", onsubmit: (event) => { event.preventDefault(); name(input.value.trim()); } },
      input, names, h("button", { class: "primary" }, texts.strangers.give));
    const tools = h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", onclick: join, "aria-label": `${texts.strangers.join}: ${label}` }, texts.strangers.join),
      h("button", { type: "button", class: "quiet", onclick: ignore, "aria-label": `${texts.strangers.ignore}: ${label}` }, texts.strangers.ignore),
      h("button", { type: "button", class: "quiet", onclick: forget, "aria-label": `${texts.strangers.forget}: ${label}` }, texts.strangers.forget));
    const element = h("li", {}, crop(group), h("div", {}, h("strong", {}, texts.strangers.visits(group.seen)),
      h("small", {}, texts.strangers.where(group.cameras.slice(-3).join(", "), format.ago(group.last))),
      may("keeper") ? [naming, tools] : null));
    return element;

    function name(text) {
      return apply(async () => {
        const reply = await change("POST", `unknowns/${id}/name`, { name: text });
        say([texts.strangers.named(text), ...warningTexts(reply)].join(" "));
      });
    }

    function ignore() {
      return apply(async () => {
        await change("POST", `unknowns/${id}/ignore`);
        sayUndoable(texts.strangers.isIgnored, () => unignore(id));
      });
    }

    function forget() {
      confirmChange({ title: texts.strangers.forgetTitle, text: texts.strangers.forgetText, action: texts.strangers.forget,
        change: async () => {
          await change("DELETE", `unknowns/${id}`);
          say(texts.strangers.forgotten);
          await reload();
        } });
    }

    function join() {
      openDialog(texts.strangers.joinTitle, (dialog) => {
        const others = groups.filter((each) => each.unknown !== id).slice(0, PAGE);
        const choices = others.map((each) => h("button", { type: "button", onclick: () => {
          dialog.close();
          joinWith(each.unknown);
        } }, crop(each), texts.strangers.visits(each.seen)));
        return [h("p", {}, others.length > 0 ? texts.strangers.joinText : texts.strangers.noOther), h("div", { class: "choices" }, choices),
          h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, texts.cancel))];
      });
    }

    function joinWith(into) {
      return apply(async () => {
        await change("POST", `unknowns/${id}/join`, { into });
        say(texts.strangers.joined);
      });
    }

    /** Make a change of this group while its buttons do nothing, and show the new list. */
    async function apply(makeChange) {
      element.inert = true;
      try {
        await makeChange();
        await reload();
      } catch (error) {
        element.inert = false;
        complain(error);
      }
    }
  }

  function ignoredTile(group) {
    const back = h("button", { type: "button", onclick: () => unignore(group.unknown).catch(complain), "aria-label": `${texts.strangers.unignore}: ${texts.strangers.name(group.unknown)}` }, texts.strangers.unignore);
    return h("li", {}, crop(group), h("div", {}, h("strong", {}, texts.strangers.visits(group.seen)),
      h("small", {}, format.ago(group.last)), may("keeper") ? back : null));
  }

  async function unignore(id) {
    await change("POST", `unknowns/${id}/unignore`);
    await reload();
  }

  /** Show the list after a change. The view may have been left meanwhile. */
  async function reload() {
    if (signal.aborted) return;
    await load();
    draw();
  }

  async function findPeople(search) {
    return (await read("people", { search: search.trim(), limit: 8 }, signal)).people;
  }
}

function crop(group) {
  return squarePicture(address(`api/v1/unknowns/${group.unknown}/crop`), texts.strangers.picture(group.unknown));
}
