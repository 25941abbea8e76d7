"""The data keys: one for each person, destroyed when the person is erased."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import Conflict, GatewayError, StartError
from gateway.model import Descriptor, Effect, Person
from gateway.model.caller import REST_CALLER
from gateway.model.sightings import Sighting
from gateway.store.cipher import Cipher
from gateway.store.records import SightingRecord, StoredFace
from gateway.store.relational.data_keys import NOBODY
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.data_keys import FileDataKeys
from gateway.store.sqlite.key_file import KEY_FILE, KeyFile
from gateway.store.sqlite.restore import restore
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor
from tests.people.environment import KEY, OTHER_KEY, files_with, open_environment, sample
from tests.store.examples import RECIPE, enrol, people, picture, stored_face
from tests.store.sqlite.old_stores import WHOLE_PICTURE, opened, write_store_of_version

ALICE, BOB = descriptor(1), descriptor(2)


def keys_in(path: Path) -> dict[str, bytes | None]:
    """Return the encrypted data keys beside a store or a backup."""
    return dict(KeyFile(path.with_name(KEY_FILE)).read().keys)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    return data


def uid_of(path: Path, slug: str) -> str:
    with closing(sqlite3.connect(path)) as db:
        return str(db.execute("SELECT uid FROM people WHERE slug = ?", (slug,)).fetchone()[0])


def check_refused(path: Path, key: bytes, reason: str) -> None:
    """Check that opening a store is refused with a reason and the advice to leave the store where it is."""
    with pytest.raises(StartError, match=rf"{reason}.*Leave the store where it is"):
        SqliteStore(path, Cipher(key))


def readable_pictures(store: Path, keys: Path, master: bytes) -> list[str]:
    """Return the digests of the pictures in a store or a backup that somebody with these keys can read."""
    found = []
    data_keys = FileDataKeys(keys, Cipher(master))
    with closing(sqlite3.connect(store)) as db:
        for uid, digest, blob in db.execute("SELECT uid, digest, descriptor FROM pictures JOIN people ON id = person"):
            try:
                data_keys.of(uid).open_descriptor(blob, digest, RECIPE)
            except ValueError:
                continue
            found.append(digest)
    return sorted(found)


def test_backup_from_before_an_erasure_cannot_be_read_with_the_master_key(data: Path, tmp_path: Path) -> None:
    """A copy of a backup that nobody rewrites, with all keys that exist after the erasure."""
    with open_environment(data, KEY) as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        env.registry.enrol("Bob", [sample("bob1", BOB)], REST_CALLER)
        backup = Path(shutil.copy(env.store.backups.make(), tmp_path / "copy.sqlite"))
        keys, path = env.data / KEY_FILE, env.data / "people.sqlite"
        assert len(readable_pictures(backup, keys, KEY)) == 2
        wrapped = keys_in(path)[uid_of(path, "alice")]
        assert wrapped
        assert files_with(tmp_path, wrapped) == {KEY_FILE}
        env.registry.erase("alice", REST_CALLER)
        (bob,) = readable_pictures(path, keys, KEY)
        assert readable_pictures(backup, keys, KEY) == [bob]
        assert files_with(tmp_path, wrapped) == set()
        for each in (keys, env.data / "backups" / KEY_FILE):
            assert readable_pictures(backup, each, KEY) == [bob]


def test_backup_contains_no_data_key(tmp_path: Path) -> None:
    with opened(tmp_path / "people.sqlite", KEY) as store:
        enrol(store, "Alice")
        backup = store.backups.make(tmp_path / "elsewhere.sqlite")
    wrapped = [key for key in keys_in(backup).values() if key is not None]
    assert wrapped
    assert files_with(tmp_path, *wrapped) == {KEY_FILE}


def test_removed_person_comes_back_with_a_backup(data: Path, tmp_path: Path) -> None:
    """Only an erasure destroys the data key."""
    with open_environment(data, KEY) as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        backup = env.store.backups.make()
        env.registry.remove("alice", REST_CALLER)
    restore(backup, data / "people.sqlite", Cipher(KEY), AuditFile(data / AUDIT_FILE))
    with open_environment(data, KEY) as env:
        assert env.who(ALICE) == "alice"


def test_erasure_of_a_removed_person_destroys_the_data_key(data: Path, tmp_path: Path) -> None:
    with open_environment(data, KEY) as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        path = env.data / "people.sqlite"
        uid = uid_of(path, "alice")
        env.store.backups.make()
        env.registry.remove("alice", REST_CALLER)
        assert keys_in(path)[uid] is not None
        env.registry.erase("alice", REST_CALLER)
        assert keys_in(path)[uid] is None


def test_merged_person_is_readable_and_erased_with_the_other(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store:
        enrol(store, "Al", picture("d1", ALICE))
        enrol(store, "Alice", picture("d2", BOB))
        uids = uid_of(path, "al"), uid_of(path, "alice")
        store.people.merge("al", "alice", REST_CALLER)
        assert (stored_face(store, "d1").descriptor == ALICE).all()
        assert readable_pictures(path, path.with_name(KEY_FILE), KEY) == ["d1", "d2"]
        store.people.remove("alice", REST_CALLER, erase=True)
        store.keys.destroy_erased()
        assert [keys_in(path)[uid] for uid in uids] == [None, None]


def test_rolled_back_enrolment_leaves_no_data_key(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store:
        # A person needs a picture that is no counter-example.
        with pytest.raises(Conflict):
            enrol(store, "Alice", picture("d1", counter=True))
        assert set(keys_in(path)) == {NOBODY}
        enrol(store, "Alice")
        assert len(keys_in(path)) == 2


def test_erased_person_in_an_older_copy_of_the_store_is_removed_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody put the file back by hand, so that no restore repeated the erasure."""
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store:
        enrol(store, "Alice", picture("d1", ALICE))
        enrol(store, "Bob", picture("d2", BOB))
        older = store.backups.make(tmp_path / "elsewhere.sqlite")
        store.people.remove("alice", REST_CALLER, erase=True)
        store.keys.destroy_erased()
    shutil.copy(older, path)
    with opened(path, KEY) as store:
        assert people(store) == [Person("bob", "Bob")]
    assert "1 erased people were in" in caplog.text


def test_erasure_that_was_interrupted_is_completed_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store:
        enrol(store, "Alice")
        uid = uid_of(path, "alice")
        store.people.remove("alice", REST_CALLER, erase=True)
        assert keys_in(path)[uid] is not None
    with opened(path, KEY) as store:
        assert keys_in(path)[uid] is None
        assert store.database.rows("SELECT * FROM erased_people") == []


def test_data_key_that_cannot_be_destroyed_is_reported_and_tried_again(tmp_path: Path) -> None:
    with open_environment(tmp_path, KEY) as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        uid = uid_of(tmp_path / "people.sqlite", "alice")
        content = (tmp_path / KEY_FILE).read_bytes()
        assert not env.store.backups.warnings
        (tmp_path / KEY_FILE).write_bytes(b"damaged" * 1000)
        env.registry.erase("alice", REST_CALLER)
        (warning,) = env.store.backups.warnings
        assert "the data key of an erased person is not destroyed yet" in warning
        (tmp_path / KEY_FILE).write_bytes(content)
        env.updater.finish_changes()
        assert env.store.backups.warnings == ()
        assert keys_in(tmp_path / "people.sqlite")[uid] is None


def test_erasure_of_a_request_destroys_the_data_key_after_its_transaction(data: Path) -> None:
    with open_environment(data, KEY) as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        path = data / "people.sqlite"
        uid = uid_of(path, "alice")

        def erase() -> dict[str, object]:
            env.registry.erase("alice", REST_CALLER)
            assert keys_in(path)[uid] is not None
            return {}

        env.registry.apply_once(Effect("rest/1", b"digest", time.monotonic() + 60), erase)
        assert keys_in(path)[uid] is None


def test_gateway_keeps_a_copy_of_the_data_keys(data: Path) -> None:
    copy = data / "backups" / KEY_FILE
    with open_environment(data, KEY) as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        env.people.retention.expire()
        before = copy.stat().st_ino
        env.people.retention.expire()
        assert copy.stat().st_ino == before
        env.registry.enrol("Bob", [sample("bob1", BOB)], REST_CALLER)
        env.people.retention.expire()
        env.registry.erase("alice", REST_CALLER)
        alive = [key is not None for key in keys_in(copy).values()]
    (data / KEY_FILE).write_bytes(copy.read_bytes())
    with open_environment(data, KEY) as env:
        assert (env.who(BOB), sorted(alive)) == ("bob", [False, True, True])


def test_data_keys_that_cannot_be_copied_are_a_warning(data: Path) -> None:
    with open_environment(data, KEY) as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        (data / "backups").write_text("no folder")
        env.people.retention.expire()
        assert any(f"the data keys are not copied to {data / 'backups'}" in each for each in env.store.backups.warnings)
        (data / "backups").unlink()
        env.people.retention.expire()
        assert env.store.keys.warnings == ()


def test_copy_of_the_data_keys_has_no_key_that_is_destroyed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "people.sqlite"
    copies: list[Path] = []
    copy_once = KeyFile._copy
    with opened(path, KEY) as store:
        enrol(store, "Alice")

        def copy_and_erase(file: KeyFile, to: Path) -> None:
            copy_once(file, to)
            if not copies:
                store.people.remove("alice", REST_CALLER, erase=True)
                store.keys.destroy_erased()
            copies.append(to)

        monkeypatch.setattr(KeyFile, "_copy", copy_and_erase)
        backup = store.backups.make()
    assert len(copies) == 2
    assert sorted(key is not None for key in keys_in(backup).values()) == [False, True]


def test_rotation_changes_the_key_and_nothing_in_the_store(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store:
        enrol(store, "Alice")
        store.backups.make()
        before = store.database.rows("SELECT * FROM pictures")
        store.keys.rotate(Cipher(OTHER_KEY))
        assert store.database.rows("SELECT * FROM pictures") == before
        enrol(store, "Bob", picture("d2", BOB))
    check_refused(path, KEY, "another key")
    with opened(path, OTHER_KEY) as store:
        assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]
    assert readable_pictures(path, tmp_path / "backups" / KEY_FILE, OTHER_KEY) == ["d1"]
    assert readable_pictures(path, path.with_name(KEY_FILE), KEY) == []


def test_backup_from_before_a_rotation_is_restored(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store:
        enrol(store, "Alice")
        backup = store.backups.make()
        store.keys.rotate(Cipher(OTHER_KEY))
        store.people.remove("alice", REST_CALLER)
    restore(backup, path, Cipher(OTHER_KEY), AuditFile(tmp_path / AUDIT_FILE))
    with opened(path, OTHER_KEY) as store:
        assert people(store) == [Person("alice", "Alice")]


def test_new_key_of_another_process_is_refused_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store, opened(path, KEY) as other:
        enrol(store, "Alice")
        assert people(other) == [Person("alice", "Alice")]
        store.keys.rotate(Cipher(OTHER_KEY))
        with pytest.raises(GatewayError, match="changed by another process"):
            enrol(other, "Bob", picture("d2", BOB))
        assert people(other) == [Person("alice", "Alice")]


def test_person_of_another_process_is_read_and_erased(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store, opened(path, KEY) as other:
        enrol(store, "Alice", picture("d1", ALICE))
        assert (stored_face(other, "d1").descriptor == ALICE).all()
        store.people.remove("alice", REST_CALLER, erase=True)
        store.keys.destroy_erased()
        assert people(other) == []


def test_backup_is_restored_on_another_machine_with_the_keys_beside_it(tmp_path: Path) -> None:
    usb, there = tmp_path / "usb", tmp_path / "there"
    usb.mkdir()
    there.mkdir()
    with open_environment(tmp_path, KEY) as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        backup = env.store.backups.make(usb / "mine.sqlite")
    restore(backup, there / "people.sqlite", Cipher(KEY), AuditFile(there / AUDIT_FILE))
    with open_environment(there, KEY) as env:
        assert env.who(ALICE) == "alice"


def test_backup_without_its_keys_is_not_restored(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    with open_environment(tmp_path, KEY) as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        backup = env.store.backups.make()
    backup.with_name(KEY_FILE).unlink()
    with pytest.raises(StartError, match=r"not restored: .*its data keys .*keys\.sqlite are missing"):
        restore(backup, there / "people.sqlite", Cipher(KEY), AuditFile(there / AUDIT_FILE))
    assert {each.name for each in there.iterdir()} == set()


def test_key_that_was_destroyed_does_not_come_back_with_a_restore(data: Path, tmp_path: Path) -> None:
    usb = tmp_path / "usb"
    usb.mkdir()
    with open_environment(data, KEY) as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        env.registry.enrol("Bob", [sample("bob1", BOB)], REST_CALLER)
        backup = env.store.backups.make(usb / "mine.sqlite")
        env.registry.erase("alice", REST_CALLER)
    # The reason for the restore: the erasures of the store cannot be read.
    (data / "people.sqlite").write_bytes(b"damaged")
    restore(backup, data / "people.sqlite", Cipher(KEY), AuditFile(data / AUDIT_FILE))
    with open_environment(data, KEY) as env:
        assert (env.who(ALICE), env.who(BOB)) == (None, "bob")
        assert [entry.person.slug for entry in env.store.people.list_entries()] == ["bob"]


def test_backup_is_not_written_beside_the_keys_of_another_gateway(tmp_path: Path) -> None:
    usb = tmp_path / "usb"
    usb.mkdir()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with opened(tmp_path / "one" / "people.sqlite", KEY) as store:
        enrol(store, "Alice")
        store.backups.make(usb / "one.sqlite")
        enrol(store, "Bob", picture("d2", BOB))
        store.backups.make(usb / "newer.sqlite")
    content = (usb / KEY_FILE).read_bytes()
    with opened(tmp_path / "two" / "people.sqlite", KEY) as store:
        enrol(store, "Carol")
        with pytest.raises(GatewayError, match="data keys of another gateway's backups"):
            store.backups.make(usb / "two.sqlite")
    assert (usb / KEY_FILE).read_bytes() == content
    assert not (usb / "two.sqlite").exists()


def test_store_without_its_data_keys_is_refused_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store:
        enrol(store, "Alice", picture("d1", ALICE))
        older = shutil.copy(path.with_name(KEY_FILE), tmp_path / "older")
        enrol(store, "Bob", picture("d2", BOB))
    newest = (path.with_name(KEY_FILE)).read_bytes()
    path.with_name(KEY_FILE).unlink()
    check_refused(path, KEY, r"its data keys .*keys\.sqlite are missing")
    assert not path.with_name(KEY_FILE).exists()
    shutil.copy(older, path.with_name(KEY_FILE))
    check_refused(path, KEY, "1 of its people have no data key")
    path.with_name(KEY_FILE).write_bytes(newest)
    with opened(path, KEY) as store:
        assert len(people(store)) == 2


def test_damaged_file_of_data_keys_is_refused_with_the_right_advice(tmp_path: Path) -> None:
    """The advice to restore a backup, or to move the store away, would lose people."""
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store:
        enrol(store, "Alice", picture("d1", ALICE))
    content = path.with_name(KEY_FILE).read_bytes()
    path.with_name(KEY_FILE).write_bytes(content[:100] + bytes(len(content) - 100))
    check_refused(path, KEY, "put the newest copy of that file back")
    path.with_name(KEY_FILE).write_bytes(b"damaged " * 1000)
    check_refused(path, KEY, "put the newest copy of that file back")
    path.with_name(KEY_FILE).write_bytes(content)
    with closing(sqlite3.connect(path.with_name(KEY_FILE))) as db, db:
        db.execute("UPDATE data_keys SET key = zeroblob(length(key))")
    with opened(path, KEY) as store, pytest.raises(StartError, match=r"a data key in .* is damaged: put the newest"):
        people(store)
    path.with_name(KEY_FILE).write_bytes(content)
    with opened(path, KEY) as store:
        assert people(store) == [Person("alice", "Alice")]


def sighting(person: Person | None = None, **fields: object) -> Sighting:
    values: dict[str, object] = {
        "id": "s1", "visit": "v1", "camera": "door", "since": 1e9, "last_seen": 1e9, "frames": 1, "box": None,
        "outcome": "stranger" if person is None else "named", "person": person,
        "unknown": 1 if person is None else None,
    }  # fmt: skip
    return Sighting(**{**values, **fields})  # type: ignore[arg-type]


def face(of: Descriptor) -> StoredFace:
    return StoredFace(of, b"chips of a sighting", b"crop of a sighting")


def crop_of_sighting(path: Path, owner: str) -> bytes | None:
    """Return the picture of the sighting, read with the data key of an owner."""
    with closing(sqlite3.connect(path)) as db:
        (blob,) = db.execute("SELECT crop FROM sighting_faces").fetchone()
    return FileDataKeys(path.with_name(KEY_FILE), Cipher(KEY)).of(owner).open(blob, "crop of sighting s1")


def test_named_sighting_is_encrypted_with_the_key_of_the_person(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store:
        alice = enrol(store, "Alice").person
        sightings = store.sightings(RECIPE)
        sightings.save([SightingRecord(sighting(), face(BOB), b"evidence")])
        assert crop_of_sighting(path, "") == b"crop of a sighting"
        sightings.relabel(1, alice)
        uid = uid_of(path, "alice")
        assert crop_of_sighting(path, uid) == b"crop of a sighting"
        found = sightings.find("s1")
        assert found is not None
        assert found.face is not None
        assert (found.evidence, found.face.crop) == (b"evidence", b"crop of a sighting")
        with pytest.raises(ValueError, match="cannot be decrypted"):
            crop_of_sighting(path, "")


def test_sighting_that_is_saved_with_another_person_is_encrypted_again(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path, KEY) as store:
        alice, bob = enrol(store, "Alice").person, enrol(store, "Bob", picture("d2", BOB)).person
        sightings = store.sightings(RECIPE)
        sightings.save([SightingRecord(sighting(alice), face(ALICE))])
        sightings.save([SightingRecord(sighting(bob))])
        assert crop_of_sighting(path, uid_of(path, "bob")) == b"crop of a sighting"
        assert sightings.read_crop("s1") == b"crop of a sighting"
        store.people.merge("bob", "alice", REST_CALLER)
        assert crop_of_sighting(path, uid_of(path, "alice")) == b"crop of a sighting"
        assert [each is not None for _, _, each in sightings.read_faces()] == [True]


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
@pytest.mark.parametrize("version", range(1, 9))
def test_store_of_every_version_is_upgraded(tmp_path: Path, version: int, key: bytes | None) -> None:
    path = write_store_of_version(tmp_path / "people.sqlite", version, key)
    for _ in range(2):
        with opened(path, key) as store:
            assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]
            assert all((stored_face(store, f"d{n}").descriptor == descriptor(n)).all() for n in (1, 2, 3))
            if version > 2:
                originals = [each.original for person in store.archive.export_people() for each in person.pictures]
                assert originals == [WHOLE_PICTURE] * 3
    if key is not None:
        faces = [descriptor(n).tobytes() for n in (1, 2, 3)]
        assert files_with(tmp_path, WHOLE_PICTURE, *faces) <= {each.name for each in (tmp_path / "backups").iterdir()}
        assert len(keys_in(path)) == 3
        check_refused(path, OTHER_KEY, "another key")


def test_sightings_and_unknown_groups_of_an_encrypted_store_of_version_8_stay(tmp_path: Path) -> None:
    """The rows are made by today's store, with the master key in place of a data key, as in version 8."""
    path = write_store_of_version(tmp_path / "people.sqlite", 8, KEY)
    with closing(sqlite3.connect(path)) as db, db:
        write_sighting_of_version_8(db)
    with opened(path, KEY) as store:
        found = store.sightings(RECIPE).find("s1")
        assert found is not None
        assert found.face is not None
        assert (found.evidence, found.face.crop) == (b"evidence", b"crop of a sighting")
        (group,) = store.unknown_groups(RECIPE).load()
        assert (group.faces[0][1].descriptor == BOB).all()
    assert crop_of_sighting(path, "uid of Alice") == b"crop of a sighting"


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_erased_person_in_a_backup_from_before_data_keys_is_not_restored(
    tmp_path: Path, data: Path, key: bytes | None
) -> None:
    backup = write_store_of_version(tmp_path / "older.sqlite", 8, key)
    path = Path(shutil.copy(backup, data / "people.sqlite"))
    with open_environment(data, KEY) as env:
        env.registry.erase("alice", REST_CALLER)
    restore(backup, path, Cipher(KEY), AuditFile(data / AUDIT_FILE))
    with opened(path, KEY) as store:
        assert people(store) == [Person("bob", "Bob")]


def write_sighting_of_version_8(db: sqlite3.Connection) -> None:
    cipher = Cipher(KEY)
    db.execute(
        "INSERT INTO sightings (key, id, visit, camera, since, last, outcome, person, frames, ignored, zones, recipe,"
        " evidence) VALUES (1, 's1', 'v1', 'door', 1.0, 1.0, 'named', 1, 1, 0, '[]', ?, ?)",
        (RECIPE, cipher.seal(b"evidence", "evidence of sighting s1")),
    )
    fields = [
        cipher.seal(data, f"{column} of sighting s1")
        for column, data in (("descriptor", BOB.tobytes()), ("chips", b"chips"), ("crop", b"crop of a sighting"))
    ]
    db.execute(
        "INSERT INTO sighting_faces (sighting, recipe, descriptor, chips, crop) VALUES (1, ?, ?, ?, ?)",
        (RECIPE, *fields),
    )
    db.execute("INSERT INTO unknowns VALUES (1, 1.0, 1.0, 1, '[\"door\"]', 0)")
    sealed = cipher.seal(BOB.tobytes(), "descriptor of unknown 1"), cipher.seal(b"chips", "unknown 1")
    db.execute(
        "INSERT INTO unknown_faces (unknown, recipe, descriptor, chips, crop, worth) VALUES (1, ?, ?, ?, NULL, 0.5)",
        (RECIPE, *sealed),
    )
