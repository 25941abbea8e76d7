"""The commands ``facegate key``, and the data keys beside a backup."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import main
from gateway.files.data_folder import data_folder_lock
from gateway.model.caller import CLI_CALLER
from gateway.store.cipher import Cipher
from gateway.store.sqlite.key_file import KEY_FILE
from gateway.store.sqlite.store import SqliteStore
from tests.people.environment import KEY
from tests.store.examples import picture

Facegate = Callable[..., Result]

OLD = base64.b64encode(KEY).decode()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with Ada, encrypted."""
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(SqliteStore(folder / "people.sqlite", Cipher(KEY))) as store:
        store.people.enrol("Ada", [picture()], CLI_CALLER)
    return folder


@pytest.fixture
def facegate(data: Path) -> Facegate:
    def run(*words: object, code: int = 0, key: str = OLD) -> Result:
        done = CliRunner().invoke(
            main, [str(word) for word in words], env={"FACEGATE_DATA": str(data), "FACEGATE_PEOPLE__KEY": key}
        )
        assert done.exit_code == code, done.output
        return done

    return run


def test_rotation_makes_the_new_key_the_only_one(facegate: Facegate, tmp_path: Path) -> None:
    file = tmp_path / "new key"
    facegate("key", "make", file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"the data keys are encrypted with the key in {file}" in facegate("key", "rotate", file).stdout
    assert "encrypted with another key" in facegate("people", "list", code=1).stderr
    new = file.read_text()
    assert "Ada" in facegate("people", "list", key=new).stdout
    assert "rotate_key" in facegate("people", "audit", key=new).stdout


def test_key_is_not_written_over_a_file(facegate: Facegate, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("mine")
    assert f"the file {file} cannot be made: File exists" in facegate("key", "make", file, code=1).stderr
    assert file.read_text() == "mine"


def test_rotation_is_refused_while_a_gateway_runs(facegate: Facegate, data: Path, tmp_path: Path) -> None:
    facegate("key", "make", tmp_path / "key")
    with data_folder_lock(data):
        assert "a gateway is running" in facegate("key", "rotate", tmp_path / "key", code=1).stderr
    facegate("people", "list")


def test_rotation_to_a_file_that_is_no_key_changes_nothing(facegate: Facegate, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    assert "must be 32 bytes in base64" in facegate("key", "rotate", tmp_path / "key", code=1).stderr
    facegate("people", "list")


def test_store_without_a_key_is_not_rotated(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "people.sqlite")) as store:
        store.people.enrol("Ada", [picture()], CLI_CALLER)
    (tmp_path / "key").write_text(OLD)
    done = CliRunner().invoke(main, ["key", "rotate", str(tmp_path / "key")], env={"FACEGATE_DATA": str(tmp_path)})
    assert done.exit_code == 1
    assert "is not encrypted: set people.key" in done.stderr


def test_two_different_keys_are_refused(facegate: Facegate, tmp_path: Path) -> None:
    file = tmp_path / "key"
    facegate("key", "make", file)
    config = tmp_path / "gateway.yaml"
    config.write_text(f"people: {{key_file: {file}}}")
    refused = facegate("people", "list", "--config", config, code=1).stderr
    assert "people.key and people.key_file are two different keys" in refused
    file.write_text(OLD)
    assert "Ada" in facegate("people", "list", "--config", config).stdout


def test_backup_names_the_data_keys_beside_it(facegate: Facegate, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "usb"
    folder.mkdir()
    backup = folder / "mine.sqlite"
    assert f"{folder / KEY_FILE}: the data keys" in facegate("backup", backup).stdout
    facegate("people", "remove", "ada")
    (data / KEY_FILE).unlink()
    (data / "people.sqlite").unlink()
    facegate("restore", backup)
    assert "Ada" in facegate("people", "list").stdout


def test_message_without_a_key_says_where_the_key_may_be(data: Path) -> None:
    done = CliRunner().invoke(main, ["people", "list"], env={"FACEGATE_DATA": str(data)})
    assert done.exit_code == 1
    assert "set people.key or people.key_file" in done.stderr
    assert "sudo" in done.stderr


def test_stored_copy_of_the_key_is_checked_without_the_key_of_the_settings(facegate: Facegate, tmp_path: Path) -> None:
    (tmp_path / "right").write_text(f"{OLD}\n")
    facegate("key", "make", tmp_path / "other")
    other = (tmp_path / "other").read_text()
    assert "this is the key" in facegate("key", "check", tmp_path / "right", key=other).stdout
    assert "is encrypted with another key" in facegate("key", "check", tmp_path / "other", code=1).stderr
    (tmp_path / "half").write_text(OLD[:20])
    assert "must be 32 bytes in base64" in facegate("key", "check", tmp_path / "half", code=1).stderr


def test_key_from_a_pipe_is_checked(facegate: Facegate, data: Path) -> None:
    done = CliRunner().invoke(main, ["key", "check"], input=OLD, env={"FACEGATE_DATA": str(data)})
    assert (done.exit_code, "this is the key" in done.stdout) == (0, True), done.output


def test_key_of_a_store_that_is_not_encrypted_is_no_key(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "people.sqlite")) as store:
        store.people.enrol("Ada", [picture()], CLI_CALLER)
    done = CliRunner().invoke(main, ["key", "check"], input=OLD, env={"FACEGATE_DATA": str(tmp_path)})
    assert (done.exit_code, "is not encrypted" in done.stderr) == (1, True), done.output


def test_restore_of_encrypted_backups_can_be_tried(facegate: Facegate, data: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "usb" / "people.sqlite"
    elsewhere.parent.mkdir()
    facegate("backup", elsewhere)
    before = (data / "people.sqlite").read_bytes()
    # A gateway may be running.
    with data_folder_lock(data):
        assert "can be restored: 1 person, 1 picture\n" in facegate("restore", "--check", elsewhere).stdout
    facegate("key", "make", tmp_path / "other")
    other = (tmp_path / "other").read_text()
    failed = facegate("restore", "--check", elsewhere, code=1, key=other)
    assert f"{elsewhere.with_name(KEY_FILE)} is encrypted with another key" in failed.stderr
    elsewhere.with_name(KEY_FILE).unlink()
    failed = facegate("restore", "--check", elsewhere, code=1)
    assert f"its data keys {elsewhere.with_name(KEY_FILE)} are missing" in failed.stderr
    assert (data / "people.sqlite").read_bytes() == before
    assert not list(data.glob("restore-check-*"))


def test_restore_can_be_tried_on_a_machine_without_a_data_folder(facegate: Facegate, tmp_path: Path) -> None:
    facegate("backup", tmp_path / "people.sqlite")
    env = {"FACEGATE_DATA": str(tmp_path / "none"), "FACEGATE_PEOPLE__KEY": OLD}
    done = CliRunner().invoke(main, ["restore", "--check", str(tmp_path / "people.sqlite")], env=env)
    assert (done.exit_code, "1 person" in done.stdout) == (0, True), done.output
    assert not (tmp_path / "none").exists()


def test_damaged_backup_cannot_be_restored(facegate: Facegate, tmp_path: Path) -> None:
    backup = tmp_path / "people.sqlite"
    facegate("backup", backup)
    with closing(sqlite3.connect(backup)) as db, db:
        db.execute("UPDATE pictures SET descriptor = zeroblob(length(descriptor))")
    assert "cannot be restored" in facegate("restore", "--check", backup, code=1).stderr
    backup.write_bytes(b"no database" * 1000)
    assert "cannot be restored" in facegate("restore", "--check", backup, code=1).stderr


def test_erasure_deletes_the_leftovers_of_a_check_that_was_killed(facegate: Facegate, data: Path) -> None:
    leftover = data / "restore-check-abc"
    leftover.mkdir()
    (leftover / "people.sqlite").write_bytes(b"Ada")
    facegate("people", "erase", "ada", "--yes")
    assert not leftover.exists()
