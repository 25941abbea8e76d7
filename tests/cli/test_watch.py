"""``facegate watch``: the announcements of a gateway as lines."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.cli.watch_lines import Announcement, Lines, read_announcement
from gateway.contract.base import WireModel
from gateway.contract.live import write_camera_state, write_event, write_presence
from gateway.model import Person
from gateway.model.sightings import CameraState, Outcome, Presence, PresentPerson, Sighting, SightingEvent
from tests.support import ROOT, Broker, Client, broker_running, free_port, wait_for

ADA = Person("ada_lovelace", "Ada Lovelace")


def announcement(kind: str, document: WireModel, camera: str = "porch") -> Announcement:
    found = read_announcement("home", f"home/{camera}/{kind}", document.model_dump_json().encode())
    assert found is not None
    return found


def event(
    event_type: str, outcome: Outcome = "named", previous: Person | None = None, **fields: object
) -> Announcement:
    sighting = Sighting(
        id="s-1",
        visit="s-1",
        camera="porch",
        since=1000,
        last_seen=1012.34,
        outcome=outcome,
        person=ADA if outcome == "named" else None,
        score=0.934,
        **fields,  # type: ignore[arg-type]
    )
    news = SightingEvent(
        id="e-1",
        event_type=event_type,  # type: ignore[arg-type]
        timestamp=1012,
        sighting=sighting,
        previous=previous,
    )
    return announcement("event", write_event(news))


def sentence(news: Announcement, lines: Lines | None = None) -> str | None:
    """Return the line without its time and its camera."""
    line = (lines or Lines()).write(news)
    return line and line.split("  ", 2)[2].strip()


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        (event("appeared", "undecided"), "a face appeared"),
        (event("recognised"), "Ada Lovelace came (score 0.93)"),
        (event("stranger", "stranger", unknown=3, seen=5), "a stranger (unknown 3, visit 5) came"),
        (event("stranger", "stranger"), "a stranger came"),
        (event("changed", previous=Person("joe", "Joe Biden")), "Joe Biden is Ada Lovelace"),
        (event("changed"), "the stranger is Ada Lovelace"),
        (event("ended", reason="left"), "Ada Lovelace left after 12.3 s"),
        (event("ended", reason="camera_lost"), "Ada Lovelace left after 12.3 s: the camera sends nothing any more"),
        (event("ended", "too_dark", reason="left"), "somebody who could not be recognised left after 12.3 s"),
        (event("not_them"), "a user says: this is not Ada Lovelace"),
        (event("confirmed"), "a user says: this is Ada Lovelace"),
    ],
)
def test_each_event_is_a_sentence(news: Announcement, expected: str) -> None:
    assert sentence(news) == expected


def test_presence_is_printed_when_it_changes() -> None:
    lines = Lines()
    present = Presence(camera="porch", people=(PresentPerson(ADA, 1000),), strangers=1)
    nobody = Presence(camera="porch", last_text="Ada Lovelace", last_at=0)
    shown = [sentence(announcement("present", write_presence(each)), lines) for each in (present, present, nobody)]
    assert shown[:2] == ["now: Ada Lovelace, 1 stranger", None]
    assert str(shown[2]).startswith("now: nobody (last: Ada Lovelace, ")


def test_state_of_a_camera_is_printed_when_it_changes() -> None:
    lines = Lines()
    states = [
        CameraState(camera="porch", connected=True, last_frame=1),
        CameraState(camera="porch", connected=True, last_frame=11),
        CameraState(camera="porch", connected=False, last_frame=11),
        CameraState(camera="porch", enabled=False),
    ]
    assert [sentence(announcement("state", write_camera_state(each)), lines) for each in states] == [
        "the camera is connected",
        None,
        "the camera is not connected",
        "recognition is switched off",
    ]


@pytest.mark.parametrize("payload", [b"", b"no JSON", b"[1]", b"\xff", b"[" * 100_000])
def test_unreadable_message_is_ignored(payload: bytes) -> None:
    assert read_announcement("home", "home/porch/event", payload) is None


@pytest.mark.parametrize("document", [{}, {"event_type": "ended"}, {"event_type": "recognised", "score": None}])
def test_incomplete_event_does_not_end_the_command(document: dict[str, object]) -> None:
    news = read_announcement("home", "home/porch/event", json.dumps(document).encode())
    assert news is not None
    assert sentence(news) == "a message on event cannot be read"


def test_name_cannot_write_to_the_terminal() -> None:
    document = {"text": "\x1b[31mAda\nLovelace"}
    line = Lines().write(Announcement("present", "porch", document, 0))
    assert line is not None
    assert line.isprintable()


class Watch:
    """The running command. ``lines``: of its standard output so far."""

    def __init__(self, broker: Broker, *options: str) -> None:
        command = [sys.executable, "-m", "gateway", "watch", "--port", str(broker.port), "--base", "watched", *options]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def has_line(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal, and return the exit code and standard error."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert self.process.stderr is not None
        return code, self.process.stderr.read()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@contextmanager
def watching(broker: Broker, *options: str) -> Iterator[Watch]:
    """Run the command, and wait for its first line: the gateway is online."""
    watch = Watch(broker, *options)
    try:
        wait_for(lambda: watch.has_line("online"), 60)
        yield watch
    finally:
        watch.close()


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    """A client that plays the gateway on the base topic ``watched``."""
    client = Client(broker.port)
    client.publish("watched/bridge/state", b'{"state":"online"}', retain=True)
    yield client
    client.publish("watched/bridge/state", b"", retain=True)
    client.close()


def test_watch_prints_news_until_ctrl_c(broker: Broker, client: Client) -> None:
    with watching(broker) as watch:
        client.publish("watched/porch/event", json.dumps(event("recognised").document).encode())
        wait_for(lambda: watch.has_line("  porch             Ada Lovelace came (score 0.93)\n"))
        assert watch.end(signal.SIGINT) == (0, "")


def test_watch_prints_documents_as_json_until_sigterm(broker: Broker, client: Client) -> None:
    document = event("recognised").document
    with watching(broker, "--json") as watch:
        client.publish("watched/porch/event", json.dumps(document).encode())
        wait_for(lambda: len(watch.lines) == 2)
        assert json.loads(watch.lines[1]) == {"kind": "event", "camera": "porch", "document": document}
        assert watch.end(signal.SIGTERM) == (0, "")


@pytest.mark.slow
def test_watch_connects_again_after_a_restart_of_the_broker(tmp_path: Path) -> None:
    with broker_running(tmp_path) as broker:
        first = Client(broker.port)
        first.publish("watched/bridge/state", b'{"state":"online"}', retain=True)
        with watching(broker) as watch:
            first.close()
            broker.stop()
            broker.start()
            # The message is retained: the command gets it whenever it is connected again.
            second = Client(broker.port)
            second.publish("watched/bridge/state", b'{"state":"offline"}', retain=True)
            wait_for(lambda: watch.has_line("the gateway is offline"), 60)
            second.close()
            code, errors = watch.end(signal.SIGINT)
    assert code == 0
    assert "the connection to the broker is lost" in errors


@pytest.mark.slow
def test_missing_broker_is_an_error_with_advice() -> None:
    command = [sys.executable, "-m", "gateway", "watch", "--host", "127.0.0.1", "--port", str(free_port())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert done.stderr.startswith("facegate: no broker can be reached at 127.0.0.1:")
    assert "--host, --port" in done.stderr


def test_absent_gateway_is_hinted_at(broker: Broker) -> None:
    command = [sys.executable, "-m", "gateway", "watch", "--port", str(broker.port), "--base", "nobody", "--for", "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "no gateway is known on this broker below nobody/" in done.stderr


@pytest.mark.slow
def test_wrong_base_is_an_error() -> None:
    command = [sys.executable, "-m", "gateway", "watch", "--base", "a b"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (78, "facegate: --base 'a b' is not valid.\n")
