"""Notifications to systemd, received by a socket like its own."""

from __future__ import annotations

import queue
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import systemd as module
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.systemd import SystemdNotifier
from tests.support import WAIT_S, wait_for

READY = Health(
    MqttHealth(True, True, True), 1, 1, workers_maintained=True, store=True, known_faces=ImportProgress(finished=True)
)
AWAY = replace(READY, mqtt=MqttHealth(True, False, False))
DEAD = replace(READY, mqtt=MqttHealth(False, True, True))


class Systemd:
    """A receiver that takes every message immediately, as systemd does: its queue holds only a few."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0.05)
        self._socket = sock
        self._messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def receive(self, seconds: float = 20) -> list[str]:
        """Return the lines of the next message. Raise queue.Empty if none comes."""
        return self._messages.get(timeout=seconds).decode().split("\n")

    def receives_nothing(self, seconds: float = 0.2) -> bool:
        try:
            self.receive(seconds)
        except queue.Empty:
            return True
        return False

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                self._messages.put(self._socket.recv(4096))


@pytest.fixture
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_INTERVAL_S", 0.02)


@pytest.fixture(params=["path", "abstract"])
def systemd(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_interval: None
) -> Iterator[Systemd]:
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("abstract sockets are Linux's own")
    address = str(tmp_path / "notify") if request.param == "path" else f"@facegate-{secrets.token_hex(6)}"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + address[1:] if address.startswith("@") else address)
        with closing(Systemd(sock)) as systemd:
            yield systemd


class ReportedGateway:
    """A gateway whose health is reported; a test may change it."""

    def __init__(self, health: Health) -> None:
        self.health = health
        self.notifier = SystemdNotifier(lambda: self.health)


@pytest.fixture
def reported() -> Iterator[ReportedGateway]:
    reported = ReportedGateway(READY)
    yield reported
    reported.notifier.stop()


def test_ready_gateway_reports_ready_and_in_the_end_stopping(systemd: Systemd, reported: ReportedGateway) -> None:
    reported.notifier.start()
    assert systemd.receive() == ["WATCHDOG=1", "READY=1", "STATUS=ready"]
    reported.notifier.stop()
    messages = [systemd.receive()]
    while messages[-1] != ["STOPPING=1"]:
        messages.append(systemd.receive())
    assert systemd.receives_nothing()


def test_gateway_without_a_broker_is_alive_and_not_ready(systemd: Systemd, reported: ReportedGateway) -> None:
    """Regression: without a broker the gateway was restarted again and again, and REST did not work either."""
    reported.health = AWAY
    reported.notifier.start()
    for _ in range(3):
        assert systemd.receive() == ["WATCHDOG=1", "STATUS=not ready: no connection to the broker"]
    reported.health = READY
    wait_for(lambda: "READY=1" in systemd.receive())


@pytest.mark.parametrize(
    ("health", "status"),
    [
        (
            replace(READY, mqtt=MqttHealth(True, True, False)),
            "not ready: the loopback message did not come back from the broker",
        ),
        (replace(READY, workers_ready=0), "not ready: no worker process is ready"),
        (replace(READY, store=False), "not ready: the people store accepts no changes"),
        (replace(READY, known_faces=ImportProgress()), "not ready: known faces are being imported"),
        (replace(AWAY, workers_ready=0), "not ready: no connection to the broker, no worker process is ready"),
    ],
)
def test_status_names_the_missing_part(
    systemd: Systemd, reported: ReportedGateway, health: Health, status: str
) -> None:
    reported.health = health
    reported.notifier.start()
    assert systemd.receive() == ["WATCHDOG=1", f"STATUS={status}"]


@pytest.mark.parametrize("health", [DEAD, replace(READY, workers_maintained=False)])
def test_gateway_with_a_dead_thread_is_not_reported_alive(
    systemd: Systemd, reported: ReportedGateway, health: Health
) -> None:
    """Regression: WATCHDOG=1 was sent for ever by a gateway whose connection had lost its thread."""
    reported.health = health
    reported.notifier.start()
    for _ in range(3):
        assert systemd.receive() == ["STATUS=not ready: a thread does not respond"]


def test_notifier_without_systemd_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = SystemdNotifier(lambda: READY)
    notifier.start()
    assert not notifier._thread.is_alive()
    notifier.stop()


def test_missing_systemd_stops_nothing_and_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, short_interval: None
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notifier = SystemdNotifier(lambda: READY)
    notifier.start()
    wait_for(lambda: "cannot be reported" in caplog.text)
    time.sleep(0.1)
    assert notifier._thread.is_alive()
    notifier.stop()
    assert caplog.text.count("the state cannot be reported to systemd") == 1


def fill(address: str) -> None:
    """Send as many messages as its queue holds."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, suppress(BlockingIOError):
        sock.setblocking(False)
        sock.connect(address)
        while True:
            sock.send(b"")


def test_systemd_that_reads_nothing_delays_the_shutdown_only_briefly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, short_interval: None
) -> None:
    """Regression: the gateway did not exit: a message for which the queue had no room waited for ever."""
    monkeypatch.setattr(module, "SEND_TIMEOUT_S", 0.1)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        fill(str(tmp_path / "notify"))
        notifier = SystemdNotifier(lambda: READY)
        notifier.start()
        try:
            wait_for(lambda: "cannot be reported" in caplog.text)
        finally:
            stopping = threading.Thread(target=notifier.stop, daemon=True)
            stopping.start()
            stopping.join(WAIT_S)
            is_blocked = stopping.is_alive()
            while is_blocked and notifier._thread.is_alive():
                sock.recv(4096)  # or pytest would not end
    assert not is_blocked
