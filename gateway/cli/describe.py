"""The commands ``facegate openapi`` and ``facegate asyncapi``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gateway.cli.operations import errors_as_messages
from gateway.cli.options import CONFIG_OPTION
from gateway.config.find import find_and_load
from gateway.mqtt.description.asyncapi import describe_mqtt
from gateway.rest.description.openapi import describe_rest


@click.command("openapi", short_help="Print the description of the REST interface (OpenAPI 3.1).")
def openapi() -> None:
    """Print the description of the REST interface: OpenAPI 3.1 as JSON, for generators of clients."""
    click.echo(json.dumps(describe_rest(), indent=2, ensure_ascii=False))


@click.command("asyncapi", short_help="Print the description of the MQTT interface (AsyncAPI 3).")
@CONFIG_OPTION
def asyncapi(config: Path | None) -> None:
    """Print the description of the MQTT interface: AsyncAPI 3 as JSON.

    The topics begin with mqtt.base of the settings.
    """
    with errors_as_messages():
        settings = find_and_load(config).settings
    mqtt = settings.mqtt
    click.echo(json.dumps(describe_mqtt(mqtt.base, f"{mqtt.host}:{mqtt.port}"), indent=2, ensure_ascii=False))
