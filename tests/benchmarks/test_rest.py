"""The benchmark of the REST interface: its figures, its clients, and its plain server."""

from __future__ import annotations

import io
import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from flask import Flask

from benchmarks.rest.clients import ClientsResult, ClientsTask, form_of, run_clients
from benchmarks.rest.figures import compare, compare_streams, in_limits, p95_ms
from benchmarks.rest.plain_server import create_plain_app
from benchmarks.rest.setup import KNOWN_FACES
from benchmarks.rest.streams import StreamsTask, open_streams
from device_sim.errors import SimError
from gateway.rest.forms import read_form
from tests.support import frame, free_port


def result(*latencies: float, seconds: float = 10.0, **codes: int) -> ClientsResult:
    return ClientsResult(seconds, 0, list(latencies), {"200": len(latencies), **codes})


def test_p95_is_the_value_that_95_of_100_do_not_exceed() -> None:
    assert p95_ms([number / 1000 for number in range(100, 0, -1)]) == pytest.approx(95)
    assert p95_ms([0.5]) == 500


def test_rates_and_latencies_are_medians_of_the_rounds() -> None:
    facegate = [result(*[0.1] * number) for number in (50, 60, 10)]
    plain = [result(*[1.0] * number) for number in (5, 4, 6)]
    figures = compare(facegate, plain)
    assert figures == {
        "facegate_rps": 5.0,
        "plain_rps": 0.5,
        "ratio": 10.0,
        "p95_ms": 100.0,
        "plain_p95_ms": 1000.0,
        "busy": 0,
        "failed": {},
        "plain_failed": {},
    }


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"ratio": 7.9}, False),
        ({"failed": {"503": 1}}, False),
    ],
)
def test_limits_of_rates(change: dict[str, object], kept: bool) -> None:
    good = {"ratio": 8.0, "failed": {}}
    assert in_limits({"1": {"ratio": 5.0, "failed": {}}, "8": good, "64": {**good, **change}}) is kept


def test_answers_after_the_time_of_sending_count() -> None:
    """Regression: a slow server with many clients answered nothing within the time, and had no figure."""
    plain = [result(*[20.0] * 64, seconds=32.0)]
    assert compare([result(*[1.0] * 64, seconds=4.0)], plain)["ratio"] == 8.0


def test_measurement_without_answers_is_no_figure() -> None:
    with pytest.raises(SimError, match="the plain server answered no request of a round"):
        compare([result(0.1)], [result(0.1), result()])


def test_limit_of_streams() -> None:
    streams = compare_streams([result(0.1), result(0.2), result(0.3)], [result(0.24), result(0.3), result(0.1)])
    assert (streams["alone_p95_ms"], streams["p95_ms"], streams["ratio"]) == (200.0, 240.0, 1.2)
    assert in_limits({"streams": streams})
    assert not in_limits({"streams": {**streams, "ratio": 1.21}})


def test_failed_requests_are_counted_by_their_status() -> None:
    busy = result(0.1, **{"503": 2})
    figures = compare([busy, busy], [result(1.0, TimeoutError=1)])
    assert (figures["failed"], figures["plain_failed"]) == ({"503": 4}, {"TimeoutError": 1})


def test_form_has_the_picture_as_its_file() -> None:
    (part,) = read_form(form_of(frame("obama_1")), "edge")
    assert (part.name, part.content, part.is_file) == ("file", frame("obama_1"), True)


@pytest.mark.parametrize(
    ("picture", "name"), [("obama_1", "Barack Obama"), ("stranger_1", "Unknown"), ("empty_1", "Unknown")]
)
def test_plain_server_recognises(plain_app: Flask, picture: str, name: str) -> None:
    files = {"file": (io.BytesIO(frame(picture)), "picture.jpg")}
    assert plain_app.test_client().post("/face_rec", data=files).get_json() == {"name": name}


@pytest.fixture(scope="module")
def plain_app() -> Flask:
    return create_plain_app(KNOWN_FACES)


@contextmanager
def http_server(*answers: bytes) -> Iterator[int]:
    """Answer the requests of each connection with these bytes in turn."""

    def serve(sock: socket.socket) -> None:
        answer, received = itertools.cycle(answers), b""
        # A client may be gone already.
        with sock, suppress(ConnectionError):
            while data := sock.recv(1_000_000):
                # The last bytes of a request may come in two parts.
                received = received[-1000:] + data
                if b"--edge--\r\n" in received or b"text/event-stream" in received:
                    received = b""
                    sock.sendall(next(answer))

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    with socket.create_server(("127.0.0.1", free_port())) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("status", "good"), [(b"200 OK", True), (b"503 Busy", False)])
def test_clients_send_until_the_time_is_over(status: bytes, good: bool) -> None:
    with http_server(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}") as port:
        found = run_clients(ClientsTask(port, clients=3, seconds=1))
    assert sum(found.codes.values()) >= 3
    assert set(found.codes) == {status[:3].decode()}
    assert bool(found.latencies) is good


def test_client_of_a_busy_server_asks_again_after_the_time_that_it_names() -> None:
    with http_server(
        b"HTTP/1.1 503 Busy\r\nRetry-After: 0.01\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ) as port:
        found = run_clients(ClientsTask(port, clients=1, seconds=1))
    assert found.busy == len(found.latencies) >= 1
    assert set(found.codes) == {"200"}


def test_streams_count_their_events() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    with http_server(answer) as port, open_streams(StreamsTask(port, 5)) as received:
        pass
    assert received == {"events": 0}


def test_refused_stream_ends_the_benchmark() -> None:
    with (
        http_server(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as port,
        pytest.raises(OSError, match="could not be opened"),
        open_streams(StreamsTask(port, 1)),
    ):
        pass
