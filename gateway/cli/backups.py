"""The commands ``facegate backup`` and ``facegate restore``."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.files import OutputFile, check_outside, note_replacement
from gateway.cli.operations import errors_as_messages, settings_or_exit
from gateway.cli.options import CONFIG_OPTION
from gateway.cli.output import count
from gateway.cli.store import find_settings
from gateway.files.data_folder import data_folder_lock
from gateway.model.caller import CLI_CALLER
from gateway.people.wiring import open_for_command, restore_store


@click.command(short_help="Copy the people store into a file.")
@CONFIG_OPTION
@click.argument("file", required=False, type=OutputFile())
def backup(config: Path | None, file: Path | None) -> None:
    """Write a consistent copy of the people store into data/backups, or to FILE. A gateway may be running."""
    with settings_or_exit(config) as settings:
        if file:
            check_outside(file, settings.data)
        with open_for_command(settings) as opened, opened.store.backups.locked():
            backups = opened.store.backups
            path = file or backups.free_path()
            replacement = note_replacement(path)
            # The audit comes first: it may name a backup that failed, but must not miss one.
            opened.store.audit.record(CLI_CALLER, "backup", detail=backups.audit_name(path))
            opened.store.audit.flush()
            backups.make(path)
            people = count(len(opened.gallery), "person", "people")
            click.echo(f"{path}: {path.stat().st_size:,} bytes, {people}{replacement}")
            if copy := opened.store.keys.find_copy(path):
                click.echo(f"{copy}: the data keys. No backup in this folder can be read without this file")


@click.command(short_help="Replace the people store by a backup.")
@CONFIG_OPTION
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(config: Path | None, file: Path) -> None:
    """Replace the people store by a backup. The previous store is kept. People who were erased since stay erased.

    No gateway may be running on the data folder.
    """
    with errors_as_messages():
        settings = find_settings(config)
        with data_folder_lock(settings.data):
            previous = restore_store(settings, file)
    click.echo(f"restored from {file}" + (f"; the previous store is {previous}" if previous else ""))
