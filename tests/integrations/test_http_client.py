"""Requests over HTTP: an answer of bounded size and time, or one clear failure."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from gateway.integrations.http_client import FailureKind, HttpClient, HttpFailure, make_tls_context
from tests.support import free_port

OK = b"HTTP/1.1 200 OK\r\nX-Frame-Time: 12.5\r\nContent-Length: 5\r\n\r\nhello"

Answer = Callable[[socket.socket], None]


@contextmanager
def served(answer: Answer, requests: list[bytes] | None = None, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve each connection with the function, once it has sent a request. Give the host and the port."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection: socket.socket) -> None:
        with (
            connection,
            suppress(OSError),
            tls.wrap_socket(connection, server_side=True) if tls else connection as channel,
        ):
            request = read_request(channel)
            if requests is not None:
                requests.append(request)
            answer(channel)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        # close() alone does not wake the thread that accepts connections
        listener.shutdown(socket.SHUT_RDWR)


def read_request(channel: socket.socket) -> bytes:
    """Return the head and the body, which may arrive one after the other."""
    request = channel.recv(65_536)
    length = re.search(rb"content-length: (\d+)", request, re.IGNORECASE)
    while length and len(request.partition(b"\r\n\r\n")[2]) < int(length[1]):
        request += channel.recv(65_536)
    return request


def sending(data: bytes) -> Answer:
    return lambda channel: channel.sendall(data)


def dripping(data: bytes) -> Answer:
    """Return an answer that comes byte by byte, in about 3 s."""

    def drip(channel: socket.socket) -> None:
        for byte in data:
            channel.sendall(bytes((byte,)))
            time.sleep(3 / len(data))

    return drip


def client(url: str, *, total_s: float = 30, verify: bool = True, ca: Path | None = None) -> HttpClient:
    return HttpClient(url, make_tls_context(verify, ca), max_bytes=1000, total_s=total_s)


def failure(url: str, total_s: float = 30) -> FailureKind:
    with pytest.raises(HttpFailure) as caught:
        client(url, total_s=total_s).get("api/version")
    return caught.value.kind


def test_answer_has_status_content_and_headers() -> None:
    with served(sending(OK)) as host:
        answer = client(f"http://{host}").get("api/version")
    assert (answer.status, answer.content, answer.headers["x-frame-time"]) == (200, b"hello", "12.5")


def test_request_has_path_query_document_and_headers() -> None:
    requests: list[bytes] = []
    with served(sending(OK), requests) as host:
        asked = client(f"http://{host}/proxied/")
        asked.get("api/events", {"bbox": 0, "name": "a&b"})
        asked.post("api/login", {"user": "ada"}, {"Authorization": "Bearer x"})
    assert requests[0].startswith(b"GET /proxied/api/events?bbox=0&name=a%26b HTTP/1.1\r\n")
    assert requests[1].startswith(b"POST /proxied/api/login HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer x\r\n" in requests[1]
    assert requests[1].endswith(b'\r\n\r\n{"user":"ada"}')


def test_error_status_is_an_answer() -> None:
    with served(sending(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")) as host:
        assert client(f"http://{host}").get("x").status == 404


REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: http://%s/secret\r\nContent-Length: 0\r\n\r\n"


def test_redirect_is_not_followed() -> None:
    requests: list[bytes] = []
    with served(sending(OK), requests) as inside, served(sending(REDIRECT % inside.encode())) as host:
        assert failure(f"http://{host}") == "redirect"
    assert requests == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + bytes(1001), id="with its length"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(5000), id="without its length"),
    ],
)
def test_answer_over_the_limit_is_refused(answer: bytes) -> None:
    with served(sending(answer)) as host:
        assert failure(f"http://{host}") == "too_large"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 50 + b"\r\nContent-Length: 0\r\n\r\n", id="head"),
        pytest.param(OK[:-5] + b"hello", id="all"),
    ],
)
def test_answer_that_comes_byte_by_byte_is_cut(answer: bytes) -> None:
    """A timeout for each read would never end it."""
    with served(dripping(answer)) as host:
        assert failure(f"http://{host}", total_s=0.5) == "timeout"


def test_silent_program_is_a_timeout() -> None:
    with served(lambda _: time.sleep(3)) as host:
        assert failure(f"http://{host}", total_s=0.3) == "timeout"


@pytest.mark.parametrize("answer", [b"garbage\r\n\r\n", OK[:-2], b"\x00" * 100])
def test_answer_that_is_not_http_is_refused(answer: bytes) -> None:
    with served(sending(answer)) as host:
        assert failure(f"http://{host}") == "no_http"


def test_absent_program_and_unknown_host_are_told_apart() -> None:
    assert failure(f"http://127.0.0.1:{free_port()}") == "refused"
    assert failure("http://no-such-host.invalid") == "unknown_host"


def test_compressed_answers_are_not_asked_for() -> None:
    requests: list[bytes] = []
    with served(sending(OK), requests) as host:
        client(f"http://{host}").get("x")
    assert b"\r\nAccept-Encoding: identity\r\n" in requests[0]


def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")
    with served(sending(OK)) as host:
        assert client(f"http://{host}").get("x").status == 200


def test_certificates_are_verified_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with served(sending(OK), tls=tls) as host:
        assert failure(f"https://{host}") == "tls"
        assert client(f"https://{host}", ca=tmp_path / "ca.pem").get("x").status == 200
        assert client(f"https://{host}", verify=False).get("x").status == 200


def test_plain_port_asked_with_tls_is_said(tmp_path: Path) -> None:
    with served(sending(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as host:
        assert failure(f"https://{host}") == "tls"
