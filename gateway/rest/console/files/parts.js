// Parts that several views use.

import { address, Problem, read } from "./api.js";
import { sentenceNodes } from "./commands.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { texts } from "./texts.js";

/** Return the head of a view: its title, which gets the focus, and its buttons. */
export function viewHead(title, ...buttons) {
  return h("div", { class: "view-head" }, h("h1", { tabindex: "-1" }, title), h("div", { class: "buttons" }, ...buttons));
}

/** Return a picture of a person, or a drawing if none is stored. `picture`: an id, or null. */
export function portrait(person, picture, alternative = "") {
  const path = `api/v1/people/${person}/pictures/${picture}/thumbnail`;
  return squarePicture(picture ? address(path) : null, alternative);
}

/** Return a square picture, or a drawing if there is none. */
export function squarePicture(source, alternative) {
  const place = h("span", { class: "portrait" });
  const drawing = () => place.replaceChildren(icon("person"));
  if (source === null) drawing();
  else place.append(h("img", { src: source, alt: alternative, loading: "lazy", decoding: "async", onerror: drawing }));
  return place;
}

/** Return a sentence for a view that has nothing to show yet, with what to do next. */
export function emptyState(title, text, ...next) {
  return h("div", { class: "empty" }, h("h2", {}, title), h("p", {}, text), ...next);
}

/** Return a command that a reader can copy. */
export function commandBlock(command) {
  const copy = h("button", { type: "button", class: "quiet", onclick: () => copyText(command, copy) }, texts.copy);
  // Without HTTPS a browser gives pages no clipboard.
  return h("div", { class: "command" }, h("pre", { tabindex: "0" }, h("code", {}, command)), navigator.clipboard ? copy : null);
}

async function copyText(text, button) {
  await navigator.clipboard.writeText(text);
  button.textContent = texts.copied;
}

/** Return the sentences of the warnings of a reply. */
export function warningTexts(reply) {
  return (reply?.warnings ?? []).map((each) => each.text);
}

/** Return sentences as a list, or nothing. */
export function warningList(warnings) {
  if (!warnings?.length) return null;
  return h("ul", { class: "warnings" }, warnings.map((each) => h("li", {}, icon("warning"), h("div", { class: "sentence" }, sentenceNodes(each)))));
}

/** Return a field with its label. */
export function field(label, input) {
  return h("label", { class: "field" }, h("span", {}, label), input);
}

/** Return a list to choose from. `choices`: pairs of value and text. */
export function choice(choices, chosen, attributes) {
  return h("select", attributes, choices.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
}

/** Return the person with exactly this name. Throw Problem. `except`: the id of a person to leave out. */
export async function personNamed(name, signal, except = null) {
  const search = name.trim();
  let after = null;
  do {
    // Many other names may contain this one, and stand before it.
    const page = await read("people", { search, after, limit: 1000 }, signal);
    const found = page.people.find((each) => each.name === search && each.person !== except);
    if (found) return found;
    after = page.next;
  } while (after !== null);
  throw new Problem(404, "unknown_person", texts.person.noSuchPerson(search));
}

let list = 0;

/** Return an input for the name of a person that proposes the enrolled people, and the list of the proposals. */
export function nameInput(search, attributes = {}) {
  const names = h("datalist", { id: `names-${(list += 1)}` });
  const input = h("input", {
    type: "text", required: true, maxlength: "100", autocomplete: "off", list: names.id, ...attributes,
    oninput: async () => {
      const found = await search(input.value).catch(() => []);
      names.replaceChildren(...found.map((each) => h("option", { value: each.name })));
    },
  });
  return [input, names];
}
