"""What several commands take."""

from __future__ import annotations

from pathlib import Path

import click

NEW = click.option("--new", is_flag=True, help="Make a people store where there is none yet.")

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The YAML file of settings. Without it: FACEGATE_CONFIG, ./config/gateway.yaml, /etc/facegate/gateway.yaml,"
    " else the defaults. FACEGATE_… variables override single settings.",
)
