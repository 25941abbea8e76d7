"""The group of commands ``facegate unknowns``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gateway.cli.files import OutputFile
from gateway.cli.operations import operations_or_exit
from gateway.cli.options import CONFIG_OPTION, JSON_OPTION
from gateway.cli.output import count, format_minute, print_table
from gateway.cli.people_archive import write_export

MAX_LISTED = 1000


@click.command("list")
@CONFIG_OPTION
@JSON_OPTION
def list_unknowns(config: Path | None, as_json: bool) -> None:
    """List the groups of unknown faces, the last seen first."""
    with operations_or_exit(config) as run:
        found = run("unknowns/list", limit=MAX_LISTED)
    if as_json:
        click.echo(json.dumps(found))
        return
    rows = []
    for each in found["unknowns"]:
        first, last, cameras = format_minute(each["first"]), format_minute(each["last"]), ", ".join(each["cameras"])
        rows.append((str(each["unknown"]), str(each["seen"]), first, last, cameras, "yes" if each["ignored"] else ""))
    print_table(("unknown", "seen", "first", "last", "cameras", "ignored"), rows)


@click.command("name")
@CONFIG_OPTION
@click.argument("unknown", type=int)
@click.argument("name")
def name_unknown(config: Path | None, unknown: int, name: str) -> None:
    """Enrol a group of unknown faces under a name, new or existing."""
    with operations_or_exit(config) as run:
        done = run("unknowns/name", unknown=unknown, name=name)
        click.echo(f"{done['name']} ({done['person']}) now has {count(done['pictures'], 'picture')}")


@click.command("forget")
@CONFIG_OPTION
@click.argument("unknown", type=int)
def forget_unknown(config: Path | None, unknown: int) -> None:
    """Delete a group of unknown faces."""
    with operations_or_exit(config) as run:
        run("unknowns/forget", unknown=unknown)
        click.echo(f"deleted unknown {unknown}")


@click.command("export")
@CONFIG_OPTION
@click.argument("unknown", type=int)
@click.argument("file", type=OutputFile())
def export_unknown(config: Path | None, unknown: int, file: Path) -> None:
    """Write a group into an archive, as `people export` does. It is not encrypted."""
    write_export(config, file, "unknowns/export", unknown=unknown)


@click.command("ignore")
@CONFIG_OPTION
@click.argument("unknown", type=int)
def ignore_unknown(config: Path | None, unknown: int) -> None:
    """Do not announce the person of a group any more. The sightings are still stored."""
    with operations_or_exit(config) as run:
        run("unknowns/ignore", unknown=unknown)
        click.echo(f"unknown {unknown} is ignored; undo: facegate unknowns unignore {unknown}")


@click.command("unignore")
@CONFIG_OPTION
@click.argument("unknown", type=int)
def unignore_unknown(config: Path | None, unknown: int) -> None:
    """Announce the person of an ignored group again."""
    with operations_or_exit(config) as run:
        run("unknowns/unignore", unknown=unknown)
        click.echo(f"unknown {unknown} is not ignored any more")


@click.command("join")
@CONFIG_OPTION
@click.argument("unknown", type=int)
@click.argument("into", type=int)
def join_unknowns(config: Path | None, unknown: int, into: int) -> None:
    """Add a group of unknown faces to another group that shows the same person."""
    with operations_or_exit(config) as run:
        done = run("unknowns/join", unknown=unknown, into=into)
        click.echo(
            f"unknown {into} was seen {count(done['seen'], 'time')} and has {count(done['pictures'], 'picture')}"
        )


unknowns = click.Group(
    "unknowns",
    commands=[
        list_unknowns,
        name_unknown,
        forget_unknown,
        export_unknown,
        ignore_unknown,
        unignore_unknown,
        join_unknowns,
    ],
    help="Faces that belong to no enrolled person: list, name, ignore, join, export, forget.",
    short_help="Faces that belong to no enrolled person: name, ignore, join.",
)
