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
from gateway.files.ownership import become_owner
from gateway.model.caller import CLI_CALLER
from gateway.people.backup_keeper import make_backup
from gateway.people.wiring import check_files_of_store, check_restore, open_for_command, restore_store


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
            make_backup(opened.store, path, CLI_CALLER)
            people = count(len(opened.gallery), "person", "people")
            click.echo(f"{path}: {path.stat().st_size:,} bytes, {people}{replacement}")
            if copy := opened.store.keys.find_copy(path):
                click.echo(f"{copy}: the data keys. No backup in this folder can be read without this file")


@click.command(short_help="Replace the people store by a backup.")
@CONFIG_OPTION
@click.option("--check", is_flag=True, help="Only try it: restore into a temporary folder, and read everything.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(config: Path | None, check: bool, file: Path) -> None:
    """Replace the people store by a backup. The previous store is kept. People who were erased since stay erased.

    No gateway may be running on the data folder. With --check a gateway may be running, and nothing is replaced.
    """
    with errors_as_messages():
        settings = find_settings(config)
        # First: a gateway that runs is no reason to refuse a file that can never be restored.
        check_files_of_store(settings)
        if check:
            become_owner(settings.data)
            people, pictures = check_restore(settings, file)
            contents = f"{count(people, 'person', 'people')}, {count(pictures, 'picture')}"
            click.echo(f"{file} can be restored: {contents}")
            return
        with data_folder_lock(settings.data):
            previous = restore_store(settings, file)
    click.echo(f"restored from {file}" + (f"; the previous store is {previous}" if previous else ""))
