"""The commands besides ``run``, on a store of their own. tests/e2e/test_people.py tests ``people add``."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click import Context
from click.testing import CliRunner, Result

from gateway.cli.files import write_named
from gateway.cli.main import LAZY_COMMANDS, LazyGroup, main
from gateway.errors import GatewayError
from gateway.files.ownership import user_name
from gateway.model.caller import CLI_CALLER
from gateway.model.sightings import Sighting
from gateway.mqtt.retained import LIVE, RetainedTopics
from gateway.people.folder.removal_guard import CONFIRMED_NOTE, RemovalGuard
from gateway.store.records import Picture, SightingRecord, StoredFace
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.store import SqliteStore
from gateway.vision.engines.registry import ENGINES
from tests.examples import descriptor
from tests.support import ROOT

Facegate = Callable[..., Result]


def picture(number: int) -> Picture:
    return Picture(f"{number:064x}", "test", ENGINES["facegate"].recipe, StoredFace(descriptor(number), b"chips"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with Ada, who has two pictures, and Grace, who has one."""
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(SqliteStore(folder / "people.sqlite")) as store:
        store.people.enrol("Ada Lovelace", [picture(1), picture(2)], CLI_CALLER)
        store.people.enrol("Grace", [picture(3)], CLI_CALLER)
    return folder


@pytest.fixture
def facegate(data: Path) -> Facegate:
    def run(*words: str, code: int = 0) -> Result:
        done = CliRunner().invoke(main, words, env={"FACEGATE_DATA": str(data)})
        assert done.exit_code == code, done.output
        return done

    return run


def names(facegate: Facegate) -> list[str]:
    return [each["name"] for each in json.loads(facegate("people", "list", "--json").stdout)["people"]]


def test_people_list_lists_everybody(facegate: Facegate) -> None:
    assert names(facegate) == ["Ada Lovelace", "Grace"]
    assert "Ada Lovelace" in facegate("people", "list").stdout
    found = json.loads(facegate("people", "list", "--json", "--search", "LOVE").stdout)["people"]
    assert [(each["person"], len(each["pictures"])) for each in found] == [("ada_lovelace", 2)]


def test_people_are_renamed_merged_and_removed(facegate: Facegate) -> None:
    facegate("people", "rename", "ada_lovelace", "Ада")
    assert names(facegate) == ["Ада", "Grace"]
    assert "Grace (grace) now has 3 pictures" in facegate("people", "merge", "ada_lovelace", "grace").stdout
    facegate(
        "people", "remove", "grace", "--picture", f"{1:064x}"[:16]
    )  # the ids of the pictures have the same beginning
    facegate("people", "remove", "grace")
    assert names(facegate) == []


def test_pictures_are_split_off_and_one_is_shown(facegate: Facegate, data: Path) -> None:
    first, second = "a" * 16, "b" * 16
    with closing(SqliteStore(data / "people.sqlite")) as store:
        store.people.enrol("Byron", [replace(picture(4), digest=4 * each) for each in (first, second)], CLI_CALLER)
    line = facegate("people", "feature", "byron", second).stdout
    assert line == f"the picture {second} is shown for byron from now on\n"
    assert json.loads(facegate("people", "show", "byron").stdout)["shown"] == second
    line = facegate("people", "split", "byron", second, "--name", "Annabella").stdout
    assert line == "Annabella (annabella) now has 1 picture\n"
    assert names(facegate) == ["Ada Lovelace", "Annabella", "Byron", "Grace"]
    assert json.loads(facegate("people", "show", "byron").stdout)["shown"] == first
    stays = facegate("people", "split", "byron", first, "--into", "grace", code=1).stderr
    assert "no picture of byron would be left" in stays
    assert "give either name, or into" in facegate("people", "split", "byron", first, code=1).stderr


def test_merge_counts_pictures_as_the_list_does(facegate: Facegate, data: Path) -> None:
    """Regression: the line of a merge counted counter-examples as pictures of the person."""
    with closing(SqliteStore(data / "people.sqlite")) as store:
        counter = replace(picture(4), counter=True)
        store.people.enrol(store.people.read_entry("grace").person, [counter], CLI_CALLER)
    line = facegate("people", "merge", "ada_lovelace", "grace").stdout
    assert line == "Grace (grace) now has 3 pictures, and 1 picture of other people (not them)\n"
    assert "grace\tGrace\t3\t1\t" in facegate("people", "list").stdout


@pytest.mark.parametrize("name", ["", " "])
def test_add_with_an_empty_name_says_that_it_is_empty(facegate: Facegate, tmp_path: Path, name: str) -> None:
    """Regression: the message asked for --name, although it was given."""
    assert "--name is empty" in facegate("people", "add", "--name", name, str(tmp_path), code=1).stderr


def test_erase_asks_first(facegate: Facegate) -> None:
    done = facegate("people", "erase", "grace", code=1)
    assert "Erase grace permanently?" in done.output
    assert done.stderr.endswith("nobody was erased\n")
    assert len(names(facegate)) == 2
    facegate("people", "erase", "--yes", "grace")
    assert names(facegate) == ["Ada Lovelace"]


def test_error_is_one_sentence_with_exit_code_1(facegate: Facegate) -> None:
    for words in (("rename", "nobody", "X"), ("merge", "grace", "grace"), ("remove", "nobody"), ("show", "../x")):
        done = facegate("people", *words, code=1)
        store, sentence = done.stderr.splitlines()
        assert store.startswith("facegate: configuration: ")
        assert sentence.startswith("facegate: ")


def test_import_of_a_file_that_is_no_archive_names_the_file(facegate: Facegate, tmp_path: Path) -> None:
    file = tmp_path / "people.zip"
    file.write_text("no archive")
    assert f"{file}: this is not an archive of people" in facegate("people", "import", str(file), code=1).stderr


def test_export_and_import_carry_people_to_another_store(facegate: Facegate, tmp_path: Path) -> None:
    file = tmp_path / "people.zip"
    facegate("people", "export", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    facegate("people", "remove", "ada_lovelace")
    assert "2 people, 2 new pictures" in facegate("people", "import", str(file)).stdout
    assert names(facegate) == ["Ada Lovelace", "Grace"]
    assert "2 people, 0 new pictures" in facegate("people", "import", str(file)).stdout
    facegate("people", "remove", "ada_lovelace")
    facegate("people", "rename", "grace", "Ada LOVELACE")
    assert "facegate people import --merge" in facegate("people", "import", str(file), code=1).stderr
    assert "2 people, 3 new pictures" in facegate("people", "import", "--merge", str(file)).stdout


def test_restore_brings_back_removed_people_but_not_erased_ones(facegate: Facegate, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    assert "2 people" in facegate("backup", str(file)).stdout
    facegate("people", "remove", "ada_lovelace")
    facegate("people", "erase", "--yes", "grace")
    assert "the previous store is" in facegate("restore", str(file)).stdout
    assert names(facegate) == ["Ada Lovelace"]


def test_restore_is_refused_while_a_gateway_runs(facegate: Facegate, data: Path, tmp_path: Path) -> None:
    from gateway.files.data_folder import data_folder_lock

    facegate("backup", str(tmp_path / "backup.sqlite"))
    with data_folder_lock(data):
        assert (
            "facegate: a gateway is running on the data folder"
            in facegate("restore", str(tmp_path / "backup.sqlite"), code=1).output
        )


def test_audit_log_contains_no_names(facegate: Facegate) -> None:
    facegate("people", "erase", "--yes", "grace")
    output = facegate("people", "audit").stdout
    assert "erase" in output
    assert "Grace" not in output
    assert "grace" not in output


def test_audit_log_contains_exports_backups_and_restores(facegate: Facegate, data: Path, tmp_path: Path) -> None:
    """Regression: the audit log contained none, and a restore replaced the log by that of the backup."""
    facegate("backup", str(tmp_path / "mine.sqlite"))
    facegate("people", "export", str(tmp_path / "all.zip"))
    facegate("people", "export", "--person", "grace", str(tmp_path / "grace.zip"))
    facegate("people", "erase", "--yes", "grace")
    facegate("restore", str(tmp_path / "mine.sqlite"))
    user = user_name(os.getuid())
    restore, erase, one, everybody, backup = AuditFile(data / AUDIT_FILE).read_lines(5)
    assert (backup.door, backup.action, backup.detail) == ("cli", "backup", "a file outside data/backups")
    assert {line.actor for line in (restore, erase, one, everybody, backup)} == {user}
    assert [(line.action, line.person) for line in (everybody, one)] == [("export", ""), ("export", erase.person)]
    assert erase.action == "erase"
    assert restore.action == "restore"
    assert restore.detail.startswith("a file outside data/backups, made after line 3; the store before it is people-")
    assert "restore" in facegate("people", "audit").stdout


def test_audit_is_verified(facegate: Facegate, data: Path) -> None:
    done = facegate("audit", "verify")
    head = done.stdout.split()[-4].rstrip(":")
    assert done.stdout == f"2 lines, up to {head}: nothing was changed\n"
    assert facegate("audit", "verify", "--head", f"7{head[1:]}", code=1).stdout == f"2 lines, up to {head}: 1 problem\n"
    facegate("people", "rename", "grace", "Grace Hopper")
    found = json.loads(facegate("audit", "verify", "--json", "--head", head).stdout)
    assert (found["lines"], found["intact"], found["problems"]) == (3, True, [])
    assert found["head"].startswith("3:")
    with closing(sqlite3.connect(data / AUDIT_FILE)) as db:
        db.executescript("DROP TRIGGER audit_lasts; DELETE FROM audit WHERE id = 2")
    done = facegate("audit", "verify", "--head", head, code=1)
    assert "2 lines" in done.stdout
    assert "2 problems" in done.stdout
    assert "line 3 of the audit or the line before was changed or removed" in done.stderr
    assert "the audit has no line 2 with the code" in done.stderr
    assert "LINE:CODE" in facegate("audit", "verify", "--help").output
    assert "64 hexadecimal digits" in facegate("audit", "verify", "--head", "2", code=2).output


def test_erase_names_files_that_it_did_not_search(facegate: Facegate, data: Path) -> None:
    (data / "backups").mkdir()
    archive = data / "backups" / "people.tar.gz"
    archive.write_bytes(b"an archive")
    assert (
        f"an erasure skips {archive} (it is not an SQLite file)" in facegate("people", "erase", "--yes", "grace").stderr
    )
    assert archive.exists()


@pytest.mark.slow
def test_calibrate_with_few_people_proposes_nothing_and_draws_a_plot(facegate: Facegate, tmp_path: Path) -> None:
    file = tmp_path / "plot.png"
    output = facegate("calibrate", "--plot", str(file)).stdout
    assert f"{file}: {file.stat().st_size:,} bytes\n" in output
    assert "2 people, 3 pictures" in output
    assert "too few pictures to propose a threshold" in output
    assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_calibrate_names_the_replaced_plot_beside_the_json(facegate: Facegate, tmp_path: Path) -> None:
    """Regression: the plot replaced any file, and nothing was printed about it."""
    file = tmp_path / "README.md"
    file.write_text("text")
    done = facegate("calibrate", "--json", "--plot", str(file))
    assert json.loads(done.stdout)["people"] == 2
    assert f"{file}: {file.stat().st_size:,} bytes, replacing the existing file" in done.stderr


COMMANDS_THAT_WRITE = [("people", "export"), ("calibrate", "--plot"), ("backup",)]


@pytest.mark.parametrize("words", COMMANDS_THAT_WRITE, ids=" ".join)
def test_command_writes_nothing_but_regular_files(facegate: Facegate, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Regression: a backup replaced the device /dev/full, and a folder's name became a file."""
    pipe, link, folder = tmp_path / "pipe", tmp_path / "link", tmp_path / "folder"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        assert "it is not a regular file" in facegate(*words, str(path), code=2).stderr
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert "names a folder" in facegate(*words, f"{folder}/", code=2).stderr
    assert not folder.exists()
    assert f"the folder {folder} does not exist: create it first" in facegate(*words, str(folder / "x"), code=2).stderr
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".new")]


@pytest.mark.parametrize(
    "words",
    [("people", "export"), pytest.param(("calibrate", "--plot"), marks=pytest.mark.slow), ("backup",)],
    ids=" ".join,
)
def test_command_replaces_a_regular_file_where_a_link_points(
    facegate: Facegate, tmp_path: Path, words: tuple[str, ...]
) -> None:
    target, link = tmp_path / "there" / "target", tmp_path / "link"
    target.parent.mkdir()
    link.symlink_to(target)
    target.write_bytes(b"old")
    output = facegate(*words, str(link)).stdout
    assert link.is_symlink()
    assert target.read_bytes() != b"old"
    assert [path.name for path in target.parent.iterdir()] == ["target"]
    assert "replacing the existing file" in output


@pytest.mark.parametrize("words", COMMANDS_THAT_WRITE, ids=" ".join)
def test_command_does_not_write_over_the_store(facegate: Facegate, data: Path, words: tuple[str, ...]) -> None:
    assert "name a file in" in facegate(*words, str(data / "people.sqlite"), code=1).stderr
    assert names(facegate) == ["Ada Lovelace", "Grace"]


def test_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a full disk left half an archive in the place of the old one."""

    def full(_new: Path, _to: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "all.zip"
    file.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(GatewayError, match=f"{file} cannot be used: No space left on device"):
        write_named(file, b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_store_without_unknown_groups_lists_none(facegate: Facegate) -> None:
    assert json.loads(facegate("unknowns", "list", "--json").stdout)["unknowns"] == []
    assert "there is no unknown group 3" in facegate("unknowns", "forget", "3", code=1).stderr


def test_confirm_removal_confirms_people_whose_pictures_are_missing(
    facegate: Facegate, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACEGATE_PEOPLE__FOLDER", str(tmp_path / "known_faces"))
    assert "there is nothing to confirm" in facegate("people", "confirm-removal").stdout
    with closing(SqliteStore(data / "people.sqlite")) as store:
        store.folder_index.enrol_from_folder("Carol", replace(picture(4), source="known_faces/Carol/1.jpg"))
        assert "Carol (carol)" in facegate("people", "confirm-removal", "--show").stdout
        assert store.notes.read_note(CONFIRMED_NOTE) is None
        assert "the pictures of 1 person " in facegate("people", "confirm-removal").stdout
        guard, loss = RemovalGuard(store.notes), store.folder_index.find_loss(["known_faces/Carol/1.jpg"])
        assert guard.allows(loss, suspicious=True)
    assert names(facegate) == ["Ada Lovelace", "Carol", "Grace"]  # the gateway removes them later


def test_people_add_refuses_a_folder_without_pictures(facegate: Facegate, tmp_path: Path) -> None:
    assert "no pictures" in facegate("people", "add", str(tmp_path), code=1).output


def test_command_names_the_configuration_and_the_store_it_uses(
    facegate: Facegate, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data)
    done = facegate("people", "list", "--json")
    assert done.stderr == (f"facegate: configuration: none, only defaults; people store: {data / 'people.sqlite'}\n")
    assert set(json.loads(done.stdout)) == {"people"}


@pytest.mark.parametrize(
    "words",
    [
        ("people", "list"),
        ("people", "show", "ada"),
        ("people", "rename", "ada", "Grace"),
        ("people", "erase", "--yes", "ada"),
        ("people", "audit"),
        ("people", "export", "all.zip"),
        ("people", "import", "known.zip"),
        ("people", "add", "ada.jpg"),
        ("unknowns", "list"),
        ("calibrate",),
        ("backup",),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("empty_file", [False, True])
def test_command_without_a_store_is_refused_and_creates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], empty_file: bool
) -> None:
    """Regression: the command made a store in the current folder, and reported success."""
    monkeypatch.chdir(tmp_path)
    for name in ("known.zip", "ada.jpg"):
        (tmp_path / name).write_bytes(b"x")
    if empty_file:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "people.sqlite").touch()
    before = sorted(tmp_path.rglob("*"))
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert f"facegate: there is no people store at {tmp_path / 'data' / 'people.sqlite'}. Name the" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_people_import_creates_a_store_on_request(facegate: Facegate, data: Path, tmp_path: Path) -> None:
    facegate("people", "export", str(tmp_path / "all.zip"))
    other = {"FACEGATE_DATA": str(tmp_path / "other" / "data")}
    done = CliRunner().invoke(main, ["people", "import", "--new", str(tmp_path / "all.zip")], env=other)
    assert done.exit_code == 0, done.output
    assert f"a new people store is created at {tmp_path}/other/data/people.sqlite" in done.stderr
    assert (tmp_path / "other" / "data").stat().st_mode & 0o777 == 0o700


def test_store_that_cannot_be_created_is_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    env = {"FACEGATE_DATA": str(tmp_path / "file")}
    done = CliRunner().invoke(main, ["people", "import", "--new", str(tmp_path / "file")], env=env)
    assert done.exit_code == 1
    assert "cannot be created" in done.stderr


def test_folder_in_place_of_a_data_file_is_reported_in_one_sentence(
    facegate: Facegate, data: Path, tmp_path: Path
) -> None:
    facegate("backup", str(tmp_path / "backup.sqlite"))
    (data / "lock").unlink(missing_ok=True)
    for name, words in (
        ("lock", ("restore", str(tmp_path / "backup.sqlite"))),
        ("backups/lock", ("people", "erase", "--yes", "grace")),
        ("people.sqlite", ("people", "list")),
    ):
        path = data / name
        path.unlink(missing_ok=True)
        path.mkdir(mode=0o755)
        done = facegate(*words, code=1)
        assert "Is a directory" in done.output
        assert str(path) in done.output
        assert path.stat().st_mode & 0o777 == 0o755
        path.rmdir()


@pytest.mark.parametrize("given", ["photo.jpg", "Barack_Obama", "."])
def test_people_add_refuses_a_picture_without_a_name(
    facegate: Facegate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str
) -> None:
    """Regression: the name of the current folder, or of the one that was given, was enrolled."""
    folder = tmp_path / "family"
    (folder / "Barack_Obama").mkdir(parents=True)
    (folder / "Barack_Obama/1.jpg").write_bytes(b"picture")
    (folder / "photo.jpg").write_bytes(b"picture")
    monkeypatch.chdir(folder if given != "." else folder / "Barack_Obama")
    done = facegate("people", "add", given, code=1)
    assert "not enrolled: 1 of 1" in done.stderr
    assert "--name-by-file" in done.stderr
    assert names(facegate) == ["Ada Lovelace", "Grace"]


def test_people_list_does_not_truncate_ids_in_a_pipe(facegate: Facegate, data: Path) -> None:
    name = "Wolfeschlegelsteinhausenbergerdorff " * 2
    with closing(SqliteStore(data / "people.sqlite")) as store:
        slug = store.people.enrol(name.strip(), [picture(5)], CLI_CALLER).person.slug
    lines = facegate("people", "list").stdout.splitlines()
    assert lines[0].split("\t") == ["id", "name", "pictures", "not them", "since"]
    assert [slug, name.strip(), "1", ""] in [line.split("\t")[:4] for line in lines]


def test_list_of_commands_is_not_truncated(facegate: Facegate) -> None:
    assert "..." not in facegate("--help").output.partition("Commands:")[2]


@pytest.mark.parametrize("command", ["people", "unknowns", "calibrate", "backup", "restore"])
def test_command_has_a_help_text(facegate: Facegate, command: str) -> None:
    assert "Usage" in facegate(command, "--help").output


def save_sightings(data: Path) -> None:
    """Store a sighting of Ada, and one of a stranger of the unknown group 1."""
    recipe, now = ENGINES["facegate"].recipe, time.time()
    with closing(SqliteStore(data / "people.sqlite")) as store:
        group = store.unknown_groups(recipe).add_group("yard", now, 0.5, StoredFace(descriptor(9), b"chips"))
        store.unknown_groups(recipe).add_group("yard", now, 0.5, StoredFace(descriptor(8), b"chips"))
        ada = store.people.read_entry("ada_lovelace").person
        face = StoredFace(descriptor(4), b"chips of a sighting", b"the picture of a sighting")
        store.sightings(recipe).save(
            [
                SightingRecord(
                    Sighting(
                        id="s1",
                        visit="v",
                        camera="porch",
                        since=now - 9,
                        last_seen=now - 2,
                        outcome="named",
                        person=ada,
                        ended=now,
                        reason="left",
                    ),
                    face,
                ),
                SightingRecord(
                    Sighting(
                        id="s2",
                        visit="v",
                        camera="yard",
                        since=now - 8,
                        last_seen=now,
                        outcome="stranger",
                        unknown=group.id,
                    ),
                    face,
                ),
            ]
        )


def test_sightings_are_listed_shown_and_corrected(facegate: Facegate, data: Path, tmp_path: Path) -> None:
    save_sightings(data)
    lines = facegate("sightings", "list").stdout.splitlines()
    assert [line.split("\t")[:3] for line in lines[1:]] == [
        ["s2", "yard", "unknown 1"],
        ["s1", "porch", "Ada Lovelace"],
    ]
    found = json.loads(facegate("sightings", "list", "--json", "--camera", "porch", "--days", "1").stdout)
    assert [each["sighting"] for each in found["sightings"]] == ["s1"]
    assert (
        json.loads(facegate("sightings", "list", "--json", "--limit", "1").stdout)["sightings"][0]["sighting"] == "s2"
    )
    picture = tmp_path / "s1.jpg"
    shown = json.loads(facegate("sightings", "show", "s1", "--picture", str(picture)).stdout)
    assert (shown["name"], "picture" in shown) == ("Ada Lovelace", False)
    assert picture.read_bytes() == b"the picture of a sighting"
    confirmed = facegate("sightings", "confirm", "s2", "--person", "grace").stdout.splitlines()
    assert confirmed[0] == "s2 shows Grace (grace)"
    undo = confirmed[1].removeprefix("undo: facegate ").split()
    facegate(*undo)
    assert len(json.loads(facegate("people", "show", "grace").stdout)["pictures"]) == 1
    assert "s1 does not show ada_lovelace" in facegate("sightings", "not-them", "s1").stdout
    assert "s1 has no name" in facegate("sightings", "confirm", "s1", code=1).stderr
    assert "no sighting 's3'" in facegate("sightings", "show", "s3", code=1).stderr


@pytest.mark.parametrize("option", ["--limit", "--days", "--unknown"])
def test_list_of_sightings_refuses_numbers_below_one(facegate: Facegate, data: Path, option: str) -> None:
    save_sightings(data)
    assert f"Invalid value for '{option}': 0 is not in the range" in " ".join(
        facegate("sightings", "list", option, "0", code=2).stderr.split()
    ).replace("0.0", "0")


def test_unknown_groups_are_ignored_and_joined(facegate: Facegate, data: Path, tmp_path: Path) -> None:
    save_sightings(data)
    assert "unknown 1 is ignored" in facegate("unknowns", "ignore", "1").stdout
    assert facegate("unknowns", "list").stdout.count("\tyes\n") == 1
    assert "not ignored any more" in facegate("unknowns", "unignore", "1").stdout
    assert f"{tmp_path / 'unknown.zip'}: " in facegate("unknowns", "export", "1", str(tmp_path / "unknown.zip")).stdout
    assert "unknown 2 was seen 2 times and has 2 pictures" in facegate("unknowns", "join", "1", "2").stdout
    assert "no unknown group 1" in facegate("unknowns", "join", "1", "2", code=1).stderr


def test_cameras_are_switched(facegate: Facegate) -> None:
    assert facegate("cameras", "list").stdout == "no camera is known yet\n"
    warning = "the camera porch is not known yet: it will be off when it sends its first picture\n"
    assert facegate("cameras", "disable", "porch").stdout == warning
    assert facegate("cameras", "disable", "porch").stdout == "recognition is switched off for porch\n"
    assert facegate("cameras", "disable").stdout == "recognition is switched off for all cameras\n"
    assert facegate("cameras", "list").stdout == "all cameras: off\nporch: off\n"
    assert json.loads(facegate("cameras", "list", "--json").stdout) == {
        "enabled": False,
        "cameras": [{"camera": "porch", "enabled": False}],
    }
    facegate("cameras", "enable")
    facegate("cameras", "forget", "porch")
    assert facegate("cameras", "list").stdout == "no camera is known yet\n"
    assert "no camera 'porch' is known" in facegate("cameras", "forget", "porch", code=1).stderr
    assert "must be the name of a camera" in facegate("cameras", "enable", "a/b", code=1).stderr


def test_cameras_of_the_settings_and_of_the_gateway_are_listed(facegate: Facegate, data: Path, tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text("cameras: {attic: {}}")
    save_sightings(data)
    # "porch" has sightings. "yard" never showed a face, and the earlier base is not this gateway's any more.
    topics = ["facegate/yard/state", "facegate/yard/present", "facegate/bridge/state", "earlier/old/state"]
    RetainedTopics(data / "retained.json").add(LIVE, *topics)
    facegate("cameras", "disable", "yard")
    assert facegate("cameras", "list", "--config", str(config)).stdout == "attic: on\nporch: on\nyard: off\n"


@pytest.mark.parametrize("name", LAZY_COMMANDS)
def test_lazy_command_has_the_short_help_of_the_list(name: str) -> None:
    assert isinstance(main, LazyGroup)
    command = main.get_command(Context(main), name)
    assert command is not None
    assert command.get_short_help_str(limit=200) == LAZY_COMMANDS[name].short_help


@pytest.mark.slow
def test_help_imports_no_lazy_command() -> None:
    code = (
        "import sys\nfrom gateway.cli.main import main\ntry:\n    main(['--help'])\nfinally:\n    print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Copy the people store into a file." in done.stdout
    assert "gateway.app" not in done.stdout.split()
    assert "numpy" not in done.stdout.split()


def test_certificate_is_made_for_the_names_of_the_gateway(facegate: Facegate, data: Path) -> None:
    made = json.loads(facegate("tls", "make", "--host", "10.0.0.5", "--json").stdout)
    assert {"10.0.0.5", "localhost", "127.0.0.1"} < set(made["hosts"])
    assert made["cert"] == str(data / "tls" / "rest.pem")
    assert "add --replace" in facegate("tls", "make", code=1).output
    replaced = facegate("tls", "make", "--replace").stdout
    assert f"tls: {{cert: {made['cert']}, key: {made['key']}}}" in replaced
    assert made["fingerprint"] not in replaced


def test_first_certificate_is_made_in_a_folder_that_only_its_owner_may_open(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    assert CliRunner().invoke(main, ["tls", "make"], env={"FACEGATE_DATA": str(data)}).exit_code == 0
    assert [oct(each.stat().st_mode & 0o777) for each in (data, data / "tls")] == ["0o700", "0o700"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_the_shell(facegate: Facegate, shell: str) -> None:
    script = facegate("completion", shell).stdout
    assert "_FACEGATE_COMPLETE=" in script
    assert "facegate" in script


def complete(*words: str) -> tuple[list[str], list[str]]:
    """Return the words that bash would offer for the last one, and the modules that were imported."""
    code = (
        "import os, sys\nfrom gateway.cli.main import main\ntry:\n    main(prog_name='facegate')\nfinally:\n"
        "    print(*sys.modules, file=sys.stderr)"
    )
    environment = {
        **os.environ,
        "_FACEGATE_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("facegate", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()], done.stderr.split()


@pytest.mark.slow
def test_shell_completes_commands_without_importing_them() -> None:
    words, modules = complete("rec")
    assert words == ["recognise"]
    assert "gateway.cli.recognise" not in modules
    assert complete("people", "me")[0] == ["merge"]
    assert "--json" in complete("recognise", "--")[0]
    assert "--version" in complete("--v")[0]


def test_recognise_without_a_store_creates_none(tmp_path: Path) -> None:
    picture = ROOT / "device_sim" / "frames" / "obama_1.jpg"
    done = CliRunner().invoke(main, ["recognise", str(picture)], env={"FACEGATE_DATA": str(tmp_path / "data")})
    assert (done.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert "There is no people store" in done.output.replace("there", "There")
