"""A connection to the broker for a command."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.config import MqttSettings
from gateway.errors import StartError
from gateway.metrics import Metrics
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.reconnector import Reconnector
from gateway.mqtt.transport.session import Session

CONNECT_TIMEOUT_S = 15.0
"""The time for the broker to accept the connection, under either version of MQTT."""


@contextmanager
def connected_to_broker(
    settings: MqttSettings,
    spec: ConnectionSpec,
    on_up: Callable[[Session], None],
    on_message: Callable[[Delivery[Session]], None],
) -> Iterator[None]:
    """Hold a connection to the broker, which is made again when it ends. Raise StartError.

    ``on_up`` and ``on_message`` are called as by Session.
    """
    _check_reachable(settings)
    connection = Reconnector(settings, lambda: spec, Metrics(), on_up=on_up, on_message=on_message)
    log = logging.getLogger("gateway.mqtt")
    level = log.level
    # Errors of the first try are printed once, by the command.
    log.setLevel(logging.CRITICAL)
    try:
        connection.start()
        _wait_until_connected(connection, settings)
        log.setLevel(logging.WARNING)
        yield
    finally:
        connection.stop()
        log.setLevel(level)


def _check_reachable(settings: MqttSettings) -> None:
    try:
        socket.create_connection((settings.host, settings.port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise StartError(
            f"No broker can be reached at {settings.host}:{settings.port}: {error.strerror or error}. Start the broker,"
            " or name another one (mqtt.host and mqtt.port; facegate watch: --host, --port)."
        ) from None


def _wait_until_connected(connection: Reconnector, settings: MqttSettings) -> None:
    end = time.monotonic() + CONNECT_TIMEOUT_S
    while not connection.connected:
        if time.monotonic() > end:
            raise StartError(
                f"The program at {settings.host}:{settings.port} does not answer as an MQTT broker: name another one"
                " (mqtt.host and mqtt.port; facegate watch: --host, --port), or correct mqtt.tls."
            )
        time.sleep(0.05)
