// The form that adds a person, or pictures to a person, and says for each picture what became of it.

import { change, read } from "../api.js";
import { chooseFace } from "../choose_face.js";
import { sentenceNodes } from "../commands.js";
import { h, put } from "../dom.js";
import { icon } from "../icons.js";
import { pictureIntake } from "../intake.js";
import { complain, sentenceOf } from "../messages.js";
import { field, nameInput, viewHead, warningList, warningTexts } from "../parts.js";
import { texts } from "../texts.js";

/** Show the form for a new person. */
export async function showAdd(main, { signal }) {
  const [input, names] = nameInput(async (search) => (await read("people", { search, limit: 8 }, signal)).people);
  const done = h("div", { class: "buttons" });
  const enrolment = pictureEnrolment({
    signal,
    pathAndFields: (person) => {
      if (person !== null) return [`people/${person}/pictures`, {}];
      return input.reportValidity() ? ["people", { name: input.value.trim() }] : null;
    },
    changed: (person) => {
      // One person at a time: further pictures are of the same one.
      input.readOnly = true;
      put(done, h("a", { class: "button primary", href: `#/people/${person}` }, texts.add.show),
        h("button", { type: "button", onclick: () => showAdd(main, { signal }) }, texts.add.another));
    },
  });
  put(main, viewHead(texts.add.title), h("p", { class: "hint" }, texts.add.advice),
    h("div", { class: "panel" }, field(texts.add.name, input), names, enrolment), done);
  input.focus();
}

/**
 * Return an intake whose pictures are enrolled one after another.
 *
 * `pathAndFields`: gets the id of the person, null before the first picture, and returns the route and the further
 * fields, or null to wait. `changed`: gets the id after each enrolled picture.
 */
export function pictureEnrolment({ pathAndFields, changed, signal, person = null }) {
  const list = h("ul", { class: "taken", "aria-live": "polite" });
  const warnings = h("div");
  const button = h("button", { type: "button", class: "primary", hidden: true, onclick: () => enrolAll() }, texts.add.enrol);
  const waiting = [];
  const intake = pictureIntake({ signal, take: (files) => { for (const file of files) addFile(file); enrolAll(); } });
  let isBusy = false;
  return h("div", {}, intake, list, warnings, button);

  function addFile(file) {
    const source = URL.createObjectURL(file);
    const image = h("img", { src: source, alt: "", onload: () => URL.revokeObjectURL(source), onerror: () => image.remove() });
    const state = h("span", { class: "state" }, texts.add.waits);
    list.append(h("li", {}, image, h("span", { class: "file" }, file.name), state));
    waiting.push({ file, state });
  }

  async function enrolAll() {
    if (isBusy) return;
    isBusy = true;
    while (waiting.length > 0) {
      const target = pathAndFields(person);
      if (target === null) break;
      await enrolOne(waiting.shift(), target);
    }
    isBusy = false;
    button.hidden = waiting.length === 0;
  }

  async function enrolOne({ file, state }, [path, fields]) {
    state.textContent = texts.add.checks;
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("images", file);
    try {
      const reply = await change("POST", path, form);
      person = reply.person;
      const already = reply.results?.[0]?.status === "already";
      put(state, icon("ok"), already ? texts.add.already : texts.add.added);
      state.className = "state good";
      put(warnings, warningList(warningTexts(reply)));
      changed(person);
    } catch (error) {
      const choose = error.code === "multiple_faces" ? h("button", { type: "button", onclick: () => chooseOne(file, state) }, texts.add.choose) : null;
      put(state, icon("warning"), h("span", { class: "sentence" }, sentenceNodes(sentenceOf(error))), choose);
      state.className = "state bad";
    }
  }

  /** Let the user choose a face of a picture with several, and enrol it. */
  async function chooseOne(file, state) {
    try {
      const part = await chooseFace(file, signal);
      if (part === null) return;
      waiting.push({ file: part, state });
      state.className = "state";
      enrolAll();
    } catch (error) {
      complain(error);
    }
  }
}
