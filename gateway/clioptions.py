"""What several commands take."""

from __future__ import annotations

from pathlib import Path

import click

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The YAML file of settings; without it the defaults hold. FACEGATE_… variables override either.",
)
