from __future__ import annotations

import importlib.util
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_sim import broker_choice as module
from device_sim.broker_choice import BrokerChoice, choose_broker, find_refusal, run_broker
from device_sim.connection import Broker
from device_sim.errors import ChildEnded, SimError
from device_sim.inbox import Inbox
from tests import support
from tests.support import ROOT, broker_running, free_port

CONF = ROOT / "config" / "mosquitto.conf"
HAS = {"mosquitto": support.MOSQUITTO is not None, "amqtt": importlib.util.find_spec("amqtt") is not None}


@pytest.fixture
def no_mosquitto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOSQUITTO_PATHS", ("no-such-program",))


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which a program listens that is not a broker."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_choice_uses_a_running_broker_that_accepts_connections(broker: support.Broker) -> None:
    choice = choose_broker("auto", broker.port)
    assert (choice.own, choice.broker.port) == (None, broker.port)
    with run_broker(choice, conf=CONF, log=Path("never-written"), inbox=Inbox()) as child:
        assert child is None


@pytest.mark.skipif(not HAS["mosquitto"], reason="mosquitto is not installed")
def test_choice_prefers_mosquitto() -> None:
    port = free_port()
    choice = choose_broker("auto", port)
    assert (choice.own, choice.broker.port) == ("mosquitto", port)


@pytest.mark.skipif(not HAS["amqtt"], reason="amqtt is not installed")
def test_choice_uses_amqtt_without_mosquitto(no_mosquitto: None) -> None:
    choice = choose_broker("auto", free_port())
    assert choice.own == "amqtt"
    assert "because mosquitto is not installed" in choice.why


def test_choice_without_any_broker_is_an_error(no_mosquitto: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SimError, match="neither mosquitto nor amqtt"):
        choose_broker("auto", free_port())


def test_choice_avoids_a_port_of_another_program(taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", 0.3)
    choice = choose_broker("amqtt", taken_port)
    assert choice.broker.port != taken_port
    assert f"Port {taken_port} is taken" in choice.why


@pytest.mark.skipif(not HAS["mosquitto"], reason="amqtt lets everybody in here")
def test_choice_avoids_a_broker_that_requires_a_password(tmp_path: Path) -> None:
    port = free_port()
    with broker_running(tmp_path, port, f"\nlistener {port} 127.0.0.1\nallow_anonymous false\n"):
        choice = choose_broker("auto", port)
    assert choice.broker.port != port
    assert "not authorized" in choice.why


def test_chosen_kind_starts_beside_a_running_broker(broker: support.Broker) -> None:
    choice = choose_broker("amqtt", broker.port)
    assert choice.own == "amqtt"
    assert choice.broker.port != broker.port


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_started_broker_accepts_connections_and_ends_with_the_context(kind: str, tmp_path: Path) -> None:
    if not HAS[kind]:
        pytest.skip(f"{kind} is not installed")
    choice = choose_broker(kind, free_port())
    with run_broker(choice, conf=CONF, log=tmp_path / "log", inbox=Inbox()):
        assert find_refusal(choice.broker) is None
    assert find_refusal(choice.broker) is not None


@pytest.mark.skipif(not HAS["amqtt"], reason="amqtt is not installed")
def test_started_amqtt_prints_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    choice = choose_broker("amqtt", free_port())
    with run_broker(choice, conf=CONF, log=log, inbox=Inbox()):
        assert find_refusal(choice.broker) is None
    assert log.read_text() == ""


@pytest.mark.skipif(not HAS["mosquitto"], reason="mosquitto is not installed")
def test_broker_that_cannot_start_is_reported_with_its_reason(tmp_path: Path) -> None:
    choice = BrokerChoice(Broker(port=free_port()), "mosquitto", "")
    broker = run_broker(choice, conf=tmp_path / "absent.conf", log=tmp_path / "log", inbox=Inbox())
    with pytest.raises(ChildEnded, match=r"mosquitto ended unexpectedly\."), broker:
        pytest.fail("it cannot run")


def test_broker_module_can_be_run() -> None:
    assert module._command("amqtt", CONF, 1)[:3] == [sys.executable, "-m", "device_sim.broker"]
