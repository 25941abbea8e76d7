"""``facegate people``, ``unknowns``, ``calibrate``, ``backup``, ``restore``: what the doors offer, from a shell.

They work on the store itself, whether a gateway runs on it or not; one that does sees the change within a second.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from gateway.app import create_pool, data_folder_lock, prepare_engine
from gateway.cli.files import OutputFile, check_outside, read_named, write_named
from gateway.cli.options import CONFIG, NEW
from gateway.cli.output import print_table, progress, refusals_by_reason
from gateway.cli.store import find_settings, settings_of_store
from gateway.config import Settings
from gateway.contract.documents import Document
from gateway.errors import GatewayError
from gateway.files.ownership import invoking_user, permission_hint
from gateway.health import Health, MqttHealth
from gateway.logs import escape
from gateway.metrics import Metrics
from gateway.model.caller import CLI_CALLER
from gateway.people.folder.file_names import GivenPicture, Refusal, given_pictures
from gateway.people.folder.files import read_bounded, reason_of
from gateway.people.folder.importer import ImportProgress
from gateway.people.folder.losses import waiting_removals
from gateway.people.wiring import cipher, known, open_audit, open_unknown_faces, store_path
from gateway.service.administration import Administration
from gateway.service.enrolment_vision import Describer
from gateway.store.removal_guard import confirm_removal
from gateway.store.sqlite.backups import restore as put_back
from gateway.vision.engines.options import RECIPES

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the document, as the other doors give it.")

Do = Callable[..., Document]
"""An operation with its fields; waits for the document."""


@contextmanager
def desk(config: Path | None, *, describes: bool = False, new: bool = False) -> Iterator[Do]:
    """``describes``: faces, for which a worker process is started; ``new``: a store may be made where there is none.
    What goes wrong ends the command with a sentence.
    """
    with settings_or_exit(config, new=new) as settings, operations(settings, describes=describes) as do:
        yield do


@contextmanager
def settings_or_exit(config: Path | None, *, new: bool = False) -> Iterator[Settings]:
    """As ``settings_of_store``. An error ends the command with a sentence."""
    with ending_in_a_sentence():
        yield settings_of_store(config, new=new)


@contextmanager
def ending_in_a_sentence() -> Iterator[None]:
    try:
        yield
    except GatewayError as error:
        click.echo(f"facegate: {error}", err=True)
        sys.exit(1)


@contextmanager
def operations(settings: Settings, *, describes: bool) -> Iterator[Do]:
    with ExitStack() as stack:
        opened = stack.enter_context(known(settings, RECIPES[settings.engine]))
        changes = stack.enter_context(ThreadPoolExecutor(1))
        describer = _describer(settings, stack if describes else None)
        unknowns = open_unknown_faces(settings, opened, describer.part, tidies=False)
        administration = Administration(opened.registry, unknowns, describer, changes, changes, _health)
        yield lambda operation, **fields: administration.submit(operation, fields, CLI_CALLER).result()


def _describer(settings: Settings, stack: ExitStack | None) -> Describer:
    if stack is None:
        return Describer(_no_worker, min_face=settings.detection.min_face, max_bytes=settings.limits.bytes)
    pool = create_pool(settings, prepare_engine(settings), Metrics(), workers=1)
    pool.start()
    stack.callback(pool.stop)
    return Describer(pool.submit, min_face=settings.detection.min_face, max_bytes=settings.limits.bytes)


def _no_worker(_job: object) -> Any:
    raise GatewayError("this command describes no faces")


def _health() -> Health:
    return Health(
        MqttHealth(False, False, False), 0, 0, workers_maintained=False, store=True, known_faces=ImportProgress()
    )


@click.group(
    help="Who is known: add, list, rename, merge, remove, erase, export, import.",
    short_help="Who is known: add, list, rename, erase, and more.",
)
def people() -> None: ...


@people.command("add")
@CONFIG
@click.option("--name", help="The person on all the pictures. Without it each folder in a folder that is given is one.")
@click.option("--name-by-file", "by_file", is_flag=True, help="Pictures in no person's folder are named by their file.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@NEW
def add(config: Path | None, name: str | None, by_file: bool, paths: tuple[Path, ...], new: bool) -> None:
    """Enrol pictures, or folders of them, with one face each."""
    pictures, refusals, notes = given_pictures(paths, name, by_file=by_file)
    for note in notes:
        click.echo(f"left out: {note}", err=True)
    if not pictures and not refusals:
        raise click.ClickException("there are no pictures in that")
    given = len(pictures) + len(refusals)
    with settings_or_exit(config, new=new) as settings:
        if pictures:
            with operations(settings, describes=True) as do:
                refusals += _enrol(pictures, do, settings.limits.bytes)
    if refusals:
        click.echo(f"not enrolled: {len(refusals)} of {given}", err=True)
        for line in refusals_by_reason(refusals):
            click.echo(line, err=True)
        sys.exit(1)


def _enrol(pictures: list[GivenPicture], do: Do, max_bytes: int) -> list[Refusal]:
    refusals = []
    with progress("enrolling", len(pictures)) as (lines, steps):
        for picture, _ in zip(pictures, steps, strict=True):
            shown = escape(str(picture.given))
            try:
                data, _ = read_bounded(picture.path, max_bytes)
                done = do("people/add", name=picture.name, images=[data])
            except (GatewayError, OSError) as error:
                reason = reason_of(error) + permission_hint(error) if isinstance(error, OSError) else str(error)
                refusals.append((picture.given, reason))
                lines.print(f"{shown}: {reason}", err=True)
            else:
                warnings = "".join(f"\n  {warning}" for warning in done["warnings"])
                lines.print(f"{shown}: {done['name']} ({done['person']}), known by {done['pictures']}{warnings}")
    return refusals


@people.command("list")
@CONFIG
@AS_JSON
@click.option("--search", default="", help="Only those whose name contains this.")
def list_people(config: Path | None, as_json: bool, search: str) -> None:
    """Everybody who is known."""
    with desk(config) as do:
        found: list[Document] = []
        after: str | None = ""
        while after is not None:
            page = do("people/list", after=after, search=search, limit=1000)
            found += page["people"]
            after = page["next"]
    if as_json:
        click.echo(json.dumps({"people": found}, ensure_ascii=False))
        return
    rows = []
    for each in found:
        against = sum(picture["counter"] for picture in each["pictures"])
        shown = len(each["pictures"]) - against
        rows.append((each["person"], each["name"], str(shown), str(against or ""), _day(each["added"])))
    print_table(("id", "name", "pictures", "not them", "since"), rows)


@people.command("show")
@CONFIG
@click.argument("person")
def show(config: Path | None, person: str) -> None:
    """One person with their pictures, as JSON."""
    with desk(config) as do:
        click.echo(json.dumps(do("people/show", person=person), ensure_ascii=False, indent=1))


@people.command("rename")
@CONFIG
@click.argument("person")
@click.argument("name")
def rename(config: Path | None, person: str, name: str) -> None:
    """Give the person with that id another name. The id stays."""
    with desk(config) as do:
        click.echo(f"{person} is called {do('people/rename', person=person, name=name)['name']} now")


@people.command("merge")
@CONFIG
@click.argument("person")
@click.argument("into")
def merge(config: Path | None, person: str, into: str) -> None:
    """Make two people one, who keeps the second's name and id."""
    with desk(config) as do:
        done = do("people/merge", person=person, into=into)
        click.echo(f"{done['name']} ({into}) is known by {len(done['pictures'])} pictures now")


@people.command("not-them")
@CONFIG
@click.argument("person")
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def not_them(config: Path | None, person: str, picture: Path) -> None:
    """Say that a picture was wrongly taken for that person: whoever resembles it as much is not them."""
    with desk(config, describes=True) as do:
        do("people/not_them", person=person, images=[read_named(picture)])
        click.echo(f"whoever resembles that is not taken for {person} any more")


@people.command("remove")
@CONFIG
@click.argument("person")
@click.option("--picture", help="Only the picture with this id.")
def remove(config: Path | None, person: str, picture: str | None) -> None:
    """Forget a person, or one picture. Backups still have them; see erase."""
    with desk(config) as do:
        if picture:
            do("people/remove_picture", person=person, picture=picture)
        else:
            do("people/remove", person=person)
        click.echo(f"removed {f'picture {picture} of ' if picture else ''}{person}")


@people.command("erase")
@CONFIG
@click.argument("person")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(config: Path | None, person: str, yes: bool) -> None:
    """Forget a person everywhere in the data folder: store, backups, unknown faces that may be theirs."""
    if not yes:
        click.confirm(f"Erase {person} for good?", abort=True)
    with desk(config) as do:
        for warning in do("people/erase", person=person).get("warnings", ()):
            click.echo(warning, err=True)
        click.echo(f"erased {person}; pictures in known_faces/, exports and backups elsewhere are yours to delete")


@people.command("export")
@CONFIG
@click.argument("file", type=OutputFile())
@click.option("--person", help="Only the person with this id.")
def export(config: Path | None, file: Path, person: str | None) -> None:
    """Write everybody, or one person, into an archive. It is not encrypted."""
    with settings_or_exit(config) as settings:
        check_outside(file, settings.data)
        with operations(settings, describes=False) as do:
            archive = base64.b64decode(do("people/export", **({"person": person} if person else {}))["archive"])
        replaced = _replaced(file)
        write_named(file, archive)
        click.echo(f"{file}: {len(archive):,} bytes{replaced}")


@people.command("import")
@CONFIG
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@NEW
@click.option("--merge", is_flag=True, help="Add pictures to people of the same names who are known already.")
def import_people(config: Path | None, file: Path, merge: bool, new: bool) -> None:
    """Add people from an archive. What is known already stays as it is."""
    with desk(config, new=new) as do:
        done = do("people/import", archive=read_named(file), merge=merge)
        warnings = "".join(f"\n  {warning}" for warning in done["warnings"])
        click.echo(f"{done['people']} people, {done['pictures']} pictures that were new{warnings}")


@people.command("audit")
@CONFIG
@click.option("--limit", default=100, show_default=True)
def audit(config: Path | None, limit: int) -> None:
    """Who was added, changed, erased, when and by which door; people by a random number that says nothing."""
    rows = []
    with desk(config) as do:
        for line in do("people/audit", limit=limit)["audit"]:
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line["at"]))
            rows.append((moment, line["door"], line["action"], line["person"], str(line["pictures"]), line["detail"]))
    print_table(("when", "door", "what", "person", "pictures", "detail"), rows)


@people.command("confirm-removal")
@CONFIG
@click.option("--show", is_flag=True, help="Only print who would be removed.")
def confirm_removal_of_people(config: Path | None, show: bool) -> None:
    """Remove the people whose pictures are gone from known_faces/, where the gateway waits for that word.

    It waits when the folder is missing, unreadable or empty, or when more than half of the people would be removed
    within ten minutes. A gateway that runs removes them within seconds, one that does not when it is started within an
    hour.
    """
    with settings_or_exit(config) as settings, known(settings, RECIPES[settings.engine]) as opened:
        waiting = waiting_removals(opened.store, settings.people.folder)
        for person in opened.store.find_people_by_key(waiting):
            click.echo(f"{person.name} ({person.slug})")
        if waiting and not show:
            detail = f"{len(waiting)} people, by {invoking_user()}"
            opened.store.record(CLI_CALLER, "confirm_removal", detail=detail)
            confirm_removal(opened.store, waiting)
    if not waiting:
        click.echo("there is nothing to confirm")
    elif not show:
        click.echo(f"confirmed: a gateway that runs forgets the pictures of {len(waiting)} people within seconds")


@click.group(help="Faces that nobody knows: list, name, forget.")
def unknowns() -> None: ...


@unknowns.command("list")
@CONFIG
@AS_JSON
def list_unknowns(config: Path | None, as_json: bool) -> None:
    """Who was seen, last first."""
    with desk(config) as do:
        found = do("unknowns/list", limit=1000)
    if as_json:
        click.echo(json.dumps(found))
        return
    rows = []
    for each in found["unknowns"]:
        cameras = ", ".join(each["cameras"])
        rows.append((str(each["unknown"]), str(each["seen"]), _day(each["first"]), _day(each["last"]), cameras))
    print_table(("unknown", "seen", "first", "last", "cameras"), rows)


@unknowns.command("name")
@CONFIG
@click.argument("unknown", type=int)
@click.argument("name")
def name_unknown(config: Path | None, unknown: int, name: str) -> None:
    """Enrol them under that name, new or not."""
    with desk(config) as do:
        done = do("unknowns/name", unknown=unknown, name=name)
        click.echo(f"{done['name']} ({done['person']}) is known by {done['pictures']} pictures")


@unknowns.command("forget")
@CONFIG
@click.argument("unknown", type=int)
def forget_unknown(config: Path | None, unknown: int) -> None:
    """Delete what is kept of them."""
    with desk(config) as do:
        do("unknowns/forget", unknown=unknown)
        click.echo(f"forgot unknown {unknown}")


@click.command(short_help="How well your own people can be told apart.")
@CONFIG
@AS_JSON
@click.option("--plot", type=OutputFile(), help="Write a picture of it (PNG).")
def calibrate(config: Path | None, as_json: bool, plot: Path | None) -> None:
    """How well your own people can be told apart, by their own pictures."""
    with settings_or_exit(config) as settings:
        if plot:
            check_outside(plot, settings.data)
        with operations(settings, describes=False) as do:
            found = dict(do("calibrate", plot=plot is not None))
        if plot:
            write_named(plot, base64.b64decode(found.pop("plot")))
    if as_json:
        click.echo(json.dumps(found))
        return
    if found["curve"]:
        rows = [(f"{1 / row['rate']:,.0f}", f"{row['score']:.3f}") for row in found["curve"]]
        print_table(("one comparison of different people in", "scores at least"), rows)
    click.echo("{people} people, {pictures} pictures; a face is named from a score of {threshold}".format(**found))
    if found["closest"]:
        one, other = found["closest"]["people"]
        doubt = ": are they one person?" if found["closest"]["one_person"] else ""
        click.echo(f"the closest two are {one} and {other}, at {found['closest']['score']}{doubt}")
    click.echo(found["refused"] or f"proposed: decision.fixed_identification: {found['proposed_threshold']}")


@click.command(short_help="Copy the people store into a file.")
@CONFIG
@click.argument("file", required=False, type=OutputFile())
def backup(config: Path | None, file: Path | None) -> None:
    """Copy the people store, whole and consistent, into data/backups or to FILE, while a gateway runs or not."""
    with settings_or_exit(config) as settings:
        if file:
            check_outside(file, settings.data)
        with known(settings, RECIPES[settings.engine]) as opened, opened.backups.locked():
            path = file or opened.backups.free_path()
            replaced = _replaced(path)
            # before it is made: the audit may name a backup that failed, but never miss one
            opened.store.record(CLI_CALLER, "backup", detail=f"{opened.backups.audit_name(path)}, by {invoking_user()}")
            opened.store.move_audit()
            opened.backups.make(opened.store.database, path)
            click.echo(f"{path}: {path.stat().st_size:,} bytes, {len(opened.gallery)} people{replaced}")


@click.command()
@CONFIG
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(config: Path | None, file: Path) -> None:
    """Put a backup in the store's place; what was there is kept. Whoever was erased since does not come back.

    No gateway may be running on the data folder.
    """
    with ending_in_a_sentence():
        settings = find_settings(config)
        with data_folder_lock(settings.data):
            before = put_back(file, store_path(settings), cipher(settings), open_audit(settings), invoking_user())
    click.echo(f"restored from {file}" + (f"; what was there is {before}" if before else ""))


COMMANDS = (people, unknowns, calibrate, backup, restore)


def _replaced(file: Path) -> str:
    # Path.exists raises where the folder is closed to this user; the write that follows says so.
    return ", in place of the file that was there" if os.path.exists(file) else ""  # noqa: PTH110


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
