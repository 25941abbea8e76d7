"""Tests of the demo in a separate process, with its own broker and gateway."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from device_sim.demo import check_port_free
from device_sim.errors import SimError
from tests.e2e.gateway_processes import retained_messages
from tests.support import ROOT, Client, accepts, broker_running, free_port, prepare_data_folder, wait_for


class Demo:
    def __init__(self, data: Path, *arguments: str, broker_port: int | None = None) -> None:
        self.data = prepare_data_folder(data)
        self.broker_port, self.rest_port = broker_port or free_port(), free_port()
        ports = ["--broker-port", str(self.broker_port), "--rest-port", str(self.rest_port)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "device_sim.demo", "--data", str(data), *ports, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_for_end(self, seconds: float = 120) -> str:
        """Wait for the end of the demo, and return its output."""
        out, _ = self.process.communicate(timeout=seconds)
        return out

    def no_process_is_left(self) -> bool:
        return not accepts(self.broker_port) and not accepts(self.rest_port)


@pytest.mark.parametrize("broker", ["auto", "amqtt"])
def test_demo_prints_names_and_ends_all_processes(tmp_path: Path, broker: str) -> None:
    demo = Demo(tmp_path / "data", "--for", "12", "--rate", "2", "--broker", broker)
    out = demo.wait_for_end()
    assert demo.process.returncode == 0, out
    assert "Gateway: ready" in out
    assert "Barack Obama" in out
    assert re.search(r"^demo-\d   \* (Barack Obama|Joe Biden|Grace Hopper) came$", out, re.MULTILINE)
    assert demo.no_process_is_left()
    # The Home Assistant of a household that has this broker would keep the devices of the demo.
    retained = (demo.data / "retained.json").read_text()
    assert "facegate/demo-1/present" in retained
    assert "homeassistant/" not in retained


def test_demo_leaves_nothing_at_a_broker_that_goes_on(tmp_path: Path) -> None:
    """Regression: the broker of a household kept the cameras and people of the demo for ever."""
    with broker_running(tmp_path) as broker:
        other = Client(broker.port)
        other.publish("facegate/porch/present", b"of a gateway that is off now", retain=True)
        demo = Demo(tmp_path / "data", "--for", "10", "--rate", "2", broker_port=broker.port)
        wait_for(lambda: "facegate/demo-1/present" in retained_messages(broker.port), 60)
        out = demo.wait_for_end()
        assert demo.process.returncode == 0, out
        assert "the one that already runs" in out
        assert list(retained_messages(broker.port)) == ["facegate/porch/present"]
        other.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_ends_all_processes_after_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    demo = Demo(tmp_path / "data")
    wait_for(lambda: accepts(demo.rest_port), 60)
    os.kill(demo.process.pid, number)
    out = demo.wait_for_end()
    assert demo.process.returncode == 0, out
    assert demo.no_process_is_left()


def test_demo_reports_a_gateway_that_cannot_start(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text("no_such_setting: 1\n")
    demo = Demo(tmp_path / "data", "--config", str(config))
    out = demo.wait_for_end()
    assert demo.process.returncode == 1
    assert "The gateway ended unexpectedly." in out
    assert "no_such_setting" in out
    assert demo.no_process_is_left()


def test_demo_refuses_a_rest_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SimError, match=f"REST port {port} is in use"):
            check_port_free(port)
