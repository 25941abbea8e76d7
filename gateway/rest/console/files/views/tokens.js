// The view of the tokens, with which programs and browsers log in.

import { change, read } from "../api.js";
import { confirmChange, openDialog, submit } from "../dialogs.js";
import { h, put } from "../dom.js";
import * as format from "../format.js";
import { choice, commandBlock, emptyState, field, viewHead } from "../parts.js";
import { texts } from "../texts.js";

const ROLES = ["client", "viewer", "keeper", "privacy", "admin"];

export const tokens = { name: "tokens", role: "admin", show };

async function show(main, { signal }) {
  const list = h("ul", { class: "tokens" });
  const add = h("button", { type: "button", class: "primary", onclick: addToken }, texts.tokens.add);
  put(main, viewHead(texts.views.tokens, add), h("p", { class: "hint" }, texts.tokens.advice), list);
  await load();

  async function load() {
    const found = (await read("tokens", {}, signal)).tokens;
    put(list, found.length === 0 ? h("li", { class: "wide" }, emptyState(texts.tokens.empty, texts.tokens.emptyText)) : found.map(tokenTile));
  }

  function tokenTile(token) {
    const times = [texts.tokens.made(format.day(token.created)),
      token.last_used ? texts.tokens.used(format.ago(token.last_used)) : texts.tokens.neverUsed,
      token.expires ? texts.tokens.expires(format.day(token.expires)) : texts.tokens.neverExpires];
    return h("li", {}, h("div", { class: "about" }, h("strong", {}, token.name), h("span", { class: "chip" }, token.role),
      h("small", {}, times.join(" · "))), h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", "aria-label": `${texts.tokens.rotate}: ${token.name}`, onclick: () => rotate(token) }, texts.tokens.rotate),
      h("button", { type: "button", class: "quiet", "aria-label": `${texts.tokens.revoke}: ${token.name}`, onclick: () => revoke(token) }, texts.tokens.revoke)));
  }

  function addToken() {
    openDialog(texts.tokens.add, (dialog) => {
      const name = h("input", { type: "text", required: true, maxlength: "64", pattern: "[A-Za-z0-9_.\\-]+",
        title: texts.tokens.nameRule, autocomplete: "off" });
      const role = choice(ROLES.map((each) => [each, `${each}: ${texts.roles[each]}`]), "viewer", {});
      const days = h("input", { type: "number", min: "1", max: "3650", inputmode: "numeric" });
      const accept = h("button", { class: "primary" }, texts.tokens.make);
      const send = async () => {
        const fields = { name: name.value, role: role.value, ...(days.value ? { days: Number(days.value) } : {}) };
        showSecret(await change("POST", "tokens", fields));
        await load();
      };
      return h("form", { onsubmit: (event) => submit(event, accept, send, () => dialog.close()) },
        field(texts.tokens.name, name), field(texts.tokens.role, role), field(texts.tokens.days, days),
        h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, texts.cancel), accept));
    });
  }

  function rotate(token) {
    confirmChange({ title: texts.tokens.rotateTitle(token.name), text: texts.tokens.rotateText, action: texts.tokens.rotate,
      change: async () => { showSecret(await change("POST", `tokens/${token.name}/rotate`)); await load(); } });
  }

  function revoke(token) {
    confirmChange({ title: texts.tokens.revokeTitle(token.name), text: texts.tokens.revokeText, action: texts.tokens.revoke,
      change: async () => { await change("DELETE", `tokens/${token.name}`); await load(); } });
  }
}

function showSecret({ name, token }) {
  openDialog(texts.tokens.secretTitle(name), (dialog) => [h("p", {}, texts.tokens.secretText), commandBlock(token),
    h("div", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: () => dialog.close() }, texts.close))]);
}
