"""The load of a thousand cameras with a frame each ten seconds: ``python -m benchmarks.live.thousand [--json]``.

The cameras send still pictures with noise to a gateway with a worker process for each core, over a broker on this
machine. In some of them somebody walks. Each answer's latency is measured from the moment at which the frame is handed
to the broker, and the memory of the gateway and its workers is sampled. All cameras begin within the first ten seconds.
The answers of the first minute, in which each camera has its first full look, are reported apart.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.faults.processes import descendants
from benchmarks.gateway import RunningGateway, run_gateway
from benchmarks.live.__main__ import DATA, load_material
from benchmarks.live.scenes import encode, noisy, walk
from benchmarks.processor_time import processor_ms
from device_sim.connection import Connection
from gateway.workers.process_state import resident_bytes

INTERVAL_S = 10.0
HEIGHT = 360
VARIANTS = 10
WALKERS_EVERY = 20
"""The number of cameras among which one shows somebody who walks."""
START_S = 60.0
SAMPLE_INTERVAL_S = 10.0


@dataclass(slots=True)
class Answers:
    """The answers to frames. ``sent``: the moment of each camera's last frame. ``latencies``: moment and seconds."""

    sent: dict[str, float] = field(default_factory=dict)
    latencies: list[tuple[float, float]] = field(default_factory=list)

    def receive(self, topic: str, _payload: bytes, _correlation: bytes | None) -> None:
        now = time.monotonic()
        begun = self.sent.pop(topic.split("/")[1], None)
        if begun is not None:
            self.latencies.append((now, now - begun))


@dataclass(slots=True)
class Samples:
    """Samples of the memory, in bytes, and the processes that are sampled."""

    pids: tuple[int, ...]
    memory: list[int] = field(default_factory=list)

    def take(self) -> None:
        self.memory.append(sum(resident_bytes(pid) or 0 for pid in self.pids))

    def used_ms(self) -> float:
        return sum(map(processor_ms, self.pids))


def measure(data: Path, cameras: int, seconds: float, workers: int) -> dict[str, Any]:
    quiet, walking = _frames(data)
    answers = Answers()
    with run_gateway(workers) as gateway:
        name = f"thousand-{secrets.token_hex(4)}"
        filters = [("facegate/+/result", 0)]
        with Connection(gateway.broker, name, filters=filters, receive=answers.receive) as connection:
            samples = Samples(_pids(gateway))
            begun, used = time.monotonic(), samples.used_ms()
            frames = _send(connection, (quiet, walking), cameras, seconds, answers, samples)
            used = samples.used_ms() - used
            time.sleep(2.0)
    return figures(answers, samples, begun, frames, cameras) | {"cores_used": round(used / 1000 / seconds, 2)}


def _pids(gateway: RunningGateway) -> tuple[int, ...]:
    pid = gateway.processes["gateway"]
    return (pid, *descendants(pid))


def _frames(data: Path) -> tuple[list[bytes], list[bytes]]:
    """Return frames of a still picture with noise, and those of a walk."""
    material, random = load_material(data, HEIGHT), np.random.default_rng(5)
    quiet = [encode(noisy(material.empty, random)) for _ in range(VARIANTS)]
    return quiet, [encode(each) for each in islice(walk(material.empty, material.head, random), 100)]


def _send(
    connection: Connection,
    frames: tuple[Sequence[bytes], Sequence[bytes]],
    cameras: int,
    seconds: float,
    answers: Answers,
    samples: Samples,
) -> int:
    begun, count, sampled = time.monotonic(), round(seconds * cameras / INTERVAL_S), 0.0
    for number in range(count):
        now = time.monotonic()
        if now - sampled > SAMPLE_INTERVAL_S:
            sampled = now
            samples.take()
        time.sleep(max(0.0, begun + number * INTERVAL_S / cameras - now))
        turn, camera = divmod(number, cameras)
        shown = frames[camera % WALKERS_EVERY == 0]
        answers.sent[f"cam{camera}"] = time.monotonic()
        connection.publish(f"facegate/cam{camera}/frame", shown[(turn + 7 * camera) % len(shown)], 0, None)
    return count


def figures(answers: Answers, samples: Samples, begun: float, frames: int, cameras: int) -> dict[str, Any]:
    start = sorted(each for at, each in answers.latencies if at <= begun + START_S)
    later = sorted(each for at, each in answers.latencies if at > begun + START_S)
    quarter = max(len(samples.memory) // 4, 1)
    before, after = (
        statistics.mean(part) / 1e6 for part in (samples.memory[quarter:][:quarter], samples.memory[-quarter:])
    )
    return {
        "cameras": cameras,
        "interval_s": INTERVAL_S,
        "frames": frames,
        "answered": len(answers.latencies),
        "start_latency_s": _shares(start),
        "latency_s": _shares(later),
        "memory_mb": {"second_quarter": round(before, 1), "last_quarter": round(after, 1)},
    }


def _shares(latencies: Sequence[float]) -> dict[str, float]:
    shares = {"p50": 0.5, "p95": 0.95, "p999": 0.999, "max": 1.0}
    return {name: round(float(np.quantile(latencies, share)), 3) for name, share in shares.items()} if latencies else {}


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
@click.option("--data", default=DATA, type=click.Path(exists=True, path_type=Path), help="The labelled photographs.")
@click.option("--cameras", default=1000, show_default=True)
@click.option("--minutes", default=10.0, show_default=True)
def main(as_json: bool, data: Path, cameras: int, minutes: float) -> None:
    found = measure(data, cameras, 60 * minutes, os.cpu_count() or 1)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        click.echo(f"{name}: {value}")


if __name__ == "__main__":
    main()
