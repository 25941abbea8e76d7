"""The group of commands ``facegate sightings``."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import click

from gateway.cli.files import OutputFile, write_named
from gateway.cli.operations import operations_or_exit
from gateway.cli.options import CONFIG_OPTION, JSON_OPTION
from gateway.cli.output import format_minute, print_table
from gateway.contract.base import Document
from gateway.errors import UnknownPerson

PAGE_SIZE = 1000
"""Sightings that one call of ``sightings/list`` returns."""

DAY_S = 86_400


@click.command("list")
@CONFIG_OPTION
@JSON_OPTION
@click.option("--camera", help="Only sightings of this camera.")
@click.option("--person", help="Only sightings of the person with this id.")
@click.option("--unknown", type=click.IntRange(min=1), help="Only sightings of this group of unknown faces.")
@click.option("--outcome", help="Only sightings with this outcome: named, stranger, ambiguous, undecided, turned, ...")
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), help="Only sightings that began within the last days."
)
@click.option(
    "--limit",
    default=100,
    show_default=True,
    type=click.IntRange(min=1),
    help="Largest number of sightings, the newest first.",
)
def list_sightings(config: Path | None, as_json: bool, days: float | None, limit: int, **filters: Any) -> None:
    """List the sightings of live cameras, the newest first."""
    since = None if days is None else max(time.time() - DAY_S * days, 0)
    found: list[Document] = []
    with operations_or_exit(config) as run:
        before: str | None = None
        while len(found) < limit:
            page = run("sightings/list", **filters, since=since, before=before, limit=min(limit, PAGE_SIZE))
            found += page["sightings"]
            before = page["next"]
            if before is None:
                break
    if as_json:
        click.echo(json.dumps({"sightings": found[:limit]}, ensure_ascii=False))
        return
    print_table(("id", "camera", "who", "since", "seconds", "ended"), [_row(each) for each in found[:limit]])


def _row(sighting: Document) -> tuple[str, ...]:
    who = sighting["name"] or sighting["outcome"]
    if sighting["unknown"] is not None:
        who = f"unknown {sighting['unknown']}"
    ignored = " (ignored)" if sighting["ignored"] else ""
    since = format_minute(sighting["since"])
    return (
        sighting["sighting"],
        sighting["camera"],
        who + ignored,
        since,
        f"{sighting['duration']:.0f}",
        sighting["reason"] or "",
    )


@click.command("show")
@CONFIG_OPTION
@click.argument("sighting")
@click.option("--picture", type=OutputFile(), help="Also write the picture, a JPEG, into this file.")
def show(config: Path | None, sighting: str, picture: Path | None) -> None:
    """Print one sighting, as JSON without the picture."""
    with operations_or_exit(config) as run:
        found = dict(run("sightings/show", sighting=sighting))
        content = found.pop("picture")
        if picture is not None:
            if content is None:
                raise UnknownPerson("no picture of this sighting is stored")
            write_named(picture, base64.b64decode(content))
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))


@click.command("not-them")
@CONFIG_OPTION
@click.argument("sighting")
@click.option("--person", help="The id of the person whom the sighting does not show. Default: the named one.")
def not_them(config: Path | None, sighting: str, person: str | None) -> None:
    """Say that a sighting does not show the person it was named as.

    Its face becomes a counter-example: faces that resemble it do not get that person's name any more.
    """
    with operations_or_exit(config) as run:
        done = run("sightings/not_them", sighting=sighting, person=person)
        click.echo(f"{sighting} does not show {done['picture_of']}")
        _print_picture(done)


@click.command("confirm")
@CONFIG_OPTION
@click.argument("sighting")
@click.option("--person", help="The id of the person whom the sighting shows. Default: the named one.")
def confirm(config: Path | None, sighting: str, person: str | None) -> None:
    """Say that a sighting shows a person. Its face joins the pictures of this person."""
    with operations_or_exit(config) as run:
        done = run("sightings/confirm", sighting=sighting, person=person)
        click.echo(f"{sighting} shows {done['name']} ({done['picture_of']})")
        _print_picture(done)


def _print_picture(done: Document) -> None:
    """Print the command that takes the picture back, and the warnings."""
    if done["picture"] is not None:
        click.echo(f"undo: facegate people remove {done['picture_of']} --picture {done['picture']}")
    for warning in done["warnings"]:
        click.echo(warning, err=True)


sightings = click.Group(
    "sightings",
    commands=[list_sightings, show, not_them, confirm],
    help="Sightings of live cameras: list, show, confirm, correct.",
)
