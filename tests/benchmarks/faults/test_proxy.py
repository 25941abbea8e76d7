from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from benchmarks.faults.proxy import Proxy

SUBSCRIBE_TIMEOUT_S = 5.0


class Echo:
    """A server that sends back whatever comes, and remembers who is there."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.gone = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or the thread in ``accept`` keeps it open
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
def echo() -> Iterator[Echo]:
    with closing(Echo()) as server:
        yield server


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.port) as proxy:
        yield proxy


def client(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=SUBSCRIBE_TIMEOUT_S)


def says(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    heard = b""
    while len(heard) < len(data):
        more = sock.recv(65536)
        if not more:
            break
        heard += more
    return heard


def silent(sock: socket.socket, seconds: float = 0.3) -> bool:
    sock.settimeout(seconds)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(SUBSCRIBE_TIMEOUT_S)
    return False


def test_what_is_said_gets_through_both_ways(proxy: Proxy) -> None:
    with client(proxy) as one, client(proxy) as other:
        assert says(one, b"one" * 100_000) == b"one" * 100_000
        assert says(other, b"other") == b"other"


def test_an_end_is_passed_on(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as sock:
        says(sock, b"hello")
    assert echo.gone.wait(SUBSCRIBE_TIMEOUT_S)


def test_a_cut_resets_and_refuses_until_it_is_mended(proxy: Proxy) -> None:
    with client(proxy) as sock:
        says(sock, b"hello")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    with pytest.raises(ConnectionRefusedError):
        client(proxy)
    proxy.mend()
    with client(proxy) as sock:
        assert says(sock, b"again") == b"again"


def test_a_stalled_network_is_silent_and_then_gives_up_all_it_held(proxy: Proxy) -> None:
    with client(proxy) as sock:
        says(sock, b"hello")
        proxy.stall()
        sock.sendall(b"later")
        assert silent(sock)
        with client(proxy) as new:  # the kernel shakes hands, nobody else does
            new.sendall(b"new")
            assert silent(new)
            proxy.mend()
            assert new.recv(3) == b"new"
        assert says(sock, b"") == b""
        assert sock.recv(5) == b"later"


def test_who_leaves_a_stalled_network_is_missed_only_later(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as sock:
        says(sock, b"hello")
        proxy.stall()
    assert not echo.gone.wait(0.3)
    proxy.mend()
    assert echo.gone.wait(SUBSCRIBE_TIMEOUT_S)


def test_half_open_connections_stay_dead_and_new_ones_live(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as sock:
        says(sock, b"hello")
        proxy.half_open()
        sock.sendall(b"anybody?")
        assert silent(sock)
        with client(proxy) as new:
            assert says(new, b"new") == b"new"
        proxy.mend()
        assert silent(sock)
    assert echo.gone.wait(SUBSCRIBE_TIMEOUT_S)  # that was the new one
    echo.gone.clear()
    assert not echo.gone.wait(0.3)


def test_a_slow_link_takes_its_time(proxy: Proxy) -> None:
    with client(proxy) as sock:
        says(sock, b"hello")
        proxy.slow(20_000)
        begun = time.monotonic()
        says(sock, bytes(10_000))
        assert 0.4 < time.monotonic() - begun < 15
        proxy.mend()
        begun = time.monotonic()
        says(sock, bytes(400_000))
        assert time.monotonic() - begun < 15  # instead of 20


def test_an_orderly_close_ends_a_connection_and_no_more(proxy: Proxy) -> None:
    with client(proxy) as sock:
        says(sock, b"hello")
        proxy.close_all()
        assert sock.recv(1) == b""
    with client(proxy) as sock:
        assert says(sock, b"again") == b"again"


def test_half_closed_the_client_hears_the_end_and_may_still_speak(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as sock:
        says(sock, b"hello")
        proxy.half_close()
        assert sock.recv(1) == b""
        assert not echo.gone.is_set()
    assert echo.gone.wait(SUBSCRIBE_TIMEOUT_S)


def test_without_a_server_the_way_in_is_closed_again(proxy: Proxy, echo: Echo) -> None:
    echo.close()
    with client(proxy) as sock, suppress(ConnectionResetError):
        assert sock.recv(1) == b""
