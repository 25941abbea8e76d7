"""The commands ``facegate people export`` and ``facegate people import``."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import click

from gateway.cli.files import OutputFile, check_outside, note_replacement, read_named, write_named
from gateway.cli.operations import operations, operations_or_exit, settings_or_exit
from gateway.cli.options import CONFIG_OPTION, NEW_OPTION
from gateway.cli.output import count, indent_warnings
from gateway.errors import BadRequest


@click.command("export")
@CONFIG_OPTION
@click.argument("file", type=OutputFile())
@click.option("--person", help="Only the person with this id.")
def export_people(config: Path | None, file: Path, person: str | None) -> None:
    """Write all people, or one person, into an archive. It is not encrypted."""
    write_export(config, file, "people/export", person=person)


def write_export(config: Path | None, file: Path, operation: str, **fields: Any) -> None:
    """Write the archive of an operation into a file. Errors end the command."""
    with settings_or_exit(config) as settings:
        check_outside(file, settings.data)
        with operations(settings, with_worker=False) as run:
            archive = base64.b64decode(run(operation, **fields)["archive"])
        replacement = note_replacement(file)
        write_named(file, archive)
        click.echo(f"{file}: {len(archive):,} bytes{replacement}")


@click.command("import")
@CONFIG_OPTION
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@NEW_OPTION
@click.option("--merge", is_flag=True, help="Add pictures to people of the same names who are enrolled already.")
def import_people(config: Path | None, file: Path, merge: bool, new: bool) -> None:
    """Add people from an archive. People and pictures in the store stay as they are."""
    with operations_or_exit(config, new=new) as run:
        try:
            done = run("people/import", archive=read_named(file), merge=merge)
        except BadRequest as error:
            raise BadRequest(f"{file}: {error}") from None
        people, pictures = count(done["people"], "person", "people"), count(done["pictures"], "new picture")
        click.echo(f"{people}, {pictures}{indent_warnings(done)}")
