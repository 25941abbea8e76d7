"""The copy of a people store from SQLite into PostgreSQL, and back."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli.main import main
from gateway.config import Settings
from gateway.errors import GatewayError, StartError
from gateway.files.data_folder import data_folder_lock
from gateway.model import Effect
from gateway.model.caller import REST_CALLER
from gateway.model.sightings import Sighting
from gateway.people import store_copy
from gateway.people.store_copy import copy_store
from gateway.people.wiring import cipher, open_store
from gateway.store.copied_tables import COPIED_TABLES, StoreTables
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import Store
from gateway.store.records import FOLDER_PREFIX, SightingRecord, StoredFace
from gateway.store.sqlite.live_files import LIVE_FILES, STORE_FILE
from gateway.store.sqlite.tables import NEW_FOLDER, reading_tables
from gateway.store.tokens import Token, digest_of
from tests.examples import QUALITY, descriptor
from tests.store.examples import RECIPE, enrol, picture

KEY = 43 * "A" + "="


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return make_settings(tmp_path / "data", request.param)


def make_settings(data: Path, key: str | None) -> Settings:
    data.mkdir()
    return Settings.model_validate({"data": data, "people": {"key": key, "folder": data / "known_faces"}})


def opened(settings: Settings) -> closing[Any]:
    return closing(open_store(settings, PeopleLimits(), may_encrypt=True))


def fill(store: Store) -> None:
    """Put rows into every table."""
    enrol(store, "Ada", picture("d1", descriptor(1)), picture("d2", descriptor(2), chips=None))
    enrol(store, "Ada", picture("d3", descriptor(3), counter=True))
    enrol(store, "Zoë 王", picture("d4", descriptor(4)))
    store.folder_index.enrol_from_folder("Bob", picture("d5", descriptor(5), source=f"{FOLDER_PREFIX}Bob/1.jpg"))
    store.folder_index.write_stamps({f"{FOLDER_PREFIX}Bob/1.jpg": ("d5", "stamp")})
    for name, digest in (("Eve", "d6"), ("Carl", "d7"), ("Dora", "d8")):
        enrol(store, name, picture(digest, descriptor(int(digest[1:]))))
    store.people.remove("eve", REST_CALLER, erase=True)
    store.people.remove("carl", REST_CALLER)
    store.people.merge("dora", "ada", REST_CALLER)
    effect = Effect("rest/1", b"a request", time.monotonic() + 60)
    store.effects.apply_once(effect, lambda: {"person": "ada", "text": "é"})
    store.camera_switches.write_disabled(["porch"])
    face = StoredFace(descriptor(20), b"chips", b"crop", QUALITY)
    groups = store.unknown_groups(RECIPE)
    group = groups.add_group("door", 100.0, 0.5, face)
    groups.set_ignored(group, True)
    other = groups.add_group("door", 101.0, 0.5, face)
    ada = store.people.read_entry("ada").person
    seen = [
        Sighting(id="s1", visit="v1", camera="door", since=1.5, last_seen=2.5, unknown=group.id),
        Sighting(id="s2", visit="v2", camera="door", since=3.5, last_seen=4.5, person=ada, score=0.75, zones=("way",)),
    ]
    sightings = store.sightings(RECIPE)
    sightings.save([SightingRecord(each, face, b"evidence") for each in seen])
    sightings.move_unknown(other.id, group.id)
    token = Token("phone", "viewer", 1.0, None, None)
    store.tokens.add(token, digest_of("a text"))
    store.keys.destroy_erased()
    store.audit.flush()


@pytest.fixture
def filled(settings: Settings) -> Settings:
    with opened(settings) as store:
        fill(store)
    return settings


def ignore_rows(_total: int) -> store_copy.NoteRows:
    return lambda _rows: None


def all_rows(settings: Settings) -> dict[str, list[Any]]:
    with reading_tables(settings.data) as tables:
        return {name: list(tables.rows(name)) for name in COPIED_TABLES}


@pytest.mark.extra
def test_everything_comes_back_from_postgresql(filled: Settings, tmp_path: Path, postgres_url: str) -> None:
    there = filled.with_store(postgres_url)
    before = all_rows(filled)
    key = filled.people.key.get_secret_value() if filled.people.key else None
    never_filled = {"checkpoint", "erased_people", *(() if key else ("data_keys",))}
    never_filled |= {"sighting_candidates"}
    assert {name for name, rows in before.items() if not rows} == never_filled

    counts = copy_store(filled, there, ignore_rows)
    assert counts == {name: len(rows) + (name == "audit") for name, rows in before.items()}
    with opened(there) as store:
        assert store.audit.check().problems == ()
        assert [each.person.name for each in store.people.list_entries()] == ["Ada", "Bob", "Zoë 王"]
        assert store.faces.changes(0, RECIPE).revision == store.faces.revision()
        # No number is used twice, and no erased picture comes back from the folder.
        ids = {row[0] for row in before["people"]} | {row[0] for row in before["gone"]}
        enrol(store, "Finn", picture("d9", descriptor(9)))
        assert store.database.row("SELECT id FROM people WHERE slug = 'finn'")[0] > max(ids)
        store.people.remove("finn", REST_CALLER)
        assert store.removal_marks.is_picture_removed("d6")

    back = make_settings(tmp_path / "back", key)
    copy_store(there.model_copy(update={"data": back.data}), back, ignore_rows)
    after = all_rows(back)
    for name in set(COPIED_TABLES) - {"audit", "gone", "tombstones", "data_keys", "folders"}:
        assert after[name] == before[name], name
    assert after["audit"][: len(before["audit"])] == before["audit"]
    with opened(back) as store:
        assert store.audit.check().problems == ()
        assert store.tokens.find(digest_of("a text")).name == "phone"
    assert not (back.data / NEW_FOLDER).exists()


@pytest.mark.extra
def test_interrupted_copy_changes_nothing(
    filled: Settings, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_late(_total: int) -> store_copy.NoteRows:
        left = iter(range(5))

        def note(_rows: int) -> None:
            if next(left, None) is None:
                raise GatewayError("the disk is gone")

        return note

    there = filled.with_store(postgres_url)
    with pytest.raises(GatewayError, match="the disk is gone"):
        copy_store(filled, there, fail_late)
    with opened(there) as store:
        assert store.people.count_people() == 0
        assert store.tokens.list_tokens() == []
    # The same command succeeds later.
    copy_store(filled, there, ignore_rows)

    back = make_settings(tmp_path / "back", filled.people.key.get_secret_value() if filled.people.key else None)
    with pytest.raises(GatewayError, match="the disk is gone"):
        copy_store(there.model_copy(update={"data": back.data}), back, fail_late)
    assert not any((back.data / name).exists() for name in (*LIVE_FILES, NEW_FOLDER))


@pytest.mark.extra
def test_store_with_people_is_not_replaced(filled: Settings, postgres_url: str) -> None:
    there = filled.with_store(postgres_url)
    copy_store(filled, there, ignore_rows)
    with pytest.raises(StartError, match=r"is not empty \(people: 3, "):
        copy_store(filled, there, ignore_rows)
    with pytest.raises(StartError, match=r"is not empty \(people: 3, .*elsewhere first: .*audit\.key.*people\.sqlite"):
        copy_store(there, filled, ignore_rows)


@pytest.mark.extra
def test_store_in_use_is_not_copied(filled: Settings, postgres_url: str) -> None:
    there = filled.with_store(postgres_url)
    with opened(there), pytest.raises(GatewayError, match="stop it first"):
        copy_store(filled, there, ignore_rows)


def erase_all(store: Store) -> None:
    """Leave nothing but marks and lines of the audit: these hold that somebody was erased."""
    enrol(store, "Eve", picture("d6", descriptor(6)))
    store.people.remove("eve", REST_CALLER, erase=True)
    store.keys.destroy_erased()
    store.audit.flush()


@pytest.mark.extra
def test_store_with_marks_and_audit_only_is_not_replaced(filled: Settings, tmp_path: Path, postgres_url: str) -> None:
    """Regression: a copy deleted the audit and the marks of erasures of a store without people and tokens."""
    there = filled.with_store(postgres_url)
    with opened(there) as store:
        erase_all(store)
        lines = store.audit.read_head()
    with pytest.raises(StartError, match=r"is not empty \(gone: 1, tombstones: 2, .*audit: 2\), .*DROP SCHEMA"):
        copy_store(filled, there, ignore_rows)
    with opened(there) as store:
        assert store.removal_marks.is_picture_removed("d6")
        assert store.audit.read_head() == lines


@pytest.mark.extra
def test_files_of_a_store_without_people_are_not_replaced(filled: Settings, tmp_path: Path, postgres_url: str) -> None:
    there = filled.with_store(postgres_url)
    copy_store(filled, there, ignore_rows)
    back = make_settings(tmp_path / "back", filled.people.key.get_secret_value() if filled.people.key else None)
    source = there.model_copy(update={"data": back.data})
    with opened(back) as store:
        erase_all(store)
    files = {each.name: each.read_bytes() for each in back.data.iterdir() if each.is_file()}
    with pytest.raises(StartError, match=r"tombstones: 2, .*: move these files elsewhere first"):
        copy_store(source, back, ignore_rows)
    # The audit and the keys count too.
    (back.data / STORE_FILE).unlink()
    with pytest.raises(StartError, match=r"is not empty .*audit\.sqlite.*: move these files elsewhere first"):
        copy_store(source, back, ignore_rows)
    assert {name: (back.data / name).read_bytes() for name in files if name in LIVE_FILES[1:]}.items() <= files.items()


@pytest.mark.extra
def test_files_of_a_new_store_are_replaced_and_leave_nothing(
    filled: Settings, tmp_path: Path, postgres_url: str
) -> None:
    """Regression: they stayed in a folder before-copy-…, which no later erasure reached."""
    there = filled.with_store(postgres_url)
    with opened(there):
        pass
    copy_store(filled, there, ignore_rows)
    back = make_settings(tmp_path / "back", filled.people.key.get_secret_value() if filled.people.key else None)
    with opened(back):
        pass
    copy_store(there.model_copy(update={"data": back.data}), back, ignore_rows)
    assert not [each for each in back.data.rglob("*") if each.is_dir() and each.name != "known_faces"]
    with opened(back) as store:
        assert store.people.count_people() == 3


@pytest.mark.extra
def test_command_copies_and_says_so(filled: Settings, tmp_path: Path, postgres_url: str) -> None:
    config = tmp_path / "gateway.yaml"
    key = filled.people.key.get_secret_value() if filled.people.key else "null"
    config.write_text(f"data: {filled.data}\npeople: {{key: {json.dumps(key) if key != 'null' else key}}}\n")

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(main, ["store", "copy", "--config", str(config), *words])
        assert done.exit_code == code, done.output
        password = postgres_url.partition("//")[2].partition("@")[0].partition(":")[2]
        assert password not in done.output
        return done.output

    assert "two stores are needed" in run(code=1)
    assert "expected sqlite, or an address as postgresql://" in run("--to", "mysql://somewhere", code=1)
    assert "One of the two stores must be sqlite" in run("--to", "sqlite", code=1)
    assert "nothing was copied" in run("--to", postgres_url, "--dry-run")
    with data_folder_lock(filled.data):
        assert "stop it first" in run("--to", postgres_url, code=1)
    assert "set people.store to the new store" in run("--to", postgres_url)
    assert "is not empty (people: 3, " in run("--to", postgres_url, "--json", code=1)


def columns_of(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


def test_all_tables_and_columns_of_sqlite_are_copied(filled: Settings) -> None:
    # The others have single values, which are copied by name, or belong to SQLite.
    others = {"meta", "file", "outbox", "sqlite_sequence"}
    found: dict[str, set[str]] = {}
    for file in filter(Path.exists, (filled.data / name for name in LIVE_FILES)):
        with closing(sqlite3.connect(file)) as db:
            names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            found |= {name: columns_of(db, name) for name in names - others}
    expected = {name: set(each.columns) for name, each in COPIED_TABLES.items()}
    if filled.people.key is None:
        del expected["data_keys"]
    assert found == expected


@pytest.mark.extra
def test_all_columns_of_postgresql_are_copied(filled: Settings, postgres_url: str) -> None:
    from gateway.store.postgres.database import PostgresDatabase

    with opened(filled.with_store(postgres_url)), closing(PostgresDatabase(postgres_url)) as database:
        rows = database.rows(
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'facegate'"
        )
    found = {(table, column) for table, column in rows if table in COPIED_TABLES}
    assert found == {(table, column) for table, each in COPIED_TABLES.items() for column in each.columns}
    # These have single values, lines that wait, or tell what replicas and browsers do now.
    others = {"meta", "format", "key_check", "audit_key", "outbox", "retained_topics", "browser_sessions"}
    others |= {table for table, _ in rows if table.startswith(("cluster_", "live_"))}
    assert {table for table, _ in rows} == {*COPIED_TABLES, *others}


def test_difference_is_found(filled: Settings) -> None:
    class Forgetful:
        """Tables that lose a row."""

        def __init__(self, tables: StoreTables) -> None:
            self._tables = tables

        def rows(self, table: str) -> Iterator[Any]:
            return iter(list(self._tables.rows(table))[1:])

        def insert(self, _table: str, _rows: list[Any]) -> None: ...

        def clear(self) -> None: ...

        def __getattr__(self, name: str) -> Any:
            return (lambda _values: None) if name == "write_values" else getattr(self._tables, name)

    from gateway.store.copied_tables import copy_tables

    assert cipher(filled) is not None
    with reading_tables(filled.data) as tables, pytest.raises(GatewayError, match="table people differs"):
        copy_tables(tables, Forgetful(tables), lambda _rows: None)
