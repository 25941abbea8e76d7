// The view of the audit: the changes and the refusals, each with its caller.

import { read } from "../api.js";
import { h, put } from "../dom.js";
import * as format from "../format.js";
import { complain } from "../messages.js";
import { emptyState, viewHead } from "../parts.js";
import { texts } from "../texts.js";

const PAGE = 30;

export const audit = { name: "audit", role: "privacy", show };

async function show(main, { signal }) {
  // The lines before which the pages begin: the newest page begins at the end.
  const starts = [""];
  const list = h("ul", { class: "audit" });
  const pages = h("div", { class: "pages" });
  put(main, viewHead(texts.views.audit), h("p", { class: "hint" }, texts.audit.advice), list, pages);
  await load();

  async function load() {
    const page = await read("audit", { limit: PAGE, before: starts.at(-1) }, signal);
    put(list, page.audit.length === 0 ? h("li", { class: "wide" }, emptyState(texts.audit.empty, "")) : page.audit.map(auditLine));
    const turn = (move) => async () => { move(); await load().catch(complain); scrollTo(0, 0); };
    put(pages,
      starts.length > 1 ? h("button", { type: "button", onclick: turn(() => starts.pop()) }, texts.sightings.newer) : null,
      page.next ? h("button", { type: "button", onclick: turn(() => starts.push(page.next)) }, texts.sightings.older) : null);
  }
}

function auditLine(line) {
  const action = texts.audit.actions[line.action] ?? line.action.replaceAll("_", " ");
  const subject = [line.name ?? (line.person ? texts.audit.person(line.person) : null), line.pictures > 0 ? texts.people.pictures(line.pictures) : null, line.detail || null];
  const caller = texts.audit.caller(line.actor, line.door);
  return h("li", { class: line.outcome },
    h("time", { datetime: new Date(line.at * 1000).toISOString() }, format.moment(line.at)),
    h("div", {}, h("strong", {}, action, line.times > 1 ? texts.audit.times(line.times) : ""), h("small", {}, subject.filter(Boolean).join(" · "))),
    h("div", {}, h("span", {}, caller), h("small", {}, line.role)),
    h("span", { class: "chip" }, texts.audit.outcomes[line.outcome] ?? line.outcome));
}
