"""The group of commands ``facegate people``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from gateway.cli.files import read_named
from gateway.cli.folder_removal import confirm_removal_of_people
from gateway.cli.operations import all_pages, operations_or_exit
from gateway.cli.options import CONFIG_OPTION, JSON_OPTION
from gateway.cli.output import count, format_minute, print_table
from gateway.cli.people_add import add
from gateway.cli.people_archive import export_people, import_people
from gateway.cli.people_pictures import feature, split
from gateway.contract.base import Document

AUDIT_COLUMNS = (
    "time", "interface", "user", "role", "action", "outcome", "person", "name", "pictures", "detail"
)  # fmt: skip


@click.command("list")
@CONFIG_OPTION
@JSON_OPTION
@click.option("--search", default="", help="Only people whose name contains this text.")
def list_people(config: Path | None, as_json: bool, search: str) -> None:
    """List the enrolled people."""
    with operations_or_exit(config) as run:
        found = [each for page in all_pages(run, "people/list", search=search) for each in page["people"]]
    if as_json:
        click.echo(json.dumps({"people": found}, ensure_ascii=False))
        return
    rows = []
    for each in found:
        own, counters = _count_pictures(each)
        rows.append((each["person"], each["name"], str(own), str(counters or ""), format_minute(each["added"])))
    print_table(("id", "name", "pictures", "not them", "since"), rows)


def _count_pictures(person: Document) -> tuple[int, int]:
    """Return two counts: the pictures that show the person, and the counter-examples (column "not them")."""
    counters = sum(picture["counter"] for picture in person["pictures"])
    return len(person["pictures"]) - counters, counters


@click.command("show")
@CONFIG_OPTION
@click.argument("person")
def show(config: Path | None, person: str) -> None:
    """Print one person with their pictures, as JSON."""
    with operations_or_exit(config) as run:
        click.echo(json.dumps(run("people/show", person=person), ensure_ascii=False, indent=1))


@click.command("rename")
@CONFIG_OPTION
@click.argument("person")
@click.argument("name")
def rename(config: Path | None, person: str, name: str) -> None:
    """Give the person with this id another name. The id does not change."""
    with operations_or_exit(config) as run:
        click.echo(f"{person} is now called {run('people/rename', person=person, name=name)['name']}")


@click.command("merge")
@CONFIG_OPTION
@click.argument("person")
@click.argument("into")
def merge(config: Path | None, person: str, into: str) -> None:
    """Merge one person into another, who keeps name and id."""
    with operations_or_exit(config) as run:
        done = run("people/merge", person=person, into=into)
        own, counters = _count_pictures(done)
        not_them = f", and {count(counters, 'picture')} of other people (not them)" if counters else ""
        click.echo(f"{done['name']} ({into}) now has {count(own, 'picture')}{not_them}")


@click.command("not-them")
@CONFIG_OPTION
@click.argument("person")
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def not_them(config: Path | None, person: str, picture: Path) -> None:
    """Add a picture that was wrongly taken for this person.

    A face that is at least as similar to that picture as to the person does not get the person's name any more.
    """
    with operations_or_exit(config, with_worker=True) as run:
        run("people/not_them", person=person, images=[read_named(picture)])
        click.echo(f"faces that resemble this picture are no longer taken for {person}")


@click.command("remove")
@CONFIG_OPTION
@click.argument("person")
@click.option("--picture", help="Only the picture with this id.")
def remove(config: Path | None, person: str, picture: str | None) -> None:
    """Remove a person, or one picture. Backups still contain them: see erase."""
    with operations_or_exit(config) as run:
        if picture:
            run("people/remove_picture", person=person, picture=picture)
        else:
            run("people/remove", person=person)
        click.echo(f"removed {f'picture {picture} of ' if picture else ''}{person}")


@click.command("erase", short_help="Delete a person everywhere in the data folder.")
@CONFIG_OPTION
@click.argument("person")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def erase(config: Path | None, person: str, yes: bool) -> None:
    """Delete a person everywhere in the data folder: store, backups, unknown faces that may be theirs."""
    if not yes and not _is_confirmed(f"Erase {person} permanently?"):
        click.echo("nobody was erased", err=True)
        sys.exit(1)
    with operations_or_exit(config) as run:
        for warning in run("people/erase", person=person).get("warnings", ()):
            click.echo(warning, err=True)
        click.echo(f"erased {person}; delete pictures in known_faces/, exports and backups elsewhere yourself")


def _is_confirmed(question: str) -> bool:
    """Return the answer to a question. Ctrl-C and the end of the input mean no."""
    try:
        return click.confirm(question)
    except click.Abort:
        click.echo(err=True)
        return False


@click.command("audit", short_help="Print the audit.")
@CONFIG_OPTION
@click.option("--limit", default=100, show_default=True, help="The number of lines, the latest first.")
def audit(config: Path | None, limit: int) -> None:
    """Print the audit: each change with its time, interface and user, refusals, and failed log-ins.

    The audit has random numbers for people. The column "name" shows the people who are enrolled now.
    """
    with operations_or_exit(config) as run:
        lines = run("people/audit", limit=limit)["audit"]
    print_table(AUDIT_COLUMNS, map(_audit_row, lines))


def _audit_row(line: Document) -> tuple[str, ...]:
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line["at"]))
    interface, _, _ = line["door"].partition(":")
    number = f"{line['outcome']} {line['times']} times" if line["times"] > 1 else line["outcome"]
    subject = line["person"], line["name"] or "", str(line["pictures"])
    return moment, interface, line["actor"], line["role"], line["action"], number, *subject, line["detail"]


people = click.Group(
    "people",
    commands=[
        add,
        list_people,
        show,
        rename,
        merge,
        split,
        feature,
        not_them,
        remove,
        erase,
        export_people,
        import_people,
        audit,
        confirm_removal_of_people,
    ],
    help="Enrolled people: add, list, rename, merge, split, remove, erase, export, import.",
    short_help="Enrolled people: add, list, rename, erase, and more.",
)
