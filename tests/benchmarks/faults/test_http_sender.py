"""The HTTP clients of the fault bench, before a small server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.faults.http_sender import Clients, HttpTask


class Server(ThreadingHTTPServer):
    daemon_threads = True
    addresses: set[str]


class Handler(BaseHTTPRequestHandler):
    """Answers a picture with 200, and other bodies with the error ``bad_image``."""

    protocol_version = "HTTP/1.1"
    server: Server

    # The name that http.server wants.
    def do_POST(self) -> None:
        self.server.addresses.add(self.client_address[0])
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_picture = len(body) > 20_003
        answer = b"{}" if is_picture else b'{"code":"bad_image"}'
        self.send_response(200 if is_picture else 400)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.addresses = set()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_quiet_clients_send_pictures_at_a_rate_from_addresses_of_their_own(server: Server) -> None:
    tally = Clients(HttpTask(server.server_port, net=1, clients=2, seconds=1.0, rate=10.0)).run()
    assert tally.sent == tally.accepted == len(tally.latencies) == 10
    assert server.addresses == {"127.0.1.1", "127.0.1.2"}


def test_floods_send_bodies_that_are_no_pictures_too(server: Server) -> None:
    tally = Clients(HttpTask(server.server_port, net=2, clients=2, seconds=3.0)).run()
    assert tally.accepted > 0
    assert tally.by_code["bad_image"] > 0
    assert tally.sent == tally.answered


def test_slow_clients_hold_their_connections(server: Server) -> None:
    tally = Clients(HttpTask(server.server_port, net=3, clients=3, seconds=3.0, slow=True)).run()
    assert (tally.sent, tally.answered) == (3, 0)
