"""The throughput of several gateways with one store: ``python -m benchmarks.cluster [--json]``.

The benchmark starts PostgreSQL, mosquitto and replicas (``cluster.name``) on free ports of this machine. Each replica
has simulated worker processes, which sleep for each picture: so the figures show how the replicas share the work, and
not how many pictures this machine can analyse. Many cameras send requests over MQTT, as many at a time as keep all
worker processes busy.

A round measures one replica, then starts the next one and measures again. ``fps``: answers per second, the median of
the rounds. ``ratio``: the same divided by that of one replica in the same round, the median too. ``cpu``: the processor
cores that the main processes, the broker, PostgreSQL and the cameras used. When their sum is near the number of cores,
the machine limits the throughput. Simulated workers use little of it (``workers``).
"""

from __future__ import annotations

import base64
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.faults.exit_guard import install_exit_guard
from benchmarks.faults.processes import descendants
from benchmarks.faults.replicas.site import Replica, Site
from benchmarks.faults.sender import SenderProcess, SendTask, Tally
from benchmarks.processor_time import processor_ms
from device_sim.errors import SimError
from device_sim.named_pictures import name_faces
from device_sim.pictures import FRAMES

FLOORS = {2: 1.9, 3: 2.8}
"""The least ratio that counts as passed, by the number of replicas."""
PROBLEMS = ("refused", "unanswered", "unnamed")
"""The numbers of requests with an error, without an answer, and with an answer that does not name their person."""
CAMERAS = 24
OUTSTANDING_PER_WORKER = 3
"""Requests for each worker process at a time: one that it works on, and two on their way."""
PEOPLE = 20
WARM_UP_S = 2.0


def face_names() -> Sequence[str]:
    return [f"Person {number}" for number in range(PEOPLE)]


def measure(rounds: int, seconds: float, replicas: int, workers: int, picture_ms: float) -> dict[str, Any]:
    """Return the figures of all rounds. Raises SimError or OSError."""
    done = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="facegate-cluster-") as folder:
            done.append(one_round(Path(folder), seconds, replicas, workers, picture_ms))
        click.echo(f"round {number + 1}: {[each['fps'] for each in done[-1]]} answers/s", err=True)
    figures = {
        str(count + 1): _summary([each[count] for each in done], [each[0] for each in done])
        for count in range(replicas)
    }
    result = {"replicas": figures, "rounds": rounds, "seconds": seconds, "workers_per_replica": workers}
    return {**result, "picture_ms": picture_ms, "cores": os.cpu_count(), "passed": passed(figures)}


def one_round(folder: Path, seconds: float, replicas: int, workers: int, picture_ms: float) -> list[dict[str, Any]]:
    """Return the figures with one replica, with two, and so on."""
    done = []
    with Site(folder, replicas=replicas, workers=workers, picture_ms=picture_ms) as site:
        for count, replica in enumerate(site.replicas, 1):
            replica.process.start()
            replica.wait_ready()
            if count == 1:
                enrol(replica)
            send(site, WARM_UP_S, count * workers)
            done.append(_measured(site, seconds, count * workers))
    return done


def enrol(replica: Replica) -> None:
    """Enrol the people whom the pictures show. Raises SimError."""
    picture = (FRAMES / "obama_1.jpg").read_bytes()
    for name in face_names():
        image = base64.b64encode(name_faces(picture, [name])).decode()
        body = json.dumps({"name": name, "images": [image]}).encode()
        reply = replica.fetch("POST", "/api/v1/people", body, {"Content-Type": "application/json"}, wait=30)
        if reply is None or reply[0] >= 300:
            raise SimError(f"{name} could not be enrolled: {reply}")


def send(site: Site, seconds: float, workers: int) -> Tally:
    """Send requests from all cameras, and return the tally."""
    cameras = [f"cam{number}" for number in range(CAMERAS)]
    task = SendTask(site.port, cameras, seconds, outstanding=OUTSTANDING_PER_WORKER * workers, faces=list(face_names()))
    return SenderProcess(task).tally()


def _measured(site: Site, seconds: float, workers: int) -> dict[str, Any]:
    before, begun = _used_ms(site), time.monotonic()
    tally = send(site, seconds, workers)
    took = time.monotonic() - begun
    cpu = {name: round((ms - before.get(name, 0.0)) / 1000 / took, 3) for name, ms in _used_ms(site).items()}
    return {
        "fps": round(tally.accepted_per_s, 2),
        "cpu": {**cpu, "cameras": tally.cores},
        "refused": tally.refused,
        "unanswered": tally.sent - tally.answered,
        "unnamed": tally.accepted - tally.named,
    }


def _used_ms(site: Site) -> Mapping[str, float]:
    """Return the processor time in ms that each kind of process has used."""
    gateways, broker, store = (each.process.pid for each in site.replicas), site.broker.pid, site.store.pid
    running = [pid for pid in gateways if pid is not None]
    families = {
        "gateways": running,
        "workers": [child for pid in running for child in descendants(pid)],
        "broker": [] if broker is None else [broker],
        "store": [] if store is None else [store, *descendants(store)],
    }
    return {name: sum(map(processor_ms, pids)) for name, pids in families.items()}


def _summary(measured: Sequence[Mapping[str, Any]], one: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    cpu = {name: round(statistics.median(each["cpu"][name] for each in measured), 3) for name in measured[0]["cpu"]}
    ratios = [many["fps"] / single["fps"] for many, single in zip(measured, one, strict=True)]
    return {
        "fps": round(statistics.median(each["fps"] for each in measured), 2),
        "ratio": round(statistics.median(ratios), 3),
        "cpu": {**cpu, "all": round(sum(cpu.values()), 3)},
        **{name: sum(each[name] for each in measured) for name in PROBLEMS},
    }


def passed(figures: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether each ratio reaches its floor, and every request was answered with a name."""
    reached = all(figures[str(count)]["ratio"] >= floor for count, floor in FLOORS.items() if str(count) in figures)
    return reached and not any(each[name] for each in figures.values() for name in PROBLEMS)


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Number of rounds.")
@click.option("--seconds", default=8.0, show_default=True, help="Duration of each measurement.")
@click.option("--replicas", default=3, show_default=True, type=click.IntRange(1), help="Largest number of replicas.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1), help="Workers of each replica.")
@click.option("--picture-ms", default=60.0, show_default=True, help="Time that a worker sleeps for a picture.")
def main(as_json: bool, rounds: int, seconds: float, replicas: int, workers: int, picture_ms: float) -> None:
    install_exit_guard()
    try:
        result = measure(rounds, seconds, replicas, workers, picture_ms)
    except (SimError, OSError) as error:
        click.echo(f"The benchmark cannot run: {error}", err=True)
        sys.exit(2)
    if as_json:
        click.echo(json.dumps(result))
    else:
        for count, each in result["replicas"].items():
            click.echo(f"{count} replicas: {each['fps']} answers/s, {each['ratio']} times, cores used: {each['cpu']}")
    sys.exit(0 if result["passed"] else 1)


if __name__ == "__main__":
    main()
