// The console: navigation, log-in, and one view at a time.

import { h, put } from "./dom.js";
import { icon } from "./icons.js";
import { complain, messagePlaces } from "./messages.js";
import { loadSession, logIn, logOut, may, session } from "./session.js";
import { texts } from "./texts.js";
import { audit } from "./views/audit.js";
import { health } from "./views/health.js";
import { live } from "./views/live.js";
import { people } from "./views/people.js";
import { sightings } from "./views/sightings.js";
import { strangers } from "./views/strangers.js";
import { tokens } from "./views/tokens.js";
import { tryIt } from "./views/try.js";

const VIEWS = [live, people, strangers, sightings, tryIt, health, audit, tokens];

const navigation = h("nav", { "aria-label": texts.navigation });
const caller = h("div", { class: "caller" });
const main = h("main", { id: "main", tabindex: "-1" });
let leave = new AbortController();
let isFirst = true;

/** Show the view in the address: `#/people/ada` is the view `people` with the rest `ada`. */
async function showView() {
  leave.abort();
  leave = new AbortController();
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  const allowed = VIEWS.filter((each) => may(each.role));
  const view = allowed.find((each) => each.name === name) ?? allowed[0];
  drawNavigation(allowed, view);
  document.title = `${texts.views[view.name]} – Facegate`;
  put(main, h("p", { class: "loading" }, texts.loading));
  try {
    await view.show(main, { rest, query: new URLSearchParams(query), signal: leave.signal });
    // After a change of the view, keyboard and screen reader continue at its title. The first page begins at its top.
    if (!isFirst) main.querySelector("h1")?.focus({ preventScroll: true });
    isFirst = false;
    scrollTo(0, 0);
  } catch (error) {
    if (error.name === "AbortError") return;
    put(main, h("h1", { tabindex: "-1" }, texts.views[view.name]));
    complain(error);
  }
}

function drawNavigation(views, current) {
  put(navigation, h("ul", {}, views.map((each) => h("li", {}, h("a", {
    href: `#/${each.name}`, "aria-current": each === current ? "page" : null,
  }, icon(each.name), h("span", {}, texts.views[each.name]))))));
}

function drawCaller() {
  const who = session.name ?? texts.thisMachine;
  const out = h("button", { type: "button", class: "quiet", "aria-label": texts.logOut, title: texts.logOut, onclick: endSession }, icon("out"));
  // A user of Home Assistant is shown by the login alone.
  put(caller, h("span", { class: "name", title: who }, who.replace(/^homeassistant\//, "")), h("span", { class: "chip" }, session.role), session.canLogOut ? out : null);
}

async function endSession() {
  await logOut();
  // Nothing of the session may stay in the page.
  location.reload();
}

async function start() {
  put(document.body, main, messagePlaces());
  try {
    await loadSession();
    showConsole();
  } catch (error) {
    complain(error);
  }
}

function showConsole() {
  const skip = h("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); main.focus(); } }, texts.skip);
  const brand = h("a", { class: "brand", href: "#/" }, h("img", { src: new URL("icon.svg", import.meta.url).href, alt: "" }), "Facegate");
  const isLimited = session.name?.startsWith("homeassistant") && !may("admin");
  const advice = isLimited ? h("footer", {}, texts.homeAssistantRole(session.role)) : null;
  put(document.body, skip, h("header", {}, brand, navigation, caller), main, advice, messagePlaces());
  drawCaller();
  showView();
}

function showLogIn() {
  leave.abort();
  document.title = `${texts.logIn.title} – Facegate`;
  const input = h("input", { type: "password", autocomplete: "current-password", required: true, id: "token" });
  const fault = h("p", { class: "fault", role: "alert" });
  const send = async (event) => {
    event.preventDefault();
    try {
      await logIn(input.value.trim());
      showConsole();
    } catch (error) {
      fault.textContent = error.code === "offline" ? texts.offline : error.message;
      input.select();
    }
  };
  const form = h("form", { class: "log-in", onsubmit: send },
    h("h1", {}, texts.logIn.title), h("p", {}, texts.logIn.advice),
    h("small", {}, texts.commands.command, h("code", {}, texts.logIn.command)),
    h("label", { class: "field", for: "token" }, h("span", {}, texts.logIn.token)), input, fault,
    h("button", { class: "primary" }, texts.logIn.send));
  document.querySelectorAll("dialog").forEach((each) => each.remove());
  put(document.body, h("main", { id: "main" }, form), messagePlaces());
  input.focus();
}

addEventListener("hashchange", showView);
document.addEventListener("unauthorized", showLogIn);
start();
