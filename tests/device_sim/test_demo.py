"""The demo as a person starts it: in a process of its own, with a broker and a gateway of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from device_sim.demo import refuse_taken
from device_sim.errors import SimError
from tests.support import ROOT, accepts, free_port, wait_for


class Demo:
    def __init__(self, data: Path, *arguments: str) -> None:
        self.data = data
        self.broker_port, self.rest_port = free_port(), free_port()
        ports = ["--broker-port", str(self.broker_port), "--rest-port", str(self.rest_port)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "device_sim.demo", "--data", str(data), *ports, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ends(self, seconds: float = 120) -> str:
        """All that it printed."""
        out, _ = self.process.communicate(timeout=seconds)
        return out

    def nothing_is_left(self) -> bool:
        return not accepts(self.broker_port) and not accepts(self.rest_port)


@pytest.mark.parametrize("broker", ["auto", "amqtt"])
def test_from_nothing_to_names_and_back(tmp_path: Path, broker: str) -> None:
    demo = Demo(tmp_path / "data", "--for", "6", "--rate", "2", "--broker", broker)
    out = demo.ends()
    assert demo.process.returncode == 0, out
    assert "Gateway: ready" in out
    assert "Barack Obama" in out
    assert demo.nothing_is_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_in_order(tmp_path: Path, number: signal.Signals) -> None:
    demo = Demo(tmp_path / "data")
    wait_for(lambda: accepts(demo.rest_port), 60)
    os.kill(demo.process.pid, number)
    out = demo.ends()
    assert demo.process.returncode == 0, out
    assert demo.nothing_is_left()


def test_a_gateway_that_cannot_start_is_told_with_its_own_words(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text("no_such_setting: 1\n")
    demo = Demo(tmp_path / "data", "--config", str(config))
    out = demo.ends()
    assert demo.process.returncode == 1
    assert "The gateway ended by itself." in out
    assert "no_such_setting" in out
    assert demo.nothing_is_left()


def test_a_rest_port_that_is_taken_is_refused_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SimError, match=f"REST port {port} is taken"):
            refuse_taken(port)
