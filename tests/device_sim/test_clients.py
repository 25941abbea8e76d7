"""Tests of the example clients, unchanged, with a fake gateway and with the real one."""

from __future__ import annotations

import importlib.util
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from tests.device_sim.fake_gateway import BUSY, INTERNAL, MATCH, FakeReply, ReceivedRequest, run_fake_gateway
from tests.support import MOSQUITTO, ROOT, Broker, Client, broker_running, frame, free_port, holds_in_any_try

CLIENTS = ROOT / "device_sim" / "clients"
PICTURE = ROOT / "device_sim" / "frames" / "obama_1.jpg"
STAND_INS = Path(__file__).parent / "micropython"
# Cameras of a base topic of their own, which the gateway of the other tests does not follow.
BASE = "copied"


class Script:
    """A copy of the script with other constants, as a user makes it."""

    def __init__(self, folder: Path, port: int, base: str = BASE, **changes: str) -> None:
        text = (CLIENTS / "camera_paho.py").read_text()
        changes = {'"127.0.0.1", 1883': f'"127.0.0.1", {port}', "facegate/": f"{base}/", **changes}
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        self._path = folder / "camera.py"
        self._path.write_text(text)

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error", self._path, PICTURE],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self) -> tuple[int, str, str]:
        """Run the script, and return its exit code, output and errors."""
        process = self.start()
        out, err = process.communicate(timeout=60)
        return process.returncode, out.strip(), err.strip()


FASTER = {"30, 2.5, 10 ": "60, 0.3, 1 "}
AT_ONCE = {"30, 2.5, 10 ": "3, 0.3, 1 "}
SOON = {"30, 2.5, 10 ": "5, 0.3, 1 "}


def answer_fourth_request(request: ReceivedRequest) -> list[FakeReply]:
    """Give no reply, then ``busy 1``, then ``internal``, and an answer to the fourth message."""
    reply: list[list[FakeReply]] = [[], [BUSY], [INTERNAL], [MATCH]]
    return reply[min(request.again, 3)]


def test_paho_client_gets_a_verdict_from_the_gateway(gateway: Gateway, broker: Broker, tmp_path: Path) -> None:
    code, out, err = Script(tmp_path, broker.port, "facegate").run()
    assert (code, err) == (0, "")
    assert out.startswith("match ")
    assert out.endswith(" barack_obama")


def test_paho_client_repeats_a_request_until_a_verdict(broker: Broker, tmp_path: Path) -> None:
    def waits_while_busy() -> bool:
        with run_fake_gateway(broker, answer_fourth_request, BASE) as gateway:
            assert Script(tmp_path, broker.port, **FASTER).run() == (0, "match 1 joe", "")
        assert {(request.topic, request.payload) for request in gateway.requests} == {
            (gateway.requests[0].topic, frame("obama_1"))
        }
        times = [request.at for request in gateway.requests]
        return times[2] - times[1] >= 1

    assert holds_in_any_try(waits_while_busy)


def test_paho_client_ignores_verdicts_of_other_runs(broker: Broker, tmp_path: Path) -> None:
    with run_fake_gateway(broker, lambda _: [], BASE):
        script = Script(tmp_path, broker.port, **AT_ONCE)
        first, (code, out, _) = script.run(), script.run()
    assert (code, out) == first[:2] == (1, "No verdict arrived in time.")


def test_paho_client_publishes_its_status(broker: Broker, tmp_path: Path) -> None:
    watcher = Client(broker.port).subscribe(f"{BASE}/status-camera/status")
    script = Script(tmp_path, broker.port, **{'"porch"': '"status-camera"'})
    with run_fake_gateway(broker, lambda request: [MATCH] if request.again else [], BASE):
        process = script.start()
        assert watcher.get().payload == b"online"
        # After a kill the broker publishes the last will.
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert watcher.get().payload == b"offline"
        assert script.run()[1] == "match 1 joe"
    assert [watcher.get().payload for _ in range(2)] == [b"online", b"offline"]
    watcher.close()


def test_paho_client_waits_for_a_broker_and_survives_its_restart(tmp_path: Path) -> None:
    """No broker runs at the start. The first request gets no answer before the broker restarts."""
    port, process = free_port(), None
    away = threading.Event()
    script = Script(tmp_path, port, **FASTER)
    process = script.start()
    with broker_running(tmp_path, port) as own:

        def restart() -> None:
            own.stop()
            own.start()
            away.set()

        def answering(request: ReceivedRequest) -> list[FakeReply]:
            if request.again == 0:
                threading.Thread(target=restart).start()
            return [MATCH] if away.is_set() else []

        with run_fake_gateway(own, answering, BASE):
            assert process.communicate(timeout=60)[0] == "match 1 joe\n"


def test_paho_client_reports_a_refused_connection(tmp_path: Path) -> None:
    port = free_port()
    with broker_running(tmp_path, port, f"\nlistener {port} 127.0.0.1\nallow_anonymous false\n") as own:
        if not own.mqtt5:
            pytest.skip("amqtt lets everybody in here")
        code, _, err = Script(tmp_path, port, **SOON).run()
    assert code == 1
    assert err.startswith("The broker refuses the connection: Not authorized")


@pytest.mark.parametrize(
    ("arguments", "problem"), [([], ""), (["absent.jpg"], "absent.jpg cannot be read (No such file or directory); ")]
)
def test_paho_client_without_a_picture_prints_its_usage(arguments: list[str], problem: str) -> None:
    """Regression: the script ended with a traceback."""
    command = [sys.executable, "-W", "error", str(CLIENTS / "camera_paho.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{problem}usage: camera_paho.py PICTURE.jpg\n"


@pytest.fixture
def board(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Load the script of the ESP32-CAM, with replacements for the modules of MicroPython."""
    monkeypatch.syspath_prepend(STAND_INS)
    for name, value in {
        "ticks_ms": lambda: int(time.monotonic() * 1000),
        "ticks_diff": lambda later, earlier: later - earlier,
        "ticks_add": lambda ticks, more: ticks + more,
        "sleep_ms": lambda ms: time.sleep(ms / 1000),
    }.items():
        monkeypatch.setattr(time, name, value, raising=False)
    spec = importlib.util.spec_from_file_location("camera_micropython", CLIENTS / "camera_micropython.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    camera = f"board{random.randrange(10**6)}"
    changed: dict[str, object] = {"HOST": "127.0.0.1", "PORT": broker.port, "CAMERA": camera.encode()}
    changed |= {"TOPIC": f"{BASE}/{camera}".encode(), "INTERVAL": 10, "FIRST_PAUSE": 300, "LONGEST_PAUSE": 1000}
    for constant, setting in changed.items():
        setattr(module, constant, setting)
    yield module
    for used in ("camera", "machine", "umqtt", "umqtt.simple"):
        sys.modules.pop(used, None)


@pytest.fixture
def device(board: Any) -> Iterator[Any]:
    device = board.Device()
    yield device
    device.hang_up()


def test_micropython_client_gets_a_verdict_from_the_gateway(gateway: Gateway, board: Any, device: Any) -> None:
    board.TOPIC = b"facegate/board"
    assert device.ask(1, frame("obama_1")).startswith(b"match ")
    assert device.ask(2, frame("empty_1")) == b"no_face"


def test_micropython_client_repeats_a_request_until_a_verdict(broker: Broker, device: Any) -> None:
    numbers = itertools.count(1)

    def waits_while_busy() -> bool:
        with run_fake_gateway(broker, answer_fourth_request, BASE) as gateway:
            assert device.ask(next(numbers), b"\xff\xd8\xff") == b"match 1 joe"
        assert len({(request.topic, request.payload) for request in gateway.requests}) == 1
        return gateway.requests[2].at - gateway.requests[1].at >= 1

    assert holds_in_any_try(waits_while_busy)


def test_micropython_client_subscribes_to_verdicts_only(broker: Broker, device: Any) -> None:
    heard: list[bytes] = []
    own = device.heard

    def listen(topic: bytes, text: bytes) -> None:
        heard.append(topic)
        own(topic, text)

    device.heard = listen
    with run_fake_gateway(broker, lambda _: [MATCH], BASE):
        device.ask(1, b"\xff\xd8\xff")
    # amqtt also sends retained messages of other topics.
    ours = [topic.split(b"/") for topic in heard if topic.startswith(BASE.encode())]
    assert {levels[2] for levels in ours} == {b"verdict"}


def test_micropython_client_gives_up_at_the_deadline(board: Any, device: Any) -> None:
    board.DEADLINE = 700
    assert device.ask(1, b"\xff\xd8\xff") == b""


def test_micropython_client_limits_the_packet_id(broker: Broker, device: Any) -> None:
    """All messages use one connection: packet id 0, which makes the broker close it, was never sent."""
    with run_fake_gateway(broker, lambda _: [MATCH], BASE):
        assert device.ask(0, b"\xff\xd8\xff") == b"match 1 joe"
        connection, connection.pid = device.client, 65_532
        for number in range(1, 8):
            assert device.ask(number, b"\xff\xd8\xff") == b"match 1 joe"
    assert device.client is connection
    # On a slow machine there are more repetitions.
    assert 4 <= connection.pid < 20


@pytest.mark.skipif(MOSQUITTO is None, reason="amqtt says nothing to it")
def test_broker_closes_the_connection_at_packet_id_0(broker: Broker, device: Any) -> None:
    """The script limits its packet ids for this reason."""
    device.connect()
    device.client.pid = 65_534
    device.client.publish(b"t", b"", False, 1)
    with pytest.raises(OSError):  # noqa: PT011 - umqtt raises no other error
        device.client.publish(b"t", b"", False, 1)


def test_micropython_client_reconnects_after_a_broker_restart(board: Any, device: Any, tmp_path: Path) -> None:
    with broker_running(tmp_path) as own, run_fake_gateway(own, lambda _: [MATCH], BASE):
        board.PORT = own.port
        assert device.ask(1, b"\xff\xd8\xff") == b"match 1 joe"
        own.stop()
        own.start()
        assert device.ask(2, b"\xff\xd8\xff") == b"match 1 joe"


def test_micropython_client_sends_one_picture_after_another(
    broker: Broker, board: Any, device: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    board.Device = lambda: device
    board.FIRST_PAUSE = board.LONGEST_PAUSE = 20_000
    watcher = Client(broker.port).subscribe(os.fsdecode(board.TOPIC) + "/status")
    board.camera.pictures += [b"\xff\xd8\xff1", b"\xff\xd8\xff2"]
    with run_fake_gateway(broker, lambda _: [MATCH], BASE) as gateway, pytest.raises(board.camera.Unplugged):
        board.main()
    assert capsys.readouterr().out == "match 1 joe\n" * 2
    assert [request.payload for request in gateway.requests] == [b"\xff\xd8\xff1", b"\xff\xd8\xff2"]
    assert len({request.topic for request in gateway.requests}) == 2
    assert watcher.get().payload == b"online"
    assert board.machine.WDT.fed > 0
    watcher.close()
