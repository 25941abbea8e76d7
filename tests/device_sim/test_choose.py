from __future__ import annotations

import importlib.util
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_sim import choose as module
from device_sim.choose import Choice, choose, running, try_out
from device_sim.errors import ChildEnded, SimError
from device_sim.inbox import Inbox
from device_sim.link import Broker
from tests import support
from tests.support import ROOT, broker_running, free_port

CONF = ROOT / "config" / "mosquitto.conf"
HAS = {"mosquitto": support.MOSQUITTO is not None, "amqtt": importlib.util.find_spec("amqtt") is not None}


@pytest.fixture
def no_mosquitto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOSQUITTO_PATHS", ("no-such-program",))


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which something listens that is no broker."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_broker_that_runs_and_lets_us_in_is_used(broker: support.Broker) -> None:
    choice = choose("auto", broker.port)
    assert (choice.own, choice.broker.port) == (None, broker.port)
    with running(choice, conf=CONF, log=Path("never-written"), inbox=Inbox()) as child:
        assert child is None


@pytest.mark.skipif(not HAS["mosquitto"], reason="mosquitto is not installed")
def test_mosquitto_comes_first() -> None:
    port = free_port()
    choice = choose("auto", port)
    assert (choice.own, choice.broker.port) == ("mosquitto", port)


@pytest.mark.skipif(not HAS["amqtt"], reason="amqtt is not installed")
def test_amqtt_is_used_where_mosquitto_is_not_installed(no_mosquitto: None) -> None:
    choice = choose("auto", free_port())
    assert choice.own == "amqtt"
    assert "since mosquitto is not installed" in choice.why


def test_without_any_broker_there_is_one_sentence(no_mosquitto: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SimError, match="neither mosquitto nor amqtt"):
        choose("auto", free_port())


def test_a_port_taken_by_something_else_is_left_alone(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    choice = choose("amqtt", taken)
    assert choice.broker.port != taken
    assert f"Port {taken} is taken" in choice.why


@pytest.mark.skipif(not HAS["mosquitto"], reason="amqtt lets everybody in here")
def test_a_broker_that_wants_a_password_is_left_alone(tmp_path: Path) -> None:
    port = free_port()
    with broker_running(tmp_path, port, f"\nlistener {port} 127.0.0.1\nallow_anonymous false\n"):
        choice = choose("auto", port)
    assert choice.broker.port != port
    assert "not authorized" in choice.why


def test_one_that_we_are_told_to_start_does_not_take_over_one_that_runs(broker: support.Broker) -> None:
    choice = choose("amqtt", broker.port)
    assert choice.own == "amqtt"
    assert choice.broker.port != broker.port


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_our_own_broker_accepts_connections_and_ends_with_us(kind: str, tmp_path: Path) -> None:
    if not HAS[kind]:
        pytest.skip(f"{kind} is not installed")
    choice = choose(kind, free_port())
    with running(choice, conf=CONF, log=tmp_path / "log", inbox=Inbox()):
        assert try_out(choice.broker) is None
    assert try_out(choice.broker) is not None


@pytest.mark.skipif(not HAS["amqtt"], reason="amqtt is not installed")
def test_amqtt_says_nothing_of_its_own_accord(tmp_path: Path) -> None:
    log = tmp_path / "log"
    choice = choose("amqtt", free_port())
    with running(choice, conf=CONF, log=log, inbox=Inbox()):
        assert try_out(choice.broker) is None
    assert log.read_text() == ""


@pytest.mark.skipif(not HAS["mosquitto"], reason="mosquitto is not installed")
def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    choice = Choice(Broker(port=free_port()), "mosquitto", "")
    broker = running(choice, conf=tmp_path / "absent.conf", log=tmp_path / "log", inbox=Inbox())
    with pytest.raises(ChildEnded, match=r"mosquitto ended by itself\."), broker:
        pytest.fail("it cannot run")


def test_the_module_can_be_run_as_the_broker() -> None:
    assert module._command("amqtt", CONF, 1)[:3] == [sys.executable, "-m", "device_sim.broker"]
