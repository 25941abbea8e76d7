// The export of all people to a file, and the import of such a file.

import { readFile, upload } from "../api.js";
import { sentenceNodes } from "../commands.js";
import { submit } from "../dialogs.js";
import { h, put } from "../dom.js";
import { complain } from "../messages.js";
import { field, viewHead, warningList, warningTexts } from "../parts.js";
import { may, session } from "../session.js";
import { texts } from "../texts.js";

const EXPORT_ROLE = "privacy";
const IMPORT_ROLE = "admin";
const FREE_AFTER_MS = 60_000;

/** Show the export and the import, each with the role that it needs. */
export function showArchive(main) {
  put(main, h("p", {}, h("a", { href: "#/people" }, texts.person.back)), viewHead(texts.archive.title),
    h("section", { class: "panel" }, h("h2", {}, texts.archive.export), h("p", {}, texts.archive.exportText),
      may(EXPORT_ROLE) ? h("div", { class: "buttons" }, exportButton("people/export", "people.zip")) : roleNeeded(EXPORT_ROLE)),
    h("section", { class: "panel" }, h("h2", {}, texts.archive.import), h("p", {}, texts.archive.importText),
      may(IMPORT_ROLE) ? importForm() : roleNeeded(IMPORT_ROLE)));
}

/** Return the button that downloads the archive of a route, if the caller may. */
export function exportButton(path, file) {
  if (!may(EXPORT_ROLE)) return null;
  const button = h("button", { type: "button", onclick: async () => {
    button.disabled = true;
    try {
      download(await readFile(path), file);
    } catch (error) {
      complain(error);
    }
    button.disabled = false;
  } }, texts.archive.download);
  return button;
}

function download(blob, file) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(url), FREE_AFTER_MS);
}

function importForm() {
  const archive = h("input", { type: "file", name: "archive", accept: ".zip,application/zip", required: true });
  const merge = h("input", { type: "checkbox", name: "merge" });
  const progress = h("progress", { max: "1", value: "0", hidden: true, "aria-label": texts.archive.sent });
  const result = h("div", { role: "status" });
  const accept = h("button", { class: "primary" }, texts.archive.send);
  const send = async () => {
    const form = new FormData();
    form.append("archive", archive.files[0]);
    form.append("merge", merge.checked);
    put(result);
    progress.hidden = false;
    try {
      const reply = await upload("people/import", form, (share) => {
        progress.value = share;
        put(result, share < 1 ? texts.archive.sends(Math.floor(100 * share)) : texts.archive.reads);
      });
      put(result, h("p", { class: "state good" }, texts.archive.imported(reply.people, reply.pictures)), warningList(warningTexts(reply)));
    } catch (error) {
      put(result);
      throw error;
    } finally {
      progress.hidden = true;
    }
  };
  return h("form", { class: "import", onsubmit: (event) => submit(event, accept, send, () => null) },
    field(texts.archive.file, archive), h("label", { class: "chosen" }, merge, texts.archive.merge), progress, result,
    h("div", { class: "buttons" }, accept));
}

function roleNeeded(role) {
  return h("p", { class: "hint" }, sentenceNodes(texts.archive.needs(role, session.role)));
}
