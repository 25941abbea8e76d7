// The part of the view of the health that shows the replicas of a cluster. A gateway that works alone has none.

import { h } from "../dom.js";
import * as format from "../format.js";
import { texts } from "../texts.js";

/** Return the table of the replicas. `cluster`: of the health document. */
export function replicaTable(cluster) {
  const { columns } = texts.cluster;
  const rows = cluster.replicas.map((each) => h("tr", { class: each.state }, cellsOf(each, cluster).map(([name, content]) =>
    // A phone shows each replica as a list, and the name of the column beside each cell. Roles keep it a table there.
    h(name === "replica" ? "th" : "td", { role: name === "replica" ? "rowheader" : "cell", scope: name === "replica" ? "row" : null, "data-column": columns[name] },
      h("span", {}, content)))));
  for (const row of rows) row.setAttribute("role", "row");
  return h("table", { class: "panel replicas", role: "table", "aria-label": texts.cluster.replicas },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, Object.values(columns).map((name) => h("th", { role: "columnheader", scope: "col" }, name)))),
    h("tbody", { role: "rowgroup" }, rows));
}

/** Return the cells of a replica in the order of the columns. */
function cellsOf(replica, cluster) {
  const words = texts.cluster;
  const advice = words.stateAdvice[replica.state];
  return [
    ["replica", [replica.replica, replica.replica === cluster.replica ? h("small", {}, words.thisOne) : null]],
    ["state", [h("span", { class: "chip" }, words.states[replica.state]), advice ? h("small", {}, advice) : null]],
    ["broker", words.brokerStates[replica.broker] ?? "–"],
    ["lease", replica.lease_ended === null ? words.hasLease : words.leaseEnded(format.moment(replica.lease_ended))],
    ["cameras", format.count(replica.cameras)],
    ["version", replica.version],
    ["address", replica.address ?? "–"],
  ];
}

/** Return the checks of the cluster, in the form of those of the gateway. */
export function clusterChecks(cluster) {
  const words = texts.cluster;
  const leader = cluster.replicas.find((each) => each.replica === cluster.leader);
  return [
    [true, words.name, cluster.name, ""],
    [cluster.may_name_people, words.thisReplica, words.mayName(cluster.replica, cluster.may_name_people), words.mayNameAdvice],
    [cluster.leader !== null, words.leader, cluster.leader === null ? words.noLeader : words.place(cluster.leader, leader?.address), words.leaderAdvice],
    [cluster.without_owner === 0, words.cameras, words.camerasOf(cluster.cameras - cluster.without_owner, cluster.cameras), ""],
  ];
}

/** Return sentences about faults of the cluster that need attention. */
export function clusterWarnings(cluster) {
  const lost = cluster.replicas.filter((each) => each.state === "lost");
  return [
    ...(cluster.without_owner > 0 ? [texts.cluster.withoutOwner(cluster.without_owner)] : []),
    ...lost.map((each) => texts.cluster.isLost(texts.cluster.place(each.replica, each.address))),
  ];
}
