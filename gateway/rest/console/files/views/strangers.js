// The view of people who are not enrolled, by their visits: name, join, ignore or forget them.

import { address, change, read } from "../api.js";
import { openDialog } from "../dialogs.js";
import { h, put } from "../dom.js";
import { listen } from "../events.js";
import * as format from "../format.js";
import { changeSoon, complain, say } from "../messages.js";
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
  // Groups with a change that waits are not shown, whatever the gateway still says.
  const hidden = new Set();
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
    const open = groups.filter((each) => !hidden.has(each.unknown) && !each.ignored);
    const silent = groups.filter((each) => !hidden.has(each.unknown) && each.ignored);
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
      later(id, texts.strangers.named(text), async (last) => {
        const reply = await change("POST", `unknowns/${id}/name`, { name: text }, { last });
        if (reply?.warnings?.length) say(warningTexts(reply).join(" "));
      });
    }

    function ignore() {
      later(id, texts.strangers.isIgnored, (last) => change("POST", `unknowns/${id}/ignore`, undefined, { last }));
    }

    function forget() {
      later(id, texts.strangers.forgotten, (last) => change("DELETE", `unknowns/${id}`, undefined, { last }));
    }

    function join() {
      openDialog(texts.strangers.joinTitle, (dialog) => {
        const others = groups.filter((each) => each.unknown !== id && !hidden.has(each.unknown)).slice(0, PAGE);
        const choices = others.map((each) => h("button", { type: "button", onclick: () => {
          dialog.close();
          later(id, texts.strangers.joined, (last) => change("POST", `unknowns/${id}/join`, { into: each.unknown }, { last }));
        } }, crop(each), texts.strangers.visits(each.seen)));
        return [h("p", {}, others.length > 0 ? texts.strangers.joinText : texts.strangers.noOther), h("div", { class: "choices" }, choices),
          h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, texts.cancel))];
      });
    }
  }

  function ignoredTile(group) {
    const back = h("button", { type: "button", onclick: async () => {
      try {
        await change("POST", `unknowns/${group.unknown}/unignore`);
        await load();
        draw();
      } catch (error) {
        complain(error);
      }
    }, "aria-label": `${texts.strangers.unignore}: ${texts.strangers.name(group.unknown)}` }, texts.strangers.unignore);
    return h("li", {}, crop(group), h("div", {}, h("strong", {}, texts.strangers.visits(group.seen)),
      h("small", {}, format.ago(group.last)), may("keeper") ? back : null));
  }

  /** Hide a group now and change it after the time for an undo. */
  function later(id, text, send) {
    hidden.add(id);
    draw();
    const show = () => { hidden.delete(id); draw(); };
    changeSoon(text, async (last) => {
      await send(last);
      if (last || signal.aborted) return;
      await load();
      show();
    }, show);
  }

  async function findPeople(search) {
    return (await read("people", { search: search.trim(), limit: 8 }, signal)).people;
  }
}

function crop(group) {
  return squarePicture(address(`api/v1/unknowns/${group.unknown}/crop`), texts.strangers.picture(group.unknown));
}
