from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from device_sim import readiness
from device_sim.child_process import ChildProcess
from device_sim.errors import ChildEnded, SimError
from device_sim.inbox import Inbox, Stopped
from device_sim.readiness import Status, ask, read, wait_until_ready
from gateway.app import Gateway
from gateway.config import Settings
from tests.support import free_port, wait_for

START_TIMEOUT_S = {
    "schema": 1,
    "status": "starting",
    "broker": "connected",
    "workers": {"ready": 1, "of": 2},
    "known_faces": {"done": 3, "of": 5},
}


@contextmanager
def status_server(*documents: object) -> Iterator[int]:
    """Run a server that gives these answers in order and then repeats the last one, and return its port."""
    left = list(documents)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(left.pop(0) if len(left) > 1 else left[0]).encode()
            self.send_response(503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextmanager
def start_child(folder: Path, code: str = "import time; time.sleep(600)") -> Iterator[ChildProcess]:
    with ChildProcess("The gateway", [sys.executable, "-c", code], log=folder / "gateway.log") as start_child:
        yield start_child


def test_status_shows_the_progress_of_the_start() -> None:
    status = read(json.dumps(START_TIMEOUT_S).encode())
    assert status == Status(ready=False, broker="connected", workers=(1, 2), known_faces=(3, 5))
    assert str(status) == "broker connected, workers 1 of 2, known faces 3 of 5"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"status": "starting"}', b'{"status": "starting", "workers": 3}']
)
def test_read_ignores_an_invalid_answer(body: bytes) -> None:
    assert read(body) is None


def test_ask_without_a_server_returns_none() -> None:
    assert ask(free_port()) is None


def test_wait_until_ready_shows_each_step(tmp_path: Path) -> None:
    seen: list[str] = []
    with status_server(START_TIMEOUT_S, {"schema": 1, "status": "ready"}) as port, start_child(tmp_path) as gateway:
        wait_until_ready(port, gateway, Inbox(), lambda status: seen.append(str(status)))
    assert seen == ["broker connected, workers 1 of 2, known faces 3 of 5", "ready"]


def test_wait_until_ready_ends_with_the_gateway(tmp_path: Path) -> None:
    ending = start_child(tmp_path, "import sys; sys.exit('known_faces: not a folder')")
    with ending as gateway, pytest.raises(ChildEnded, match="known_faces: not a folder"):
        wait_until_ready(free_port(), gateway, Inbox(), lambda _status: None)


def test_wait_until_ready_reports_its_progress_after_the_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "START_TIMEOUT_S", 5)
    with (
        status_server(START_TIMEOUT_S) as port,
        start_child(tmp_path) as gateway,
        pytest.raises(SimError, match="workers 1 of 2"),
    ):
        wait_until_ready(port, gateway, Inbox(), lambda _status: None)


def test_wait_until_ready_can_be_stopped(tmp_path: Path) -> None:
    inbox = Inbox()
    inbox.stop()
    with start_child(tmp_path) as gateway, pytest.raises(Stopped):
        wait_until_ready(free_port(), gateway, inbox, lambda _status: None)


def test_ask_reads_the_answer_of_the_gateway(gateway: Gateway, gateway_settings: Settings) -> None:
    wait_for(lambda: ask(gateway_settings.rest.port) == Status(ready=True, broker="connected"))
