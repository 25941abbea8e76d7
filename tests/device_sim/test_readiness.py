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
from device_sim.children import Child
from device_sim.errors import ChildEnded, SimError
from device_sim.inbox import Inbox, Stop
from device_sim.readiness import Status, ask, read, wait_until_ready
from gateway.app import Gateway
from gateway.config import Settings
from tests.support import free_port, wait_for

STARTING = {
    "schema": 1,
    "status": "starting",
    "broker": "connected",
    "workers": {"ready": 1, "of": 2},
    "known_faces": {"done": 3, "of": 5},
}


@contextmanager
def answering(*documents: object) -> Iterator[int]:
    """A server that gives these answers in turn, the last one for ever; its port."""
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
def child(folder: Path, code: str = "import time; time.sleep(600)") -> Iterator[Child]:
    with Child("The gateway", [sys.executable, "-c", code], log=folder / "gateway.log") as child:
        yield child


def test_a_start_is_shown_as_far_as_it_has_come() -> None:
    status = read(json.dumps(STARTING).encode())
    assert status == Status(ready=False, broker="connected", workers=(1, 2), known_faces=(3, 5))
    assert str(status) == "broker connected, workers 1 of 2, known faces 3 of 5"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"status": "starting"}', b'{"status": "starting", "workers": 3}']
)
def test_an_answer_that_makes_no_sense_is_none(body: bytes) -> None:
    assert read(body) is None


def test_nobody_there_is_no_answer() -> None:
    assert ask(free_port()) is None


def test_waiting_shows_each_step_and_ends_when_ready(tmp_path: Path) -> None:
    seen: list[str] = []
    with answering(STARTING, {"schema": 1, "status": "ready"}) as port, child(tmp_path) as gateway:
        wait_until_ready(port, gateway, Inbox(), lambda status: seen.append(str(status)))
    assert seen == ["broker connected, workers 1 of 2, known faces 3 of 5", "ready"]


def test_a_gateway_that_ends_early_is_not_waited_for(tmp_path: Path) -> None:
    ending = child(tmp_path, "import sys; sys.exit('known_faces: not a folder')")
    with ending as gateway, pytest.raises(ChildEnded, match="known_faces: not a folder"):
        wait_until_ready(free_port(), gateway, Inbox(), lambda _status: None)


def test_waiting_is_bounded_and_says_how_far_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "STARTING", 2)
    with answering(STARTING) as port, child(tmp_path) as gateway, pytest.raises(SimError, match="workers 1 of 2"):
        wait_until_ready(port, gateway, Inbox(), lambda _status: None)


def test_waiting_can_be_stopped(tmp_path: Path) -> None:
    inbox = Inbox()
    inbox.stop()
    with child(tmp_path) as gateway, pytest.raises(Stop):
        wait_until_ready(free_port(), gateway, inbox, lambda _status: None)


def test_the_gateway_answers_as_we_read_it(gateway: Gateway, gateway_settings: Settings) -> None:
    wait_for(lambda: ask(gateway_settings.rest.port) == Status(ready=True, broker="connected"))
