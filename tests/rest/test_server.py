"""The HTTP server over real connections: slow clients, floods of them, and the limits of requests."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from flask import Flask, request

from gateway.config import LimitSettings, RestSettings
from gateway.config.network_sections import RestTlsSettings
from gateway.errors import Forbidden, Unavailable
from gateway.metrics import Metrics
from gateway.rest.cross_site import CrossSiteCheck, add_cross_site_check
from gateway.rest.early_refusals import add_early_refusals
from gateway.rest.problems import add_error_handlers
from gateway.rest.self_signed import make_certificate
from gateway.rest.server import RestServer
from gateway.rest.transport import error_pace
from gateway.rest.transport.connections import MAX_CONNECTIONS
from gateway.rest.transport.environ import CLIENT, HEADER_CHECK
from tests.support import WAIT_S, free_port, wait_for

LIMITS = LimitSettings(bytes=100_000, file_bytes=100_000)
"""Limits with which a body may have 300 kB."""

LARGE = 20_000_000
"""The bytes of a response that no buffer of the system can take."""


@dataclass
class Site:
    """A server with one thread. ``gate``: the route /wait answers when it is open.

    ``header_checks``: requests whose headers alone were checked. ``served``: requests that reached Flask. ``open``: the
    route /guarded may be used.
    """

    port: int
    cert: Path | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    metrics: Metrics = field(default_factory=Metrics)
    header_checks: int = 0
    served: int = 0
    open: bool = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, data: bytes = b"") -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        sock.sendall(data)
        return sock


def application(site: Site) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LIMITS.body_bytes
    add_cross_site_check(app, CrossSiteCheck(["faces.example"]), site.metrics, lambda each: each.environ[CLIENT])
    app.before_request(lambda: guard(site))
    add_early_refusals(app)
    add_error_handlers(app, site.metrics)
    app.add_url_rule("/", "index", view_func=lambda: "served")
    app.add_url_rule("/where", "where", view_func=lambda: request.host + request.script_root)
    app.add_url_rule("/healthz", "healthz", view_func=lambda: "healthy")
    app.add_url_rule("/wait", "wait", view_func=lambda: str(site.gate.wait(WAIT_S)))
    app.add_url_rule("/large", "large", view_func=lambda: bytes(LARGE))
    app.add_url_rule("/guarded", "guarded", view_func=lambda: "let in", methods=["POST"])
    app.add_url_rule("/echo", "echo", view_func=lambda: request.get_data(), methods=["POST"])
    return app


def guard(site: Site) -> None:
    site.served += 1
    site.header_checks += HEADER_CHECK in request.environ
    if request.path == "/guarded" and not site.open:
        raise Forbidden("the route is closed")


@contextmanager
def serving(site: Site, settings: RestSettings) -> Iterator[RestServer]:
    server = RestServer(application(site), settings, LIMITS)
    server.start()
    try:
        yield server
    finally:
        site.gate.set()
        server.stop()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site(free_port())
    with serving(site, RestSettings(port=site.port, threads=1)):
        yield site


@contextmanager
def connections(site: Site, number: int, data: bytes) -> Iterator[Sequence[socket.socket]]:
    """Open connections that send the same bytes. The server may shut some of them at once."""
    opened = []
    for _ in range(number):
        with suppress(ConnectionError):
            opened.append(site.connect(data))
    yield opened
    for sock in opened:
        sock.close()


def read_status(sock: socket.socket) -> int:
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response.status


def get(site: Site, path: str = "/") -> str:
    return requests.get(site.url + path, timeout=WAIT_S).text


@pytest.mark.slow
def test_flood_of_errors_waits_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_pace, "FREE_ERRORS", 0)
    monkeypatch.setattr(error_pace, "ERRORS_PER_S", 0.001)
    monkeypatch.setattr(error_pace, "MAX_DELAY_S", 1_000.0)
    site = Site(free_port())
    request = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(site, RestSettings(port=site.port)), connections(site, MAX_CONNECTIONS, request) as flood:
        assert get(site) == "served"
        # Errors wait in a phase in which their connections make room for others.
        wait_for(lambda: any(map(is_shut, flood)))
        assert get(site) == "served"
        assert not any(map(has_answer, flood))


@pytest.mark.parametrize(
    ("size", "accepted"), [(100, True), (16_000, True), (60_000, True), (66_000, False), (250_000, False)]
)
@pytest.mark.parametrize("header", ["Referer", "X-Other"])
def test_headers_over_the_limit_are_refused(site: Site, header: str, size: int, accepted: bool) -> None:
    """Regression: 256 kB were accepted, and a name of that length was translated before it was refused."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=WAIT_S)
    # A navigation, so that the Referer is not compared.
    connection.request("GET", "/", headers={header: "x" * size})
    assert connection.getresponse().status in ({200} if accepted else {400, 431})
    connection.close()


def test_slow_uploads_hold_no_thread(site: Site) -> None:
    begin = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nbegin"
    with connections(site, 100, begin) as slow:
        assert get(site) == "served"
        slow[0].sendall(bytes(100_000 - len(b"begin")))
        assert read_status(slow[0]) == 200


def test_slow_readers_hold_no_thread(site: Site) -> None:
    with connections(site, 20, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n") as slow:
        assert get(site) == "served"
        assert read_status(slow[0]) == 200


def test_response_that_nobody_reads_ends_when_others_need_its_memory(site: Site) -> None:
    """Clients that read 64 kB in 30 s kept 22 MB each, up to 400 of them, for hours."""
    line = b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with site.connect(line) as first:
        assert first.recv(1)
        with site.connect(line) as second:
            assert second.recv(1)
            assert get(site) == "served"
            assert read_up_to(first, LARGE) < LARGE
            assert read_up_to(second, LARGE) >= LARGE


def read_up_to(sock: socket.socket, size: int) -> int:
    """Read so many bytes, or fewer if the connection ends before. Return their number."""
    count = 0
    with suppress(ConnectionError):
        while count < size and (data := sock.recv(1 << 20)):
            count += len(data)
    return count


@pytest.mark.slow
@pytest.mark.parametrize(
    "begin",
    [b"", b"GET / HTTP/1.1\r\nHost: loc", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"],
)
def test_flood_of_slow_connections_shuts_nobody_out(site: Site, begin: bytes) -> None:
    """Regression: 1,000 slow connections shut /healthz."""
    with connections(site, 600 if begin else 1_000, begin) as slow:
        assert get(site, "/healthz") == "healthy"
        wait_for(lambda: sum(is_shut(sock) for sock in slow) >= len(slow) - MAX_CONNECTIONS)
        assert get(site) == "served"


def is_shut(sock: socket.socket) -> bool:
    return peek(sock) == b""


def has_answer(sock: socket.socket) -> bool:
    return bool(peek(sock))


def peek(sock: socket.socket) -> bytes | None:
    """Return the next byte that the server has sent, no byte if it has shut the connection, and None before that."""
    sock.setblocking(False)
    try:
        return sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return None
    except ConnectionError:
        return b""


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1", b"POST /echo HTTP/1.1\r\nContent-Length: 1000"])
def test_request_of_a_client_that_has_left_is_forgotten(site: Site, head: bytes) -> None:
    """Regression: it waited for a thread and got one, so that requests beyond all connections could wait."""
    site.gate.clear()
    served = site.served
    with connections(site, 1, b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n") as (waiting,):
        # This request has the only thread.
        wait_for(lambda: site.served == served + 1)
        for _ in range(50):
            with site.connect(head + b"\r\nHost: localhost\r\n\r\n") as leaving:
                leaving.shutdown(socket.SHUT_WR)
                # The server has closed the connection.
                assert leaving.recv(1) == b""
        site.gate.set()
        assert read_status(waiting) == 200
        assert get(site) == "served"
    assert site.served == served + 2


def test_health_is_reported_while_every_thread_works(site: Site) -> None:
    site.gate.clear()
    with connections(site, 3, b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n") as waiting:
        assert get(site, "/healthz") == "healthy"
        assert not any(is_shut(sock) for sock in waiting)
        site.gate.set()
        for sock in waiting:
            sock.settimeout(WAIT_S)
            assert read_status(sock) == 200


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"POST /echo HTTP/1.1\r\nOrigin: http://other", 403),
        (b"POST /nothing HTTP/1.1", 404),
        (b"POST / HTTP/1.1", 405),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 300001", 413),
        (b"POST /echo HTTP/1.1\r\nOrigin: http://other\r\nExpect: 100-continue", 403),
    ],
)
def test_request_is_refused_before_its_body_arrives(site: Site, line: bytes, status: int) -> None:
    length = b"" if b"Content-Length" in line else b"Content-Length: 1000\r\n"
    with connections(site, 1, line + b"\r\nHost: localhost\r\n" + length + b"\r\n") as (sock,):
        response = http.client.HTTPResponse(sock)
        response.begin()
        assert (response.status, response.getheader("Connection")) == (status, "close")
        assert response.getheader("Content-Type") == "application/problem+json"


def test_client_that_asks_for_leave_to_send_gets_it(site: Site) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with connections(site, 1, head) as (sock,):
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"body")
        assert read_status(sock) == 200


def test_refusal_reaches_a_client_that_sends_everything_first(site: Site) -> None:
    answer = requests.post(f"{site.url}/echo", bytes(500_000), timeout=WAIT_S)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("rest", [b"zz\r\n", b"1\r\nab\r\n", b"-1\r\n"])
def test_damaged_rest_of_a_refused_body_ends_the_connection(
    site: Site, rest: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: the server tried to send a second response, and wrote a traceback into the log."""
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nOrigin: http://other\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connections(site, 1, head) as (sock,):
        assert read_status(sock) == 403
        sock.sendall(rest)
        with suppress(ConnectionResetError):
            while sock.recv(4096):
                pass
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
    assert requests.get(site.url, timeout=WAIT_S).text == "served"


def test_body_in_chunks_has_the_same_limit(site: Site) -> None:
    assert requests.post(f"{site.url}/echo", iter([b"one ", b"two"]), timeout=WAIT_S).content == b"one two"
    answer = requests.post(f"{site.url}/echo", iter([bytes(100_000)] * 4), timeout=WAIT_S)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "more than 300000 bytes" in answer.json()["detail"]


def test_large_unfinished_bodies_use_little_memory(site: Site) -> None:
    """Regression: 40 unfinished uploads put 2 GB into temporary files."""
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 290001\r\n\r\n"
    with connections(site, 5, head + bytes(290_000)) as slow:
        # 600 kB are the limit for all bodies. A displaced body gets its error with its next byte.
        for sock in slow:
            sock.sendall(b"x")
        statuses = sorted(read_status(sock) for sock in slow)
    assert statuses[0] == 200
    assert statuses[-1] == 503
    assert requests.post(f"{site.url}/echo", bytes(290_000), timeout=WAIT_S).status_code == 200


def test_connection_serves_several_requests(site: Site) -> None:
    with requests.Session() as session:
        for _ in range(3):
            assert session.post(f"{site.url}/echo", b"x" * 70_000, timeout=WAIT_S).content == b"x" * 70_000
            assert session.get(site.url, timeout=WAIT_S).text == "served"


def test_repeated_headers_are_checked_once_before_the_body_and_always_with_it(site: Site) -> None:
    with requests.Session() as session:

        def post(size: int) -> int:
            return session.post(f"{site.url}/guarded", bytes(size), timeout=WAIT_S).status_code

        site.header_checks = 0
        assert [post(size) for size in (1_000, 1_000, 900, 2_000)] == [200] * 4
        assert site.header_checks == 2
        site.open = False
        assert post(1_000) == 403
        assert site.header_checks == 2


def test_head_has_the_headers_of_the_body_only(site: Site) -> None:
    answer = requests.head(f"{site.url}/large", timeout=WAIT_S)
    assert (answer.headers["Content-Length"], answer.content) == ("20000000", b"")


def test_names_of_a_trusted_proxy_are_those_of_the_gateway() -> None:
    forwarded = {"X-Forwarded-Host": "faces.example", "X-Forwarded-Prefix": "/faces", "Origin": "https://faces.example"}
    site = Site(free_port())
    with serving(site, RestSettings.model_validate({"port": site.port, "proxies": ["127.0.0.1"]})):
        assert requests.get(f"{site.url}/where", headers=forwarded, timeout=WAIT_S).text == "faces.example/faces"
    with serving(site, RestSettings(port=site.port)):
        assert requests.get(f"{site.url}/where", headers=forwarded, timeout=WAIT_S).status_code == 403


def test_port_in_use_is_named_with_advice(site: Site) -> None:
    with pytest.raises(Unavailable, match=r"stop the program there, or set rest\.port to a free port"):
        RestServer(Flask(__name__), RestSettings(port=site.port), LIMITS).start()


def test_host_of_no_machine_is_named_with_advice() -> None:
    with pytest.raises(Unavailable, match=r"set rest\.host to an address of this machine"):
        RestServer(Flask(__name__), RestSettings(host="host.invalid", port=free_port()), LIMITS).start()


def test_name_with_two_kinds_of_addresses_is_served_on_both() -> None:
    site = Site(free_port())
    with serving(site, RestSettings(host="localhost", port=site.port)):
        for family, *_, address in socket.getaddrinfo("localhost", site.port, type=socket.SOCK_STREAM):
            with socket.socket(family) as sock:
                sock.settimeout(WAIT_S)
                sock.connect(address)
                sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert read_status(sock) == 200


def test_running_request_is_answered_before_the_server_stops() -> None:
    site = Site(free_port())
    with serving(site, RestSettings(port=site.port)) as server, site.connect() as waiting:
        waiting.sendall(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert get(site) == "served"
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        site.gate.set()
        assert read_status(waiting) == 200
        stopping.join(WAIT_S)
        assert not stopping.is_alive()
    with pytest.raises(ConnectionError):
        site.connect()


@pytest.fixture(scope="module")
def secure_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = make_certificate(tmp_path_factory.mktemp("tls"), ["localhost", "127.0.0.1"])
    site = Site(free_port(), cert=made.cert)
    with serving(site, RestSettings(port=site.port, threads=1, tls=RestTlsSettings(cert=made.cert, key=made.key))):
        yield site


def test_https_is_served_with_the_certificate_that_the_gateway_made(secure_site: Site) -> None:
    with requests.Session() as session:
        verify = str(secure_site.cert)
        for host in ("127.0.0.1", "localhost"):
            url = f"https://{host}:{secure_site.port}"
            assert session.get(url, timeout=WAIT_S, verify=verify).text == "served"
            body = bytes(200_000)
            assert session.post(f"{url}/echo", body, timeout=WAIT_S, verify=verify).content == body
            assert len(session.get(f"{url}/large", timeout=WAIT_S, verify=verify).content) == 20_000_000


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(secure_site: Site, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=secure_site.cert)
    context.minimum_version = context.maximum_version = version
    # OpenSSL itself allows these versions only at this level.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with secure_site.connect() as sock, pytest.raises(ssl.SSLError):
        context.wrap_socket(sock, server_hostname="localhost")


def test_plain_http_gets_nothing_from_a_port_with_https_but_a_log_line(
    secure_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with secure_site.connect(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") as sock:
        assert b"served" not in sock.recv(1000)
    wait_for(lambda: "its URL must begin with https://" in caplog.text)


@pytest.mark.slow
def test_flood_of_unfinished_handshakes_shuts_nobody_out(secure_site: Site) -> None:
    with connections(secure_site, 600, b"\x16\x03\x01") as slow:
        wait_for(lambda: sum(is_shut(sock) for sock in slow) >= len(slow) - MAX_CONNECTIONS)
        url = f"https://localhost:{secure_site.port}/healthz"
        assert requests.get(url, verify=str(secure_site.cert), timeout=WAIT_S).text == "healthy"
