"""The command ``facegate store copy``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from gateway.cli.operations import errors_as_messages
from gateway.cli.options import CONFIG_OPTION
from gateway.cli.output import counted_progress, print_table
from gateway.cli.store import find_settings
from gateway.errors import BadRequest
from gateway.files.data_folder import data_folder_lock
from gateway.people.store_copy import copy_store, count_copy
from gateway.people.wiring import describe_store

_PLACE = "PLACE"


@click.group(short_help="The people store: copy it into PostgreSQL, or back.")
def store() -> None:
    """The people store (people.store)."""


@store.command(short_help="Copy everything into another store.")
@CONFIG_OPTION
@click.option("--from", "source", metavar=_PLACE, help="The store to copy. Without it: people.store.")
@click.option("--to", "target", metavar=_PLACE, help="The store that gets the copy. Without it: people.store.")
@click.option("--dry-run", is_flag=True, help="Only check that it would work, and print the rows of each table.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def copy(config: Path | None, source: str | None, target: str | None, dry_run: bool, as_json: bool) -> None:
    """Copy people, sightings, unknown faces, tokens and the audit from SQLite into PostgreSQL, or back.

    PLACE is sqlite, or an address as postgresql://USER@HOST/DATABASE. Others on this machine may see an address on the
    command line: leave the password out of it, and set PGPASSWORD, or write it into ~/.pgpass. No gateway may be
    running. The store that is copied stays as it is. The other one must be empty: an audit or marks of erasures are not
    replaced either. Encrypted records stay encrypted with the same key.
    """
    with errors_as_messages():
        if source is None and target is None:
            raise BadRequest("two stores are needed, one from people.store and one from --from or --to")
        settings = find_settings(config)
        one = settings if source is None else settings.with_store(source)
        other = settings if target is None else settings.with_store(target)
        with data_folder_lock(settings.data), counted_progress("copying") as begin:
            counts = count_copy(one, other) if dry_run else copy_store(one, other, begin)
    _print(counts, describe_store(one), describe_store(other), dry_run=dry_run, as_json=as_json)


def _print(counts: Mapping[str, int], source: str, target: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"from": source, "to": target, "copied": not dry_run, "rows": dict(counts)}))
        return
    print_table(("table", "rows"), [(table, f"{rows:,}") for table, rows in counts.items() if rows])
    if dry_run:
        click.echo(f"nothing was copied: {source} can be copied into {target}")
        return
    click.echo(f"copied from {source} into {target}: set people.store to the new store before the gateway starts")
