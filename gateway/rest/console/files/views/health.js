// The view of the gateway itself: what works, what falls short, and what to do.

import { get, getText, read } from "../api.js";
import { sentenceNodes } from "../commands.js";
import { h, put } from "../dom.js";
import { listen } from "../events.js";
import * as format from "../format.js";
import { icon } from "../icons.js";
import { complain } from "../messages.js";
import { viewHead, warningList } from "../parts.js";
import { texts } from "../texts.js";
import { clusterChecks, clusterWarnings, replicaTable } from "./cluster.js";

const COUNTS_MS = 5000;

export const health = { name: "health", role: "viewer", show };

async function show(main, { signal }) {
  const parts = h("ul", { class: "checks" });
  const warnings = h("div");
  const cluster = h("section", { class: "cluster", hidden: true });
  const figures = h("dl", { class: "counts" });
  const counts = h("div", { class: "count-groups" });
  put(main, viewHead(texts.views.health), parts, warnings, cluster, h("h2", {}, texts.health.figures), figures,
    h("h2", {}, texts.health.counts), h("p", { class: "hint" }, texts.health.countsAdvice), counts);

  await Promise.all([load(), loadCounts()]);
  listen(["health"], (kind, event) => (kind === "health" ? draw(event) : load().catch(complain)), signal);
  const timer = setInterval(() => loadCounts().catch(() => null), COUNTS_MS);
  signal.addEventListener("abort", () => clearInterval(timer));

  async function load() {
    draw(await read("health", {}, signal));
  }

  function draw(state) {
    put(parts, checksOf(state).map(checkItem));
    const clusterSentences = state.cluster ? clusterWarnings(state.cluster) : [];
    const sentences = [...clusterSentences, ...state.warnings, ...state.known_faces.skipped];
    put(warnings, h("h2", {}, texts.health.attention), sentences.length > 0 ? warningList(sentences) : h("p", { class: "hint" }, texts.health.nothing));
    cluster.hidden = !state.cluster;
    if (state.cluster) put(cluster, h("h2", {}, texts.cluster.title), h("ul", { class: "checks" }, clusterChecks(state.cluster).map(checkItem)), replicaTable(state.cluster));
  }

  async function loadCounts() {
    const [state, metrics] = await Promise.all([get("healthz", {}, signal), getText("metrics", signal)]);
    put(figures, figuresOf(metrics).map(([name, value]) => entry(name, value)));
    put(counts, groupsOf(state.counts).map(countGroup));
  }
}

function checkItem([isGood, name, value, advice]) {
  return h("li", { class: isGood ? "good" : "bad" },
    icon(isGood ? "ok" : "warning"), h("div", {}, h("strong", {}, name), h("span", {}, value), isGood ? null : h("small", {}, sentenceNodes(advice))));
}

function entry(name, value, attributes = {}) {
  return h("div", attributes, h("dt", {}, name), h("dd", {}, value));
}

/** Return the counts in the groups of the texts. A count without a text of its own stands under its name, at the end. */
function groupsOf(counts) {
  const { groups, others } = texts.health;
  const named = new Set(groups.flatMap(([, words]) => Object.keys(words)));
  const rest = Object.keys(counts).filter((each) => !named.has(each)).map((each) => [each, each.replaceAll("_", " ")]);
  return [...groups, [others, Object.fromEntries(rest)]]
    .map(([title, words]) => [title, Object.entries(words).filter(([name]) => name in counts).map(([name, text]) => [text, counts[name]])])
    .filter(([, rows]) => rows.length > 0);
}

function countGroup([title, rows]) {
  return h("section", { class: "panel" }, h("h3", {}, title),
    h("dl", { class: "counts one" }, rows.map(([text, value]) => entry(text, format.count(value), { class: value === 0 ? "zero" : null }))));
}

/** Return names and values out of the metrics, which are lines such as `facegate_queue_jobs 3.0`. */
function figuresOf(metrics) {
  const number = (name) => Number(new RegExp(`^${name} (\\S+)`, "m").exec(metrics)?.[1] ?? 0);
  const words = texts.health;
  return [
    [words.version, /version="([^"]+)"/.exec(metrics)?.[1] ?? "–"],
    [words.queue, format.count(number("facegate_queue_jobs"))],
    [words.memory, format.megabytes(number("process_resident_memory_bytes"))],
    [words.workerMemory, format.megabytes(number("facegate_worker_bytes"))],
    [words.streams, format.count(number("facegate_event_streams"))],
  ];
}

/** Return for each part of the gateway: whether it is well, its name, its state, and what to do. */
function checksOf(state) {
  const { workers, known_faces: folder } = state;
  const words = texts.health;
  return [
    [state.status === "ready", words.gateway, words.status[state.status], words.statusAdvice],
    [state.broker === "connected", words.broker, words.brokerState(words.brokerStates[state.broker], state.address), words.brokerAdvice],
    [state.canary === "back", words.loopback, words.loopbackStates[state.canary], words.loopbackAdvice],
    [workers.ready === workers.of, words.workers, words.workersOf(workers.ready, workers.of), words.workersAdvice],
    [state.store === "writable", words.store, words.storeStates[state.store], words.storeAdvice],
    [folder.done === folder.of, words.folder, words.folderOf(folder.done, folder.of), words.folderAdvice],
    ...(state.disk ? [[!state.disk.low, words.disk, words.diskOf(format.gigabytes(state.disk.free_bytes), format.gigabytes(state.disk.total_bytes)), words.diskAdvice]] : []),
    [true, words.people, format.count(folder.people), ""],
    [true, words.strangers, format.count(state.unknowns), ""],
  ];
}
