"""The command ``facegate watch``: what a gateway announces, as it happens."""

from __future__ import annotations

import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

import click

from gateway.cli.broker_connection import connected_to_broker
from gateway.cli.error_line import print_error
from gateway.cli.options import CONFIG_OPTION
from gateway.cli.watch_lines import KINDS, Announcement, Lines, read_announcement
from gateway.config import MqttSettings
from gateway.config.find import find_and_load
from gateway.config.load import change_broker
from gateway.errors import GatewayError
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session

SILENCE_S = 2.0
"""The time after which a hint is printed, if no gateway is known on the broker."""
WAKE_INTERVAL_S = 0.5

Received = SimpleQueue[tuple[str, bytes]]


@click.command(short_help="Print who comes and leaves, as any gateway announces it.")
@CONFIG_OPTION
@click.option("--host", help="Name or address of the broker, in place of mqtt.host.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the broker, in place of mqtt.port.")
@click.option("--base", help="Base topic of the gateway, in place of mqtt.base.")
@click.option(
    "--for", "seconds", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End after this time."
)
@click.option("--json", "as_json", is_flag=True, help="Print each message as a line of JSON.")
def watch(
    config: Path | None, host: str | None, port: int | None, base: str | None, seconds: float | None, as_json: bool
) -> None:
    """Print who comes and leaves, who is there now, and which cameras are connected. Ctrl-C ends.

    This works with any gateway whose broker can be reached. The login is mqtt.user and mqtt.password of the settings.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = _settings(config, {"host": host, "port": port, "base": base})
        _print_news(settings, seconds, as_json)
    except KeyboardInterrupt:
        return
    except GatewayError as error:
        print_error(error)
        sys.exit(error.exit_code)


def _settings(config: Path | None, given: dict[str, object]) -> MqttSettings:
    """Return the settings of the broker. Raise ConfigError."""
    found = find_and_load(config)
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        click.echo(f"facegate: configuration: {found.source}", err=True)
    return change_broker(found.settings.mqtt, changes)


def _print_news(settings: MqttSettings, seconds: float | None, as_json: bool) -> None:
    """Print the announcements until the time is over. Raise StartError and KeyboardInterrupt."""
    lines = Lines()
    begin = time.monotonic()
    heard = hinted = False
    with _received(settings) as received:
        while seconds is None or time.monotonic() < begin + seconds:
            try:
                topic, payload = received.get(timeout=WAKE_INTERVAL_S)
            except Empty:
                if not heard and not hinted and time.monotonic() > begin + SILENCE_S:
                    hinted = True
                    _print_hint(settings)
                continue
            heard = True
            news = read_announcement(settings.base, topic, payload)
            line = news and _line(news, lines, as_json)
            if line:
                click.echo(line)


def _line(news: Announcement, lines: Lines, as_json: bool) -> str | None:
    return news.as_json() if as_json else lines.write(news)


def _print_hint(settings: MqttSettings) -> None:
    click.echo(
        f"facegate: no gateway is known on this broker below {settings.base}/. Is the base topic right (--base)? May"
        " the login read these topics?",
        err=True,
    )


@contextmanager
def _received(settings: MqttSettings) -> Iterator[Received]:
    """Give the messages of the gateway, while the connection lasts or is made again. Raise StartError."""
    received: Received = SimpleQueue()

    def receive(delivery: Delivery[Session]) -> None:
        received.put((delivery.received.topic, delivery.received.payload))

    filters = [(f"{settings.base}/+/{kind}", 0) for kind in KINDS]
    with connected_to_broker(
        settings,
        ConnectionSpec(f"facegate-watch-{secrets.token_hex(4)}", filters),
        # Again, for the retained messages: the people who are there now, and the state of the gateway.
        on_up=lambda session: session.subscribe(filters, retained=True),
        on_message=receive,
    ):
        yield received
