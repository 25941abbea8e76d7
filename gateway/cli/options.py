"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

CONFIG_OPTION = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The YAML file of settings. Without it: FACEGATE_CONFIG, ./config/gateway.yaml, /etc/facegate/gateway.yaml,"
    " else the defaults. FACEGATE_… variables override single settings.",
)

NEW_OPTION = click.option("--new", is_flag=True, help="Create a people store if there is none.")

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the JSON document that MQTT and REST return.")
