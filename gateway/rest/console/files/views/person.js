// The view of one person: pictures, name, how well the person is told apart, and the changes.

import { change, read } from "../api.js";
import { confirmChange, openDialog, submit } from "../dialogs.js";
import { h, put } from "../dom.js";
import * as format from "../format.js";
import { complain, say } from "../messages.js";
import { field, nameInput, personNamed, portrait, viewHead, warningList, warningTexts } from "../parts.js";
import { may } from "../session.js";
import { texts } from "../texts.js";
import { pictureEnrolment } from "./add_person.js";
import { exportButton } from "./archive.js";

/** Show a person. */
export async function showPerson(main, id, { signal }) {
  const chosen = new Set();
  let person;
  const head = h("div");
  const gallery = h("ul", { class: "gallery" });
  const apart = h("div");
  const chosenBar = h("div", { class: "buttons", hidden: true });
  const adding = may("keeper") ? h("details", { class: "panel" }, h("summary", {}, texts.person.addPictures), pictureEnrolment({
    signal, person: id, pathAndFields: () => [`people/${id}/pictures`, {}], changed: () => load().catch(complain),
  })) : null;
  await load();
  put(main, head, apart, gallery, chosenBar, adding, ...dangerZone());

  async function load() {
    person = await read(`people/${id}`, {}, signal);
    drawHead();
    drawApart();
    drawGallery();
  }

  function drawHead() {
    const seen = h("a", { class: "button", href: `#/sightings?person=${id}` }, texts.person.sightings);
    const actions = may("keeper") ? [
      h("button", { type: "button", onclick: rename }, texts.person.rename),
      h("button", { type: "button", onclick: merge }, texts.person.merge)] : [];
    const file = exportButton(`people/${id}/export`, `${id}.zip`);
    put(head, h("p", {}, h("a", { href: "#/people" }, texts.person.back)), viewHead(person.name, seen, file, ...actions));
  }

  function drawApart() {
    const { closest, threshold } = person;
    const sentence = closest ? texts.person.closest(closest.name, format.score(closest.score), format.score(threshold)) : null;
    put(apart, sentence ? h("p", { class: "hint" }, sentence) : null, warningList(warningTexts(person)));
  }

  function drawGallery() {
    put(gallery, person.pictures.map(pictureTile));
    drawChosen();
  }

  function pictureTile(picture) {
    const isShown = picture.id === person.shown;
    const name = texts.person.picture(picture.source, format.day(picture.added));
    const mark = h("input", { type: "checkbox", "aria-label": texts.person.choose(name), onchange: () => {
      chosen[mark.checked ? "add" : "delete"](picture.id);
      drawChosen();
    } });
    const tools = may("keeper") ? h("div", { class: "tools" },
      picture.counter || isShown ? null : h("button", { type: "button", class: "quiet", onclick: () => feature(picture), "aria-label": `${texts.person.feature}: ${name}` }, texts.person.feature),
      h("button", { type: "button", class: "quiet", onclick: () => removePicture(picture), "aria-label": `${texts.person.removePicture}: ${name}` }, texts.person.removePicture)) : null;
    return h("li", { class: isShown ? "shown" : null },
      may("keeper") ? h("label", {}, mark, portrait(id, picture.id, name)) : portrait(id, picture.id, name),
      h("small", {}, picture.counter ? texts.person.counter : isShown ? texts.person.shown : sourceText(picture)), tools);
  }

  function drawChosen() {
    for (const each of chosen) if (!person.pictures.some((picture) => picture.id === each)) chosen.delete(each);
    chosenBar.hidden = chosen.size === 0;
    put(chosenBar, h("button", { type: "button", onclick: split }, texts.person.split(chosen.size)));
  }

  async function feature(picture) {
    try {
      person = { ...person, ...await change("POST", `people/${id}/pictures/${picture.id}/feature`) };
      drawGallery();
      say(texts.person.featured);
    } catch (error) {
      complain(error);
    }
  }

  function removePicture(picture) {
    confirmChange({ title: texts.person.removePictureTitle, text: texts.person.removePictureText, action: texts.person.removePicture,
      change: async () => {
        const left = await change("DELETE", `people/${id}/pictures/${picture.id}`);
        say(texts.person.pictureRemoved);
        // The last picture takes the person along.
        if (left.pictures.length === 0) location.hash = "#/people";
        else await load();
      } });
  }

  function rename() {
    openDialog(texts.person.rename, (dialog) => {
      const input = h("input", { type: "text", value: person.name, required: true, maxlength: "100" });
      return changeForm(dialog, texts.person.rename, [field(texts.add.name, input)], async () => {
        await change("PATCH", `people/${id}`, { name: input.value.trim() });
        await load();
        say(texts.person.renamed(person.name));
      });
    });
  }

  function merge() {
    openDialog(texts.person.mergeTitle(person.name), (dialog) => {
      const [input, names] = nameInput(findOthers);
      return changeForm(dialog, texts.person.merge, [h("p", {}, texts.person.mergeText), field(texts.person.other, input), names],
        async () => {
          const into = await personNamed(input.value, signal, id);
          await change("POST", `people/${id}/merge`, { into: into.person });
          location.hash = `#/people/${into.person}`;
        });
    });
  }

  async function findOthers(search) {
    const found = await read("people", { search: search.trim(), limit: 8 }, signal);
    return found.people.filter((each) => each.person !== id);
  }

  function split() {
    openDialog(texts.person.splitTitle(chosen.size), (dialog) => {
      const [input, names] = nameInput(findOthers);
      return changeForm(dialog, texts.person.splitAction, [h("p", {}, texts.person.splitText), field(texts.add.name, input), names],
        async () => {
          const other = await change("POST", `people/${id}/split`, { pictures: [...chosen], name: input.value.trim() });
          chosen.clear();
          say(texts.person.splitDone(other.name));
          await load();
        });
    });
  }

  function dangerZone() {
    const remove = h("button", { type: "button", class: "danger", onclick: () => confirmChange({
      title: texts.person.removeTitle(person.name), text: texts.person.removeText, action: texts.person.remove,
      change: async () => { await change("DELETE", `people/${id}`); leave(texts.person.removed(person.name)); },
    }) }, texts.person.remove);
    const erase = h("button", { type: "button", class: "danger", onclick: () => confirmChange({
      title: texts.person.eraseTitle(person.name), text: texts.person.eraseText, action: texts.person.erase,
      change: async () => {
        const reply = await change("POST", `people/${id}/erase`);
        leave([texts.person.erased(person.name), ...warningTexts(reply)].join(" "));
      },
    }) }, texts.person.erase);
    if (!may("keeper")) return [];
    return [h("section", { class: "danger-zone" }, h("h2", {}, texts.person.end), h("div", { class: "buttons" }, remove, may("privacy") ? erase : null))];
  }

  function leave(sentence) {
    say(sentence);
    location.hash = "#/people";
  }
}

function sourceText(picture) {
  return `${picture.source} · ${format.day(picture.added)}`;
}

function changeForm(dialog, action, fields, send) {
  const accept = h("button", { class: "primary" }, action);
  return h("form", { onsubmit: (event) => submit(event, accept, send, () => dialog.close()) }, ...fields,
    h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, texts.cancel), accept));
}
