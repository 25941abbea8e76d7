"""The processor time that the gateway's main process needs for a live frame."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from benchmarks.gateway import RunningGateway, run_gateway
from benchmarks.processor_time import idle_cpu_ms_a_second, processor_ms
from device_sim.connection import Connection


@dataclass(frozen=True, slots=True)
class CameraLoad:
    """The frames of a scene that ``cameras`` cameras send, each ``fps`` in a second and beginning at another one.

    The worker process must keep up: a frame that a newer one replaces costs less.
    """

    frames: Sequence[bytes]
    fps: float
    cameras: int


WARM_UP_S = 5.0


def main_ms_a_frame(loads: Mapping[str, CameraLoad], seconds: float) -> dict[str, float]:
    """Return the milliseconds a frame of each load, without those that the process uses while no frames come."""
    with run_gateway(1) as gateway:
        idle = idle_cpu_ms_a_second(gateway.processes)["gateway"]
        return {name: _measure(gateway, name, load, seconds, idle) for name, load in loads.items()}


def _measure(gateway: RunningGateway, name: str, load: CameraLoad, seconds: float, idle: float) -> float:
    pid = gateway.processes["gateway"]
    with Connection(gateway.broker, f"live-{secrets.token_hex(4)}") as connection:
        _send(connection, name, load, WARM_UP_S)
        begun, before = time.monotonic(), processor_ms(pid)
        count = _send(connection, name, load, seconds)
        used = processor_ms(pid) - before - idle * (time.monotonic() - begun)
    return max(used / count, 0.0)


def _send(connection: Connection, name: str, load: CameraLoad, seconds: float) -> int:
    """Send frames from each camera, evenly spread, and return their number."""
    a_second = load.fps * load.cameras
    begun, count = time.monotonic(), round(seconds * a_second)
    for number in range(count):
        time.sleep(max(0.0, begun + number / a_second - time.monotonic()))
        turn, camera = divmod(number, load.cameras)
        data = load.frames[(turn + 7 * camera) % len(load.frames)]
        if not connection.publish(f"facegate/{name}_{camera}/frame", data, 0, None):
            raise click.ClickException("The broker does not accept the frames.")
    time.sleep(0.5)
    return count
