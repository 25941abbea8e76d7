"""The run with replicas: they, PostgreSQL and the network between them fail under load."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

from benchmarks.faults.crashes import DRAIN_S, PROGRESS_INTERVAL_S, Report
from benchmarks.faults.figures import MAX_EXAMPLES, PERCENTILES, in_ms, latencies, percentile
from benchmarks.faults.fleet import Fleet
from benchmarks.faults.history import EFFECTS, History
from benchmarks.faults.kills import every
from benchmarks.faults.load import BASE
from benchmarks.faults.replicas.checker import REMOVALS, ReplicaFindings, check_replicas
from benchmarks.faults.replicas.live import LiveCameras
from benchmarks.faults.replicas.load import ReplicaLoad
from benchmarks.faults.replicas.people import People
from benchmarks.faults.replicas.record import LeaderNews, Move, Record, waited_for_store
from benchmarks.faults.replicas.rest_users import RestUsers
from benchmarks.faults.replicas.retained import wait_until_right
from benchmarks.faults.replicas.site import Site
from benchmarks.faults.replicas.site_faults import SiteFaults
from benchmarks.faults.store_reader import StoreReader
from device_sim.cluster_state import ClusterListener, ReplicaState
from device_sim.connection import Broker

WARM_UP_S = 5.0
CAMERAS, LIVE_CAMERAS, REST_USERS = 8, 8, 4
REQUEST_PAUSE_S = 0.25
"""Shortest time between two requests of a camera: the bench shows what fails, not how much the machine can do."""
MAX_INTERVALS_S = {"replica_kills": 15.0, "store_kills": 60.0, "partitions": 60.0}
"""Longest mean times between faults: at least 40 kills of replicas, 10 of PostgreSQL and 10 partitions in 600 s."""
MOVE_LIMIT_S = 5.0
"""Largest allowed 95th percentile of the time until a camera is served again after its owner was killed."""
SETTINGS = {
    # Every frame that is analysed gets its answer, so that a camera that is served can be seen.
    "FACEGATE_LIVE__UNCHANGED_ANSWER_S": "0",
    "FACEGATE_LIVE__GONE_S": "1",
}


def run_replicas(
    folder: Path, report: Report, *, replicas: int, seconds: float, workers: int, seed: int, out: TextIO | None = None
) -> dict[str, Any]:
    """Run the test, and return its figures. Raises SimError or TimeoutError."""
    rng, record, history = random.Random(seed), Record(), History(out=out)
    people = People(random.Random(seed + 1))
    site = Site(
        folder,
        replicas=replicas,
        workers=workers,
        with_proxies=True,
        history=history,
        rng=random.Random(seed + 2),
        settings=SETTINGS,
    )
    with site:
        site.start()
        fleet = Fleet(site.port, ReplicaLoad(people), history, rng, cameras=CAMERAS, repeats=True, rest=REQUEST_PAUSE_S)
        live = LiveCameras(site.port, people, record, random.Random(seed + 3), cameras=LIVE_CAMERAS)

        def note_leader(state: ReplicaState) -> None:
            record.record_leader(LeaderNews(state.replica, state.at, state.is_online and state.leads))

        listener = ClusterListener(Broker(port=site.port), BASE, note_leader)
        with fleet, live, listener, StoreReader(site, history) as store_reader:
            begun = time.monotonic()
            with RestUsers(site, people, history, random.Random(seed + 4), users=REST_USERS):
                fleet.run(lambda: time.monotonic() > begun + WARM_UP_S)
                faults_begun, due = time.monotonic(), every(PROGRESS_INTERVAL_S)

                def over() -> bool:
                    if due():
                        report(f"{len(history.requests)} requests; broken: {history.faults_by_name()}")
                    return time.monotonic() > faults_begun + seconds

                with SiteFaults(site, listener, history, record, random.Random(seed + 5)):
                    fleet.run(over)
                took = time.monotonic() - faults_begun
                # A device repeats its request until its own deadline, whether or not somebody can answer.
                fleet.repeat_during(partial(site.wait_ready, DRAIN_S))
                fleet.drain(DRAIN_S)
            store_reader.read_all()
            _wait_for_moves(record)
            live.stop()
            wrong = wait_until_right(site.port, history.people, live.names, replicas)
    findings = check_replicas(history, record)
    result = figures(history, record, findings, wrong, seconds=took, outages=site.store_outages)
    return {
        **result,
        "replica_exits": sum(each.exits for each in site.replicas),
        "rss_mb_max": round(site.rss_mb_max, 1),
        "seconds": round(took, 1),
        "replicas": replicas,
        "workers": workers,
        "lease_s": site.lease_s,
        "seed": seed,
    }


def _wait_for_moves(record: Record) -> None:
    """Give the cameras of the last replica that was killed as much time to be served again as the requests had."""
    until = time.monotonic() + DRAIN_S
    while record.has_waiting_camera() and time.monotonic() < until:
        time.sleep(0.1)


def figures(
    history: History,
    record: Record,
    findings: ReplicaFindings,
    wrong: list[str],
    *,
    seconds: float,
    outages: Sequence[tuple[float, float]] = (),
) -> dict[str, Any]:
    """Return the figures, as docs/design/measuring.md describes them.

    ``wrong``: of the retained messages. ``outages``: the times in which PostgreSQL was away.
    """
    faults = {
        "replica_kills": history.count("replica"),
        "store_kills": history.count("store"),
        "partitions": history.count("partition"),
    }
    requests = list(history.requests.values())
    store_away = [each for each in record.moves if waited_for_store(each, outages)]
    moves = summarise_moves([each for each in record.moves if each not in store_away])
    not_moved = sum(each.moved is None for each in record.moves)
    counts = {
        "lost": len(findings.lost),
        "duplicate_effects": len(findings.duplicates),
        "differing_replies": len(findings.differing),
        "missing_effects": len(findings.missing),
        "erased_but_named": len(findings.named),
        "enrolled_but_unnamed": len(findings.unnamed),
        "refused_requests": len(findings.refused),
        "two_leaders": len(findings.leaders),
        "retained_wrong": len(wrong),
        "cameras_not_moved": not_moved,
    }
    waited = latencies(history)
    examples = {**asdict(findings), "retained": wrong}
    return {
        **faults,
        **counts,
        "camera_moved_s": moves,
        "camera_moved_store_away_s": summarise_moves(store_away),
        "requests": len(requests),
        "effects": sum(each.op in EFFECTS for each in requests),
        "removals": sum(each.op in REMOVALS for each in requests),
        "repeats": sum(len(each.sent) - 1 for each in requests),
        "live_frames": record.frames,
        "live_results": record.results,
        "leader_changes": count_changes(record),
        "latency_ms": {name: in_ms(percentile(waited, percent)) for name, percent in PERCENTILES.items()},
        "examples": {name: [str(each) for each in found[:MAX_EXAMPLES]] for name, found in examples.items() if found},
        "in_limits": is_in_limits(faults, moves["p95"], seconds),
    }


def summarise_moves(moves: Sequence[Move]) -> dict[str, float | int | None]:
    """Return the percentiles, the maximum and the number of the moves that have ended."""
    moved = [each.moved for each in moves if each.moved is not None]
    found = {name: rounded(percentile(moved, percent)) for name, percent in (("p50", 50), ("p95", 95))}
    return {**found, "max": rounded(max(moved, default=None)), "count": len(moved)}


def count_changes(record: Record) -> int:
    """Return how often another replica became the leader."""
    leaders = [each.replica for each in record.leaders if each.leads]
    return sum(one != other for one, other in pairwise(leaders))


def is_in_limits(faults: Mapping[str, int], moved_p95: float | None, seconds: float) -> bool:
    """Return whether there were enough faults, and cameras moved within the limit."""
    enough = all(faults[name] >= int(seconds / interval) for name, interval in MAX_INTERVALS_S.items())
    return enough and moved_p95 is not None and moved_p95 <= MOVE_LIMIT_S


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
