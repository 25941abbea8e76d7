"""A connection that comes back by itself, against a broker that is there, is not there, or has no time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from gateway.config import MqttSettings
from gateway.errors import StartError
from gateway.metrics import Metrics
from gateway.mqtt.connection import Connection
from gateway.mqtt.link import Kind, Link
from tests.support import Broker, wait_for


def a_connection(port: int) -> Connection:
    settings = MqttSettings(host="127.0.0.1", port=port, protocol="3.1.1")
    return Connection(
        settings, lambda: Kind("test", []), Metrics(), on_up=lambda _link: None, on_message=lambda _delivery: None
    )


@contextmanager
def refusing(code: int) -> Iterator[tuple[int, list[bytes]]]:
    """A broker that answers each CONNECT with that return code (MQTT 3.1.1, 3.2.2.3): its port, and what it heard."""
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(1000))
                    connection.sendall(bytes((0x20, 2, 0, code)))

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_broker_that_has_no_time_is_waited_for() -> None:
    """It was an error that no supervisor starts the gateway again after."""
    with refusing(3) as (port, heard):  # server unavailable
        connection = a_connection(port)
        connection.start()
        wait_for(lambda: len(heard) > 1)
        connection.stop()


def test_a_broker_that_does_not_let_us_in_is_an_error() -> None:
    with refusing(5) as (port, _):  # not authorized
        connection = a_connection(port)
        with pytest.raises(StartError, match=r"mqtt\.user"):
            connection.start()
        connection.stop()


def test_it_can_be_stopped_while_it_connects(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """There was nothing to close yet, and then it stood for ever, with the command that waited for its end."""
    opening, go, connection = threading.Event(), threading.Event(), a_connection(broker.port)
    really = Link.open

    def slowly(link: Link) -> bool:
        opening.set()
        assert go.wait(10)
        return really(link)

    monkeypatch.setattr(Link, "open", slowly)
    threading.Thread(target=connection.start).start()
    assert opening.wait(10)
    stopping = threading.Thread(target=connection.stop)
    stopping.start()
    wait_for(connection._stopping.is_set)
    stopping.join(0.3)
    go.set()
    stopping.join(20)
    assert not stopping.is_alive()
