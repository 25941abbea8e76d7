"""Gateways as processes of their own, which a test can kill, and the retained messages that they leave."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from device_sim.parent_guard import end_with_this_process
from tests.support import WAIT_S, Broker, Client, free_port, prepare_data_folder


def start_gateway(folder: Path, broker: Broker, **settings: Any) -> subprocess.Popen[bytes]:
    """Start a gateway whose data are in the folder. Its log is ``gateway.log`` there."""
    folder.mkdir(exist_ok=True)
    given = {
        "data": str(prepare_data_folder(folder / "data")),
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
        "rest": {"port": free_port()},
        "workers": {"processes": 1},
        **settings,
    }
    config = folder / "gateway.yaml"
    config.write_text(yaml.safe_dump(given))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FACEGATE_")}
    command = [sys.executable, "-m", "gateway", "run", "--config", str(config)]
    with (folder / "gateway.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    end_with_this_process(process.pid)
    return process


@contextmanager
def ended_at_exit(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the processes after the context."""
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(WAIT_S)


def retained_messages(port: int, login: tuple[str, str] | None = None) -> dict[str, bytes]:
    """Return all retained messages of the broker, by their topics."""
    client = Client(port, login=login).subscribe("#")
    # The broker sends the retained messages when it subscribes the client, and so before this message.
    marker = f"end/{os.urandom(8).hex()}"
    client.publish(marker, b"")
    found: dict[str, bytes] = {}
    while (message := client.get()).topic != marker:
        if message.retain:
            found[message.topic] = message.payload
    client.close()
    return found
