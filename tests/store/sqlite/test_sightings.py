"""The sightings in SQLite: indices, encryption, erased data and damaged rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.model.caller import REST_CALLER
from gateway.model.people import Likeness
from gateway.store.cipher import Cipher
from gateway.store.limits import SightingLimits
from gateway.store.records import SightingRecord
from gateway.store.relational import sighting_expiry
from gateway.store.sqlite import schema
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor
from tests.people.environment import KEY, files_with
from tests.store.examples import enrol, picture
from tests.store.sqlite.old_stores import opened, version_of, write_version_7
from tests.store.test_sightings import ADA, START, face, listed, save, sighting, sightings
from tests.support import set_clock


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(request.param))) as store:
        enrol(store, "Ada", picture("d1", descriptor(1)))
        yield store


def test_store_of_version_7_is_upgraded(path: Path) -> None:
    write_version_7(path)
    assert version_of(path) == 7
    with opened(path) as store:
        assert store.people.read_entry("alice").person.name == "Alice"
        assert [(group.id, group.seen) for group in store.unknown_groups("dlib").load()] == [(1, 3)]
        save(store, sighting())
        assert listed(store) == ["s1"]
    assert version_of(path) == schema.VERSION


@pytest.mark.parametrize(
    "filters",
    [{}, {"camera": "porch"}, {"person": "ada"}, {"unknown": 7}, {"outcome": "named"}, {"since": START}],
    ids=str,
)
@pytest.mark.parametrize("before", [None, "s1"])
def test_page_is_found_by_an_index_and_not_sorted(
    store: SqliteStore, filters: dict[str, object], before: str | None
) -> None:
    """A page of a million sightings would be slow otherwise."""
    save(store, sighting())
    plans: list[str] = []
    database = store.database._db
    database.set_trace_callback(plans.append)
    sightings(store).list_sightings(**filters, before=before)  # type: ignore[arg-type]
    database.set_trace_callback(None)
    (query,) = (each for each in plans if "LEFT JOIN people" in each)
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert any(f"INDEX sightings_by_{next(iter(filters), 'time').replace('since', 'time')}" in each for each in plan)
    assert not [each for each in plan if "TEMP B-TREE" in each]


def test_expired_sightings_are_found_by_an_index(store: SqliteStore) -> None:
    save(store, sighting())
    plan = store.database.rows("EXPLAIN QUERY PLAN SELECT key FROM sightings WHERE ended < 1")
    assert "INDEX sightings_by_end" in plan[0][3]


def test_no_file_contains_an_encrypted_sighting_in_plain(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(KEY))) as store:
        sightings(store).save([SightingRecord(sighting(), face(), b"evidence of a visit")])
        secrets = (b"chips of face 1", b"crop of face 1", b"evidence of a visit", descriptor(1).tobytes())
        assert files_with(tmp_path, *secrets) == set()


@pytest.mark.parametrize("column", ["descriptor", "chips", "crop"])
def test_encrypted_field_cannot_be_decrypted_in_another_sighting(tmp_path: Path, column: str) -> None:
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(KEY))) as store:
        save(store, sighting(1), sighting(2))
        with store.database.transaction() as db:
            db.execute(f"UPDATE sighting_faces SET {column} = (SELECT {column} FROM sighting_faces WHERE sighting = 2)")  # noqa: S608
        first, second = (sightings(store).find(f"s{n}") for n in (1, 2))
        assert (first is None, second is None) == (False, False)
        assert (first and first.face, second and second.face is None) == (None, False)


def test_first_key_deletes_plain_sightings(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "people.sqlite")) as store:
        save(store, sighting())
    assert files_with(tmp_path, b"crop of face 1")
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(KEY))) as store:
        assert listed(store) == []
    assert files_with(tmp_path, b"crop of face 1", b"chips of face 1", descriptor(1).tobytes()) == set()


def test_sightings_of_a_removed_person_are_erased_from_the_files(tmp_path: Path, store: SqliteStore) -> None:
    sightings(store).save(
        [
            SightingRecord(sighting(1, outcome="named", person=ADA, camera="of the named"), face(1), b"evidence"),
            SightingRecord(
                sighting(2, outcome="ambiguous", camera="of the ambiguous", candidates=(Likeness(ADA, 0.6, 0.8),)),
                face(2),
            ),
        ]
    )
    assert files_with(tmp_path, b"of the named", b"of the ambiguous")
    store.people.remove("ada", REST_CALLER, erase=True)
    remains = (b"of the named", b"of the ambiguous", b"crop of face 1", b"crop of face 2", descriptor(2).tobytes())
    assert files_with(tmp_path, *remains) == set()


def test_deleted_sightings_are_erased_from_the_files(tmp_path: Path, store: SqliteStore) -> None:
    save(store, sighting(1, camera="the front door", ended=START, reason="left"), sighting(2))
    assert files_with(tmp_path, b"the front door")
    sightings(store, keep_days=1).tidy()
    assert files_with(tmp_path, b"the front door", b"crop of face 1") == set()


def test_backup_has_no_sightings_and_the_switches(tmp_path: Path, store: SqliteStore) -> None:
    save(store, sighting(camera="the front door"))
    store.camera_switches.write_disabled(["yard"])
    backup = store.backups.make()
    assert backup.name not in files_with(tmp_path, b"the front door", b"crop of face 1")
    with closing(SqliteStore(backup)) if not store._keys.has_key else closing(SqliteStore(backup, Cipher(KEY))) as copy:
        assert copy.camera_switches.read_disabled() == {"yard"}
        assert listed(copy) == []


def test_erasure_deletes_sightings_and_unknown_groups_from_a_copy(tmp_path: Path, store: SqliteStore) -> None:
    """Such a copy is made before an upgrade. Nobody can tell whether a stranger in it is the erased person."""
    save(store, sighting(1, camera="the front door", outcome="stranger", unknown=1))
    store.unknown_groups("dlib").add_group("the back door", 100.0, 0.5, face(3))
    (tmp_path / "backups").mkdir(mode=0o700)
    store.database.copy(tmp_path / "backups" / "before-version-9-20261128-120000.sqlite")
    assert store.backups.erase("ada", ["d1"])
    copy = "before-version-9-20261128-120000.sqlite"
    assert copy not in files_with(tmp_path, b"the front door", b"the back door", b"crop of face", b"Ada")


DAMAGE = [
    pytest.param("UPDATE sightings SET zones = '{'", id="no JSON"),
    pytest.param("UPDATE sightings SET zones = '7'", id="no list"),
    pytest.param("UPDATE sightings SET zones = '[7]'", id="no texts"),
    pytest.param("UPDATE sightings SET zones = replace(hex(zeroblob(50000)), '0', '[')", id="deep JSON"),
    pytest.param("UPDATE sightings SET box = '[1, 2]'", id="a short box"),
    pytest.param("UPDATE sightings SET box = '[1, 2, 3, \"x\"]'", id="a box of texts"),
    pytest.param("UPDATE sightings SET camera = CAST(x'fffe00' AS TEXT)", id="no UTF-8"),
    pytest.param("UPDATE sightings SET since = 'x'", id="since is no number"),
    pytest.param("UPDATE sightings SET last = 9e999", id="last is infinite"),
    pytest.param("UPDATE sightings SET outcome = 'x'", id="an outcome that does not exist"),
    pytest.param("UPDATE sightings SET reason = 'x'", id="a reason that does not exist"),
    pytest.param("UPDATE sightings SET score = 'x'", id="score is no number"),
    pytest.param("UPDATE sightings SET frames = x'00'", id="frames is no number"),
    pytest.param("UPDATE sightings SET ended = 'x'", id="ended is no number"),
    pytest.param("UPDATE sighting_candidates SET score = 'x'", id="the score of a candidate is no number"),
]


@pytest.mark.parametrize("statement", DAMAGE)
def test_damaged_sighting_is_left_out_and_the_others_are_read(
    store: SqliteStore, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    candidates = (Likeness(ADA, 0.6, 0.8),)
    save(store, sighting(1, outcome="ambiguous", candidates=candidates))
    with store.database.transaction() as db:
        db.execute(statement)
    save(store, sighting(2))
    history = sightings(store)
    assert [each.id for each in history.list_sightings()] == ["s2"]
    assert [each.sighting.id for each in history.read_open()] == ["s2"]
    assert history.find("s1") is None
    assert history.warnings == (
        "damaged sightings in the store are left out (1): they are deleted when they expire (sightings.keep_days)",
    )
    assert caplog.text.count("is damaged and left out") == 1
    history.tidy()
    assert store.database.rows("SELECT count(*) FROM sightings") == [(2,)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sightings SET zones = '{', ended = 5",
        "UPDATE sightings SET ended = 'x'",
        "UPDATE sightings SET ended = x'00'",
        "UPDATE sightings SET ended = NULL, last = 'x'",
    ],
)
def test_damaged_sighting_expires(store: SqliteStore, statement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time that cannot be read counts as now."""
    save(store, sighting())
    with store.database.transaction() as db:
        db.execute(statement)
    history = store.sightings("dlib", SightingLimits(keep_days=7))
    history.list_sightings()
    history.tidy()
    later = time.time() + 8 * 86_400
    set_clock(monkeypatch, sighting_expiry, time=lambda: later)
    history.tidy()
    assert store.database.rows("SELECT count(*) FROM sightings") == [(0,)]
    assert history.warnings == ()


@pytest.mark.parametrize("quality", ["{", "[]", "{}", '{"pixels": "x"}', '{"colour": 1}'])
def test_face_with_a_damaged_quality_is_left_out(store: SqliteStore, quality: str) -> None:
    save(store, sighting(1))
    with store.database.transaction() as db:
        db.execute("UPDATE sighting_faces SET quality = ?", (quality,))
    record = sightings(store).find("s1")
    assert record is not None
    assert record.face is None


@pytest.mark.parametrize("column", ["descriptor", "chips", "crop"])
def test_damaged_face_leaves_the_sighting(store: SqliteStore, column: str) -> None:
    save(store, sighting(1), sighting(2))
    with store.database.transaction() as db:
        db.execute(f"UPDATE sighting_faces SET {column} = 'x' WHERE sighting = 1")  # noqa: S608
    record = sightings(store).find("s1")
    assert record is not None
    # A picture that is not encrypted may be any bytes.
    assert record.face is None or (column != "descriptor" and not store._keys.has_key)
    assert listed(store) == ["s2", "s1"]
    if column == "descriptor":
        assert [found is None for *_, found in sightings(store).read_faces()] == [True, False]
    if column == "crop" and store._keys.has_key:
        assert sightings(store).read_crop("s1") is None
