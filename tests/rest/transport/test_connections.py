"""The limits on open connections: their number, and the time without a request."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Iterator

import pytest

from gateway.rest.transport.bodies import Disconnected
from gateway.rest.transport.connection import Connection, Phase
from gateway.rest.transport.connections import (
    MAX_CONNECTIONS,
    WAIT_S,
    Connections,
    connection_limit,
    listen,
)
from tests.support import free_port


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Table:
    """A table of connections with room for three. ``shut``: the ports of the clients whose connection was shut."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.shut: list[int] = []
        self.connections = Connections(3, self.clock)

    def add(self, port: int, host: str = "10.0.0.1") -> Connection:
        self.clock.now += 1
        return self.connections.add((host, port), lambda: self.shut.append(port))


def test_oldest_connection_is_shut_when_there_are_too_many() -> None:
    table = Table()
    for port in range(1, 6):
        table.add(port)
    assert table.shut == [1, 2]


def test_connection_whose_request_is_answered_stays_open() -> None:
    table = Table()
    table.add(1).enter(Phase.ANSWERING)
    table.add(2).enter(Phase.RECEIVING)
    table.add(3)
    table.add(4)
    assert table.shut == [2]


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.SENDING])
def test_connection_without_a_thread_makes_room(phase: Phase) -> None:
    """Regression: one client whose requests waited for a thread, or who read slowly, shut out all others."""
    table = Table()
    for port in (1, 2, 3):
        table.add(port).enter(phase)
    table.add(4, "10.0.0.2")
    assert table.shut == [1]


def test_newest_connection_is_shut_when_all_others_are_answered() -> None:
    table = Table()
    for port in (1, 2, 3):
        table.add(port).enter(Phase.ANSWERING)
    table.add(4)
    assert table.shut == [4]


def test_address_with_most_connections_loses_the_first() -> None:
    table = Table()
    table.add(1, "10.0.0.2")
    table.add(2, "10.0.0.1")
    table.add(3, "10.0.0.1")
    table.add(4, "10.0.0.3")
    assert table.shut == [2]


def test_closed_connection_leaves_room() -> None:
    table = Table()
    connections = [table.add(port) for port in (1, 2, 3)]
    table.connections.remove(("10.0.0.1", 2), connections[1])
    table.add(4)
    assert table.shut == []
    assert len(table.connections) == 3


def test_port_that_is_used_again_belongs_to_the_new_connection() -> None:
    table = Table()
    old = table.add(1)
    new = table.add(1)
    table.connections.remove(("10.0.0.1", 1), old)
    with table.connections.request(("10.0.0.1", 1)) as connection:
        assert connection is new


def test_connection_that_waits_for_long_is_shut() -> None:
    table = Table()
    table.add(1)
    table.add(2).enter(Phase.RECEIVING)
    table.add(3).enter(Phase.ANSWERING)
    table.clock.now += WAIT_S + 10
    table.connections.shut_slow()
    assert table.shut == [1]


def test_connection_waits_again_after_its_request() -> None:
    table = Table()
    table.add(1)
    table.clock.now += WAIT_S - 10
    with table.connections.request(("10.0.0.1", 1)) as connection:
        connection.enter(Phase.ANSWERING)
    table.clock.now += WAIT_S - 10
    table.connections.shut_slow()
    assert table.shut == []
    table.clock.now += 11
    table.connections.shut_slow()
    assert table.shut == [1]


def test_request_of_a_client_that_left_needs_no_connection() -> None:
    with Table().connections.request(("10.0.0.1", 1)) as connection:
        assert connection.is_shut
        connection.shut()
    assert connection.phase is Phase.WAITING


def test_pause_ends_after_its_time_or_with_the_connection() -> None:
    async def check() -> None:
        table = Table()
        connection = table.add(1)
        await connection.pause(0.001)
        pause = asyncio.ensure_future(connection.pause(1_000_000))
        await asyncio.sleep(0)
        table.connections.remove(("10.0.0.1", 1), connection)
        with pytest.raises(Disconnected):
            await pause
        with pytest.raises(Disconnected):
            await connection.pause(1_000_000)

    asyncio.run(check())


def test_responses_are_sent_without_delay() -> None:
    """Regression: each response over an open connection waited 40 ms for an acknowledgement of its headers."""

    async def delay_option() -> int:
        loop, accepted = asyncio.get_running_loop(), asyncio.Queue[asyncio.BaseTransport]()

        class Server(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                accepted.put_nowait(transport)

        (listener,) = listen("127.0.0.1", free_port(), Connections(10))
        server = await loop.create_server(Server, sock=listener)
        with socket.create_connection(listener.getsockname()):
            transport = await accepted.get()
            option: int = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        server.close()
        return option

    assert asyncio.run(delay_option()) != 0


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, hard))
    yield 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_leave_descriptors_for_the_rest(few_descriptors: int) -> None:
    assert connection_limit() == 200 < few_descriptors / 2


def test_table_of_connections_has_a_largest_size() -> None:
    assert connection_limit() <= MAX_CONNECTIONS
