"""The commands that ``facegate doctor`` suggests, with the configuration that it was given."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import click

from gateway.cli.checkup.finding import Finding
from gateway.cli.main import main

PROGRAM = "facegate"


def add_config(finding: Finding, config: Path | None) -> Finding:
    """Return the finding with ``--config`` in its command, if that is a command that has this option."""
    # Without the option the command could change another people store.
    if config is None or finding.command is None:
        return finding
    own, pipe, rest = finding.command.partition(" | ")
    if not _takes_config(own):
        return finding
    return replace(finding, command=f"{own} --config {shlex.quote(str(config))}{pipe}{rest}")


def _takes_config(command: str) -> bool:
    words = shlex.split(command)
    found: click.Command | None = main if words[:1] == [PROGRAM] else None
    for word in words[1:]:
        if isinstance(found, click.Group):
            found = found.get_command(click.Context(found), word)
    return found is not None and any(each.name == "config" for each in found.params)
