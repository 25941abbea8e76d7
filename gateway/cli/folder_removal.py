"""The command ``facegate people confirm-removal``."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.operations import settings_or_exit
from gateway.cli.options import CONFIG_OPTION
from gateway.cli.output import count
from gateway.model.caller import CLI_CALLER
from gateway.people.folder.losses import waiting_removals
from gateway.people.folder.removal_guard import confirm_removal
from gateway.people.wiring import open_for_command


@click.command("confirm-removal", short_help="Confirm the removal of people who are not in the folder.")
@CONFIG_OPTION
@click.option("--show", is_flag=True, help="Only print the people who would be removed.")
def confirm_removal_of_people(config: Path | None, show: bool) -> None:
    """Confirm the removal of people whose pictures are missing from known_faces/.

    The gateway waits for this confirmation when the folder is missing, unreadable or empty, or when more than half of
    the people would be removed within ten minutes. A running gateway then removes the people within seconds. Otherwise
    they are removed at its next start, if that is within an hour.
    """
    with settings_or_exit(config) as settings, open_for_command(settings) as opened:
        waiting = waiting_removals(opened.store.folder_index, opened.store.notes, settings.people.folder)
        for person in opened.store.folder_index.find_people_by_key(waiting):
            click.echo(f"{person.name} ({person.slug})")
        people = count(len(waiting), "person", "people")
        if waiting and not show:
            opened.store.audit.record(CLI_CALLER, "confirm_removal", detail=people)
            confirm_removal(opened.store.notes, waiting)
    if not waiting:
        click.echo("there is nothing to confirm")
    elif not show:
        click.echo(f"confirmed: a running gateway removes the pictures of {people} within seconds")
