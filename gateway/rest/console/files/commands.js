// Sentences of the gateway that name a command. The page says instead what a reader can do here, and shows the command
// as a detail.

import { h } from "./dom.js";
import { may } from "./session.js";
import { texts } from "./texts.js";

const QUOTED = /(\brun )?`([^`]+)`/g;

const ID = "([a-z0-9_]{1,53})";

/** The offers of the console. For each command: a pattern, the role, whether the text is a place to open, and text and link. */
const OFFERS = [
  [/^people list$/, "viewer", true, () => [texts.commands.view(texts.views.people), "#/people"]],
  [/^people show <person>$/, "viewer", true, () => [texts.commands.view(texts.views.people), "#/people"]],
  [`^people show ${ID}$`, "viewer", true, (person) => [texts.commands.person(person), `#/people/${person}`]],
  [`^people rename ${ID} NAME$`, "keeper", false, (person) => [texts.commands.rename(person), `#/people/${person}`]],
  [`^people merge ${ID} ID$`, "keeper", false, (person) => [texts.commands.mergeWithOther(person), `#/people/${person}`]],
  [`^people merge ${ID} ${ID}$`, "keeper", false, (person, into) => [texts.commands.merge(person, into), `#/people/${person}`]],
  [/^people add$/, "keeper", true, () => [texts.commands.button(texts.people.add), "#/people/add-person"]],
  [/^people export$/, "privacy", true, () => [texts.commands.view(texts.archive.title), "#/people/export-import"]],
  [/^people import --merge$/, "admin", false, () => [texts.commands.choose(texts.archive.merge), "#/people/export-import"]],
  [/^unknowns list$/, "viewer", true, () => [texts.commands.view(texts.views.strangers), "#/strangers"]],
  [/^unknowns unignore ID$/, "keeper", false, () => [texts.commands.choose(texts.strangers.unignore), "#/strangers"]],
  [/^sightings list$/, "viewer", true, () => [texts.commands.view(texts.views.sightings), "#/sightings"]],
  [/^cameras enable/, "keeper", false, () => [texts.commands.switchOn, "#/live"]],
  [/^tokens list$/, "admin", true, () => [texts.commands.view(texts.views.tokens), "#/tokens"]],
  [/^tokens add/, "admin", true, () => [texts.commands.view(texts.views.tokens), "#/tokens"]],
  [/^tokens rotate (\S+)$/, "admin", false, (token) => [texts.commands.rotate(token), "#/tokens"]],
];

/** Return the nodes of a sentence: its words, with links to what the reader can do, and the commands below. */
export function sentenceNodes(sentence) {
  const nodes = [];
  const details = [];
  let end = 0;
  for (const found of sentence.matchAll(QUOTED)) {
    const [all, run = "", command] = found;
    nodes.push(sentence.slice(end, found.index));
    end = found.index + all.length;
    const offer = offerFor(command);
    if (offer === null) nodes.push(run, h("code", {}, command));
    else nodes.push(...offerNodes(offer, run));
    details.push(offer === null ? texts.commands.shell : [texts.commands.command, h("code", {}, command)]);
  }
  nodes.push(sentence.slice(end));
  if (details.length === 0) return nodes;
  return [h("span", {}, nodes), ...withoutRepeats(details).map((each) => h("small", { class: "by-command" }, each))];
}

function offerFor(command) {
  if (!command.startsWith("facegate ")) return null;
  for (const [pattern, role, isPlace, write] of OFFERS) {
    const found = new RegExp(pattern).exec(command.slice("facegate ".length));
    if (found) {
      const [text, link] = write(...found.slice(1));
      return { text, link, role, isPlace };
    }
  }
  return null;
}

/** Return a link, or the text and the role that it needs. A sentence tells to run a command, but to open a place. */
function offerNodes({ text, link, role, isPlace }, run) {
  const words = run && isPlace ? texts.commands.open : "";
  if (may(role)) return [words, h("a", { href: link }, text)];
  return [words, text, texts.commands.needs(role)];
}

function withoutRepeats(details) {
  return details.filter((each, place) => details.indexOf(each) === place);
}
