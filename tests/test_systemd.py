"""What systemd hears of us, by a socket as it has one."""

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
from gateway.health import Health, MqttHealth
from gateway.people.folder.importer import ImportProgress
from gateway.systemd import SystemdNotifier
from tests.support import WAIT_S, wait_for

READY = Health(
    MqttHealth(True, True, True), 1, 1, workers_maintained=True, store=True, known_faces=ImportProgress(finished=True)
)
AWAY = replace(READY, mqtt=MqttHealth(True, False, False))
DEAD = replace(READY, mqtt=MqttHealth(False, True, True))


class Systemd:
    """Takes every message at once, as systemd does: its queue has room for few."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0.05)
        self._socket = sock
        self._messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def hears(self, seconds: float = 20) -> list[str]:
        """The next message, by lines. Raises queue.Empty if none comes."""
        return self._messages.get(timeout=seconds).decode().split("\n")

    def hears_nothing(self, seconds: float = 0.2) -> bool:
        try:
            self.hears(seconds)
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
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.02)


@pytest.fixture(params=["path", "abstract"])
def systemd(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brisk: None
) -> Iterator[Systemd]:
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("abstract sockets are Linux's own")
    address = str(tmp_path / "notify") if request.param == "path" else f"@facegate-{secrets.token_hex(6)}"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + address[1:] if address.startswith("@") else address)
        with closing(Systemd(sock)) as systemd:
            yield systemd


class Patient:
    """Whose health is told; it may change."""

    def __init__(self, health: Health) -> None:
        self.health = health
        self.supervisor = SystemdNotifier(lambda: self.health)


@pytest.fixture
def patient() -> Iterator[Patient]:
    patient = Patient(READY)
    yield patient
    patient.supervisor.stop()


def test_ready_alive_and_at_its_end_stopping(systemd: Systemd, patient: Patient) -> None:
    patient.supervisor.start()
    assert systemd.hears() == ["WATCHDOG=1", "READY=1", "STATUS=ready"]
    patient.supervisor.stop()
    told = [systemd.hears()]
    while told[-1] != ["STOPPING=1"]:
        told.append(systemd.hears())
    assert systemd.hears_nothing()


def test_without_a_broker_it_is_alive_and_not_ready(systemd: Systemd, patient: Patient) -> None:
    """Restarted again and again since the broker was away, the gateway recognised nobody over REST either."""
    patient.health = AWAY
    patient.supervisor.start()
    for _ in range(3):
        assert systemd.hears() == ["WATCHDOG=1", "STATUS=not ready: no broker"]
    patient.health = READY
    wait_for(lambda: "READY=1" in systemd.hears())


@pytest.mark.parametrize(
    ("health", "status"),
    [
        (replace(READY, mqtt=MqttHealth(True, True, False)), "not ready: our own message is not back from the broker"),
        (replace(READY, workers_ready=0), "not ready: no worker"),
        (replace(READY, store=False), "not ready: the store takes no change"),
        (replace(READY, known_faces=ImportProgress()), "not ready: known faces are read"),
        (replace(AWAY, workers_ready=0), "not ready: no broker, no worker"),
    ],
)
def test_the_status_says_what_is_missing(systemd: Systemd, patient: Patient, health: Health, status: str) -> None:
    patient.health = health
    patient.supervisor.start()
    assert systemd.hears() == ["WATCHDOG=1", f"STATUS={status}"]


@pytest.mark.parametrize("health", [DEAD, replace(READY, workers_maintained=False)])
def test_who_is_not_alive_is_not_reported_to_be(systemd: Systemd, patient: Patient, health: Health) -> None:
    """The watchdog of a gateway whose connection had no thread any more was fed for ever."""
    patient.health = health
    patient.supervisor.start()
    for _ in range(3):
        assert systemd.hears() == ["STATUS=not ready: a thread does not answer"]


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    supervisor = SystemdNotifier(lambda: READY)
    supervisor.start()
    assert not supervisor._thread.is_alive()
    supervisor.stop()


def test_a_systemd_that_is_not_there_stops_nobody_and_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, brisk: None
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    supervisor = SystemdNotifier(lambda: READY)
    supervisor.start()
    wait_for(lambda: "cannot be told" in caplog.text)
    time.sleep(0.1)
    assert supervisor._thread.is_alive()
    supervisor.stop()
    assert caplog.text.count("systemd cannot be told how we are") == 1


def fill(address: str) -> None:
    """With as many messages as wait there at once."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, suppress(BlockingIOError):
        sock.setblocking(False)
        sock.connect(address)
        while True:
            sock.send(b"")


def test_a_systemd_that_stands_still_holds_up_the_end_for_moments_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, brisk: None
) -> None:
    """The gateway did not end, since one message more than its queue had room for waited for ever."""
    monkeypatch.setattr(module, "TELL_S", 0.1)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        fill(str(tmp_path / "notify"))
        supervisor = SystemdNotifier(lambda: READY)
        supervisor.start()
        try:
            wait_for(lambda: "cannot be told" in caplog.text)
        finally:
            stopping = threading.Thread(target=supervisor.stop, daemon=True)
            stopping.start()
            stopping.join(WAIT_S)
            stood_still = stopping.is_alive()
            while stood_still and supervisor._thread.is_alive():
                sock.recv(4096)  # or pytest would not end
    assert not stood_still
