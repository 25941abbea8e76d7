"""The command ``facegate people add``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.cli.operations import RunOperation, operations, settings_or_exit
from gateway.cli.options import CONFIG_OPTION, NEW_OPTION
from gateway.cli.output import count, indent_warnings, progress, refusals_by_reason
from gateway.errors import GatewayError
from gateway.files.ownership import permission_hint
from gateway.logs import escape
from gateway.people.folder.files import read_bounded, reason_of
from gateway.people.folder.given_pictures import GivenPicture, Refusal, given_pictures


@click.command("add", short_help="Enrol people from pictures or folders.")
@CONFIG_OPTION
@click.option("--name", help="The person on all the pictures. Without it, each folder in a given folder is one person.")
@click.option("--name-by-file", "by_file", is_flag=True, help="Name pictures outside such folders by their file name.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@NEW_OPTION
def add(config: Path | None, name: str | None, by_file: bool, paths: tuple[Path, ...], new: bool) -> None:
    """Enrol people from pictures with one face each, or from folders of such pictures."""
    if name is not None and not name.strip():
        raise click.ClickException('--name is empty: give the name of the person, as --name "First Last"')
    pictures, refusals, notes = given_pictures(paths, name, by_file=by_file)
    for note in notes:
        click.echo(f"left out: {note}", err=True)
    if not pictures and not refusals:
        raise click.ClickException("no pictures found: name picture files, or folders that contain some")
    given = len(pictures) + len(refusals)
    with settings_or_exit(config, new=new) as settings:
        if pictures:
            with operations(settings, with_worker=True) as run:
                refusals += _enrol(pictures, run, settings.limits.file.bytes)
    if refusals:
        click.echo(f"not enrolled: {len(refusals)} of {given}", err=True)
        for line in refusals_by_reason(refusals):
            click.echo(line, err=True)
        sys.exit(1)


def _enrol(pictures: list[GivenPicture], run: RunOperation, max_bytes: int) -> list[Refusal]:
    refusals = []
    with progress("enrolling", len(pictures)) as (lines, steps):
        for picture, _ in zip(pictures, steps, strict=True):
            shown = escape(str(picture.given))
            try:
                data, _ = read_bounded(picture.path, max_bytes)
                done = run("people/add", name=picture.name, images=[data])
            except (GatewayError, OSError) as error:
                reason = reason_of(error) + permission_hint(error) if isinstance(error, OSError) else str(error)
                refusals.append((picture.given, reason))
                lines.print(f"{shown}: {reason}", err=True)
            else:
                person = f"{done['name']} ({done['person']}), {count(done['pictures'], 'picture')}"
                lines.print(f"{shown}: {person}{indent_warnings(done)}")
    return refusals
