"""Cameras that are asked for pictures: bounded, and with one clear message for each failure."""

from __future__ import annotations

import base64
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.config.input_sections import PullInput
from gateway.errors import BadImage, Busy, ConfigError, Forbidden, GatewayError
from gateway.integrations.inputs import pulled_camera
from gateway.integrations.inputs.pulled_camera import PulledCamera, split_address
from gateway.model import Operation, Reply, Request
from tests.integrations.inputs.http_camera import Handler, http_camera
from tests.support import WAIT_S, free_port, wait_for

MAX_BYTES = 20_000
SECRET = "open sesame"  # noqa: S105 - of a camera of these tests


def jpeg(number: int) -> bytes:
    """Return something that has the structure of a JPEG."""
    return b"\xff\xd8\xff\xfe\x00\x06%04d\xff\xda\x00\x02data\xff\xd9" % number


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulled_camera, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(pulled_camera, "MAX_PAUSE_S", 0.05)
    monkeypatch.setattr(pulled_camera, "SWITCH_INTERVAL_S", 0.02)


class Gateway:
    """The receiver of the pictures. ``error``: of all replies. ``is_on``: the switch of the camera."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.error: GatewayError | None = None
        self.is_on = True

    def submit(self, request: Request) -> Future[Reply]:
        self.requests.append(request)
        reply: Future[Reply] = Future()
        if self.error is None:
            reply.set_result(None)  # type: ignore[arg-type]
        else:
            reply.set_exception(self.error)
        return reply

    @property
    def pictures(self) -> list[bytes]:
        return [picture for request in self.requests for picture in request.pictures]


@contextmanager
def pulling(gateway: Gateway, url: str, **settings: Any) -> Iterator[PulledCamera]:
    stopping = threading.Event()
    camera = PulledCamera(
        "porch",
        PullInput(url=url, **{"every_s": 0.05, **settings}),
        max_bytes=MAX_BYTES,
        submit=gateway.submit,
        is_followed=lambda _: gateway.is_on,
        stopping=stopping,
    )
    thread = threading.Thread(target=camera.run, daemon=True)
    thread.start()
    try:
        yield camera
    finally:
        stopping.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def counting(send: Callable[[Handler, bytes], None]) -> Callable[[Handler], None]:
    """Return an answer with a new picture for each request."""
    numbers = iter(range(10_000))
    return lambda handler: send(handler, jpeg(next(numbers)))


def snapshot(handler: Handler, picture: bytes) -> None:
    handler.send(picture, Content_Type="image/jpeg")


def test_snapshots_are_live_frames_of_the_camera() -> None:
    gateway = Gateway()
    with http_camera(counting(snapshot)) as server, pulling(gateway, f"{server.url}/snap.jpg?channel=1") as camera:
        wait_for(lambda: len(gateway.requests) >= 3)
        assert camera.warning is None
    first = gateway.requests[0]
    assert (first.operation, first.live, first.origin.camera) == (Operation.FACE_REC, True, "porch")
    assert gateway.pictures[:3] == [jpeg(0), jpeg(1), jpeg(2)]
    assert server.requests[0].path == "/snap.jpg?channel=1"


@pytest.mark.slow
def test_snapshots_come_at_most_at_the_rate() -> None:
    gateway, begin = Gateway(), time.monotonic()
    with http_camera(counting(snapshot)) as server, pulling(gateway, server.url, every_s=0.3):
        wait_for(lambda: len(server.requests) >= 4)
        assert time.monotonic() - begin >= 3 * 0.3


def test_picture_that_is_repeated_is_submitted_once() -> None:
    gateway = Gateway()
    with http_camera(lambda handler: snapshot(handler, jpeg(1))) as server, pulling(gateway, server.url):
        wait_for(lambda: len(server.requests) >= 5)
    assert gateway.pictures == [jpeg(1)]


def stays_the_same(value: Callable[[], object]) -> bool:
    before = value()
    time.sleep(0.3)
    return value() == before


def stream(handler: Handler, *, pictures: int = 100, pause_s: float = 0.01) -> None:
    handler.begin_stream()
    for number in range(pictures):
        handler.wfile.write(b"--frame\r\nContent-Length: 3\r\n\r\n" + jpeg(number) + b"\r\n")
        time.sleep(pause_s)


def test_stream_gives_its_pictures() -> None:
    gateway = Gateway()
    with http_camera(stream) as server, pulling(gateway, server.url, kind="mjpeg"):
        wait_for(lambda: len(gateway.requests) >= 4)
    numbers = [int(picture[6:10]) for picture in gateway.pictures[:4]]
    assert numbers[0] == 0
    assert numbers == sorted(set(numbers))


def test_streams_give_one_picture_in_the_time_of_the_rate() -> None:
    gateway = Gateway()
    with (
        http_camera(lambda handler: stream(handler, pictures=50, pause_s=0)) as server,
        pulling(gateway, server.url, kind="mjpeg", every_s=3600),
    ):
        wait_for(lambda: len(server.requests) >= 3)
    assert gateway.pictures == [jpeg(0)]


def test_stream_that_ends_is_opened_again() -> None:
    gateway = Gateway()
    with (
        http_camera(lambda handler: stream(handler, pictures=2)) as server,
        pulling(gateway, server.url, kind="mjpeg") as camera,
    ):
        wait_for(lambda: len(server.requests) >= 3)
        assert camera.warning is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (lambda handler: handler.send(b"", 401), "snapshot", "it asks for a login: give user and password"),
        (lambda handler: handler.send(b"", 404), "snapshot", r"it has no such path \(status 404\): check url"),
        (lambda handler: handler.send(b"", 503), "mjpeg", "it answers with the status 503"),
        (
            lambda handler: handler.send(b"<html>", Content_Type="text/html"),
            "snapshot",
            "its answer is not a picture, but of the type 'text/html'",
        ),
        (lambda handler: handler.send(bytes(MAX_BYTES + 1)), "snapshot", "the answer has more than 20000 bytes"),
        (lambda handler: handler.send(b"<html>" * 9999), "mjpeg", "its stream has no JPEG of at most 20000 bytes"),
        (lambda handler: handler.send(b"<html>"), "mjpeg", "its stream ended without a JPEG"),
        (lambda _: time.sleep(2), "snapshot", r"no complete answer came within 0\.3 s"),
        (lambda _: time.sleep(2), "mjpeg", r"nothing came for 0\.3 s"),
        (
            lambda handler: handler.send(b"", 302, Location="http://127.0.0.1:1/"),
            "snapshot",
            "it redirects to another address, which is not followed",
        ),
        (lambda handler: handler.send(b"", 302, Location="/other"), "mjpeg", "it redirects to another address"),
    ],
)
def test_failure_has_one_clear_message(
    answer: Callable[[Handler], None], kind: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway()
    with (
        caplog.at_level(logging.INFO, pulled_camera.__name__),
        http_camera(answer) as server,
        # On a busy machine an answer would be later than the short time limit.
        pulling(gateway, f"{server.url}/path?secret=1", kind=kind, timeout_s=0.3 if "came" in reason else 30) as camera,
    ):
        wait_for(lambda: len(server.requests) >= 3)
        (record,) = caplog.records
        assert record.getMessage() == camera.warning
        server.answer = counting(snapshot) if kind == "snapshot" else stream
        wait_for(lambda: gateway.requests and camera.warning is None)
    assert record.levelno == logging.WARNING
    wait_for(lambda: "the camera porch is pulled again" in caplog.text)
    assert "secret" not in record.getMessage()
    expected = rf"The camera porch cannot be pulled: {reason}.* \(http://127\.0\.0\.1:\d+/path, inputs\.pull\.porch\)\."
    assert re.fullmatch(expected, record.getMessage())


@pytest.mark.slow
def test_stream_that_drips_has_a_timeout() -> None:
    def drip(handler: Handler) -> None:
        handler.begin_stream()
        for _ in range(1000):
            handler.wfile.write(b"\xff")
            time.sleep(0.01)

    gateway = Gateway()
    with (
        http_camera(drip) as server,
        pulling(gateway, server.url, kind="mjpeg", timeout_s=0.3) as camera,
    ):
        wait_for(lambda: camera.warning and "had no complete picture for 0.3 s" in camera.warning)


def test_camera_that_is_absent_is_asked_again_until_it_is_there() -> None:
    gateway, port = Gateway(), free_port()
    with pulling(gateway, f"http://127.0.0.1:{port}/") as camera:
        wait_for(lambda: camera.warning and "nothing listens at that address" in camera.warning)
        with http_camera(counting(snapshot), port):
            wait_for(lambda: gateway.requests and camera.warning is None)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["snapshot", "mjpeg"])
def test_camera_that_is_switched_off_is_not_asked(kind: str) -> None:
    gateway = Gateway()
    gateway.is_on = False
    answer = counting(snapshot) if kind == "snapshot" else partial(stream, pictures=10_000)
    with http_camera(answer) as server, pulling(gateway, server.url, kind=kind):
        time.sleep(0.2)
        assert not server.requests
        gateway.is_on = True
        wait_for(lambda: gateway.requests)
        gateway.is_on = False
        # The request that is open now may still end.
        wait_for(lambda: stays_the_same(lambda: (len(server.requests), len(gateway.requests))))


def test_basic_login_is_sent_when_the_camera_asks_for_it(tmp_path: Path) -> None:
    expected = f"Basic {base64.b64encode(b'ada:se cret').decode()}"
    pictures = counting(snapshot)

    def answer(handler: Handler) -> None:
        if handler.headers["Authorization"] == expected:
            pictures(handler)
        else:
            handler.send(b"", 401, WWW_Authenticate='Basic realm="camera"')

    (tmp_path / "password").write_text("se cret\n")
    gateway = Gateway()
    with (
        http_camera(answer) as server,
        pulling(gateway, server.url, user="ada", secret_file=tmp_path / "password"),
    ):
        wait_for(lambda: len(gateway.requests) >= 2)
    assert server.requests[0].headers["Authorization"] is None


def test_digest_login_is_answered() -> None:
    pictures = counting(snapshot)

    def answer(handler: Handler) -> None:
        if (handler.headers["Authorization"] or "").startswith('Digest username="ada", realm="cam", nonce="n1"'):
            pictures(handler)
        else:
            handler.send(b"", 401, WWW_Authenticate='Digest realm="cam", nonce="n1", qop="auth", algorithm=MD5')

    gateway = Gateway()
    with http_camera(answer) as server, pulling(gateway, server.url, user="ada", password=SECRET):
        wait_for(lambda: len(gateway.requests) >= 2)
    assert all(SECRET not in str(request.headers) for request in server.requests)


def test_wrong_login_is_said() -> None:
    def answer(handler: Handler) -> None:
        handler.send(b"", 401, WWW_Authenticate='Basic realm="camera"')

    with http_camera(answer) as server, pulling(Gateway(), server.url, user="ada", password=SECRET) as camera:
        wait_for(lambda: camera.warning and "it refuses the login" in camera.warning)


def test_token_is_sent_as_bearer() -> None:
    gateway = Gateway()
    with http_camera(counting(snapshot)) as server, pulling(gateway, server.url, token=SECRET):
        wait_for(lambda: gateway.requests)
    assert server.requests[0].headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("error", [BadImage("the picture is cut off"), Forbidden("porch may not ask for face_rec")])
def test_refusal_of_the_pictures_is_a_warning_until_one_is_accepted(error: GatewayError) -> None:
    gateway = Gateway()
    gateway.error = error
    with http_camera(counting(snapshot)) as server, pulling(gateway, server.url) as camera:
        wait_for(lambda: camera.warning)
        expected = f"The pictures that are pulled from the camera porch are refused: {error}."
        assert camera.warning == expected
        gateway.error = Busy("later", 1)
        wait_for(lambda: len(gateway.requests) > 5)
        gateway.error = None
        wait_for(lambda: camera.warning is None)


def test_missing_secret_file_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"inputs\.pull\.porch\.secret_file: .*absent cannot be read"),
        pulling(Gateway(), "http://127.0.0.1/", secret_file=tmp_path / "absent"),
    ):
        pass


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://cam", ("http://cam", "")),
        ("http://cam:81/", ("http://cam:81", "")),
        ("https://cam/a/b.jpg?x=1&y=/z", ("https://cam", "a/b.jpg?x=1&y=/z")),
        ("http://[::1]:80?x", ("http://[::1]:80", "?x")),
    ],
)
def test_address_is_split_into_host_and_path(url: str, parts: tuple[str, str]) -> None:
    assert split_address(url) == parts
