"""The time from the first usable frame to the event: ``python -m benchmarks.live.latency [--json]``.

Cameras send five frames a second each to a gateway with a worker process for each core, over a broker on this machine.
An enrolled person walks through each picture again and again. The first usable frame of a visit is the first one whose
face a single request would compare with the enrolled people: it is found before the run. The latency ends when a client
of the broker has the event ``recognised``.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.engines import LIMITS, engine
from benchmarks.gateway import run_gateway
from benchmarks.live.__main__ import DATA, MIN_FACE, load_material
from benchmarks.live.scenes import encode, noisy, walk
from device_sim.connection import Connection
from gateway.model import AnalyseTask, Search
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.vision.analyse import analyse

FPS = 5.0
WALK_FRAMES = 100
"""Frames of a visit and of the empty picture after it."""
GONE_S, AGAIN_S = 2.0, 3.0
"""Settings of the gateway, so that each walk is a visit of its own."""


@dataclass(slots=True)
class Visits:
    """The visits of one camera: the moments of the first usable frame, and of the events."""

    usable: list[float] = field(default_factory=list)
    recognised: list[float] = field(default_factory=list)

    def latencies(self) -> list[float]:
        """Return the seconds from each first usable frame to the first event after the empty picture before it."""
        found = []
        for begin, end in zip(self.usable, [*self.usable[1:], float("inf")], strict=True):
            events = [at for at in self.recognised if begin - WALK_FRAMES / FPS / 2 < at < end - WALK_FRAMES / FPS / 2]
            if events:
                found.append(max(0.0, events[0] - begin))
        return found


def first_usable(frames: Sequence[bytes]) -> int:
    """Return the first frame with a face that is good enough to be compared."""
    decision, found = Decision(0.01, 0.001, measured_curves("facegate")), engine()
    for number, data in enumerate(frames):
        for face in analyse(data, found, AnalyseTask(Search(MIN_FACE)), LIMITS).faces:
            if face.descriptor is not None and decision.unfit_reason(face.quality) is None:
                return number
    raise click.ClickException("No frame of the walk has a usable face.")


def measure(frames: Sequence[bytes], cameras: int, seconds: float, workers: int) -> dict[str, Any]:
    usable, visits = first_usable(frames), [Visits() for _ in range(cameras)]

    def receive(topic: str, payload: bytes, _correlation: bytes | None) -> None:
        event, camera = json.loads(payload), topic.split("/")[1]
        if event["event_type"] == "recognised":
            visits[int(camera.removeprefix("walk"))].recognised.append(time.monotonic())

    settings = {"FACEGATE_LIVE__GONE_S": str(GONE_S), "FACEGATE_SIGHTINGS__AGAIN_S": str(AGAIN_S)}
    with run_gateway(workers, settings) as gateway:
        name = f"latency-{secrets.token_hex(4)}"
        filters = [(f"facegate/walk{n}/event", 1) for n in range(cameras)]
        with Connection(gateway.broker, name, filters=filters, receive=receive) as connection:
            _send(connection, frames, usable, visits, seconds)
            time.sleep(2.0)
    return figures(visits, cameras)


def _send(
    connection: Connection, frames: Sequence[bytes], usable: int, visits: Sequence[Visits], seconds: float
) -> None:
    begun, cameras = time.monotonic(), len(visits)
    for number in range(round(seconds * FPS * cameras)):
        turn, camera = divmod(number, cameras)
        time.sleep(max(0.0, begun + number / FPS / cameras - time.monotonic()))
        # Each camera is at another place of the walk.
        at = (turn + camera * len(frames) // cameras) % len(frames)
        if at == usable:
            visits[camera].usable.append(time.monotonic())
        connection.publish(f"facegate/walk{camera}/frame", frames[at], 0, None)


def figures(visits: Sequence[Visits], cameras: int) -> dict[str, Any]:
    latencies = sorted(each for visit in visits for each in visit.latencies())
    whole = sum(len(visit.usable) for visit in visits)
    if not latencies:
        raise click.ClickException("Nobody was recognised.")
    shares = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    return {
        "cameras": cameras,
        "fps": FPS,
        "visits": whole,
        "recognised": len(latencies),
        "latency_s": {name: round(float(np.quantile(latencies, share)), 3) for name, share in shares.items()},
    }


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
@click.option("--data", default=DATA, type=click.Path(exists=True, path_type=Path), help="The labelled photographs.")
@click.option("--cameras", default=4, show_default=True)
@click.option("--seconds", default=120.0, show_default=True)
@click.option("--height", default=480, show_default=True, help="Height of the pictures, which are 16:9.")
def main(as_json: bool, data: Path, cameras: int, seconds: float, height: int) -> None:
    material, random = load_material(data, height), np.random.default_rng(4)
    walks = walk(material.empty, material.head, random)
    frames = [encode(noisy(each, random)) for each in islice(walks, WALK_FRAMES)]
    found = measure(frames, cameras, seconds, os.cpu_count() or 1)
    if as_json:
        click.echo(json.dumps(found))
        return
    latency = found["latency_s"]
    click.echo(
        f"{found['recognised']} of {found['visits']} visits recognised, {latency['p50']} s (median), {latency['p95']} s"
        f" (95 of 100), {latency['max']} s (slowest) after the first usable frame"
    )


if __name__ == "__main__":
    main()
