from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from benchmarks.faults.proxy import Proxy
from tests.support import WAIT_S


class EchoServer:
    """A server that returns all received data, and records its connections."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.gone = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            # Otherwise the thread in ``accept`` keeps the listener open.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            while data := client.recv(65536):
                client.sendall(data)
        self.gone.set()


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with closing(EchoServer()) as server:
        yield server


@pytest.fixture
def proxy(echo: EchoServer) -> Iterator[Proxy]:
    with Proxy(echo.port) as proxy:
        yield proxy


def client(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_S)


def exchange(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    heard = b""
    while len(heard) < len(data):
        more = sock.recv(65536)
        if not more:
            break
        heard += more
    return heard


def is_silent(sock: socket.socket, seconds: float = 0.3) -> bool:
    sock.settimeout(seconds)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(WAIT_S)
    return False


def test_proxy_transfers_both_directions(proxy: Proxy) -> None:
    with client(proxy) as one, client(proxy) as other:
        assert exchange(one, b"one" * 100_000) == b"one" * 100_000
        assert exchange(other, b"other") == b"other"


def test_proxy_passes_on_the_end_of_a_connection(proxy: Proxy, echo: EchoServer) -> None:
    with client(proxy) as sock:
        exchange(sock, b"hello")
    assert echo.gone.wait(WAIT_S)


def test_cut_resets_and_refuses_connections_until_mend(proxy: Proxy) -> None:
    with client(proxy) as sock:
        exchange(sock, b"hello")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    with pytest.raises(ConnectionRefusedError):
        client(proxy)
    proxy.mend()
    with client(proxy) as sock:
        assert exchange(sock, b"again") == b"again"


def test_stall_holds_data_back_until_mend(proxy: Proxy) -> None:
    with client(proxy) as sock:
        exchange(sock, b"hello")
        proxy.stall()
        sock.sendall(b"later")
        assert is_silent(sock)
        # The kernel completes the TCP handshake, but the proxy does not accept the connection.
        with client(proxy) as new:
            new.sendall(b"new")
            assert is_silent(new)
            proxy.mend()
            assert new.recv(3) == b"new"
        assert exchange(sock, b"") == b""
        assert sock.recv(5) == b"later"


def test_stall_hides_the_end_of_a_client_until_mend(proxy: Proxy, echo: EchoServer) -> None:
    with client(proxy) as sock:
        exchange(sock, b"hello")
        proxy.stall()
    assert not echo.gone.wait(0.3)
    proxy.mend()
    assert echo.gone.wait(WAIT_S)


def test_half_open_kills_existing_connections_only(proxy: Proxy, echo: EchoServer) -> None:
    with client(proxy) as sock:
        exchange(sock, b"hello")
        proxy.half_open()
        sock.sendall(b"anybody?")
        assert is_silent(sock)
        with client(proxy) as new:
            assert exchange(new, b"new") == b"new"
        proxy.mend()
        assert is_silent(sock)
    # This is the end of the new connection.
    assert echo.gone.wait(WAIT_S)
    echo.gone.clear()
    assert not echo.gone.wait(0.3)


def test_slow_limits_the_rate(proxy: Proxy) -> None:
    with client(proxy) as sock:
        exchange(sock, b"hello")
        proxy.slow(2_000)
        begun = time.monotonic()
        exchange(sock, bytes(1_000))
        assert time.monotonic() - begun > 0.4
        proxy.mend()
        begun = time.monotonic()
        exchange(sock, bytes(400_000))
        # At the limited rate this would take 200 s.
        assert time.monotonic() - begun < 100


def test_close_all_closes_existing_connections_only(proxy: Proxy) -> None:
    with client(proxy) as sock:
        exchange(sock, b"hello")
        proxy.close_all()
        assert sock.recv(1) == b""
    with client(proxy) as sock:
        assert exchange(sock, b"again") == b"again"


def test_half_close_lets_the_client_still_send(proxy: Proxy, echo: EchoServer) -> None:
    with client(proxy) as sock:
        exchange(sock, b"hello")
        proxy.half_close()
        assert sock.recv(1) == b""
        assert not echo.gone.is_set()
    assert echo.gone.wait(WAIT_S)


def test_proxy_closes_connections_without_a_server(proxy: Proxy, echo: EchoServer) -> None:
    echo.close()
    with client(proxy) as sock, suppress(ConnectionResetError):
        assert sock.recv(1) == b""
