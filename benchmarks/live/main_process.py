"""The processor time that the gateway's main process needs for a live frame."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence

import click

from benchmarks.gateway import RunningGateway, run_gateway
from benchmarks.processor_time import idle_cpu_ms_a_second, processor_ms
from device_sim.connection import Connection

CAMERAS = 10
"""Cameras with a frame a second each."""
WARM_UP_S = 5.0


def main_ms_a_frame(scenes: Mapping[str, Sequence[bytes]], seconds: float) -> dict[str, float]:
    """Return the milliseconds a frame of each scene, without those that the process uses while no frames come.

    ``scenes``: for each scene its frames, which the cameras send in turn, each beginning at another one.
    """
    with run_gateway(1) as gateway:
        idle = idle_cpu_ms_a_second(gateway.processes)["gateway"]
        return {name: _measure(gateway, name, frames, seconds, idle) for name, frames in scenes.items()}


def _measure(gateway: RunningGateway, name: str, frames: Sequence[bytes], seconds: float, idle: float) -> float:
    pid = gateway.processes["gateway"]
    with Connection(gateway.broker, f"live-{secrets.token_hex(4)}") as connection:
        _send(connection, name, frames, WARM_UP_S)
        begun, before = time.monotonic(), processor_ms(pid)
        count = _send(connection, name, frames, seconds)
        used = processor_ms(pid) - before - idle * (time.monotonic() - begun)
    return max(used / count, 0.0)


def _send(connection: Connection, name: str, frames: Sequence[bytes], seconds: float) -> int:
    """Send a frame a second from each camera, evenly spread, and return their number."""
    begun, count = time.monotonic(), round(seconds * CAMERAS)
    for number in range(count):
        time.sleep(max(0.0, begun + number / CAMERAS - time.monotonic()))
        turn, camera = divmod(number, CAMERAS)
        data = frames[(turn + 7 * camera) % len(frames)]
        if not connection.publish(f"facegate/{name}_{camera}/frame", data, 0, None):
            raise click.ClickException("The broker does not accept the frames.")
    time.sleep(0.5)
    return count
