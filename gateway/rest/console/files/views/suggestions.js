// Pairs of people who may be one person, each with the change that makes them one.

import { change, read } from "../api.js";
import { confirmChange } from "../dialogs.js";
import { h, put } from "../dom.js";
import { say } from "../messages.js";
import { portrait } from "../parts.js";
import { may } from "../session.js";
import { texts } from "../texts.js";

const MOST = 3;

/** Show the most similar pairs, if the caller may merge people. */
export async function showSuggestions(place, signal) {
  if (!may("keeper")) return;
  const { suggestions } = await read("people/suggestions", { limit: MOST }, signal);
  put(place, suggestions.map(suggestion));
}

function suggestion({ people: [one, other] }) {
  const row = h("div", { class: "notice suggestion" },
    portrait(one.person, one.shown), portrait(other.person, other.shown),
    h("p", {}, texts.people.onePerson(one.name, other.name)),
    h("div", { class: "buttons" }, mergeButton(other, one), mergeButton(one, other)));
  return row;

  function mergeButton(from, into) {
    return h("button", { type: "button", onclick: () => merge(from, into) }, texts.people.mergeInto(into.name));
  }

  function merge(from, into) {
    confirmChange({ title: texts.people.mergeTitle(from.name, into.name), text: texts.people.mergeText(into.name), action: texts.person.merge,
      isDangerous: false, change: async () => {
        await change("POST", `people/${from.person}/merge`, { into: into.person });
        row.remove();
        say(texts.people.merged(from.name, into.name));
      } });
  }
}
