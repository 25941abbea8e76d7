from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.errors import BadRequest, Busy, Conflict, TooLarge
from gateway.model import Person
from gateway.model.caller import REST_CALLER, camera_caller
from gateway.people import archive
from gateway.people.archive import MAX_CHIPS_BYTES, read_archive, write_archive
from gateway.store.limits import PeopleLimits
from gateway.store.records import ExportedPerson, Picture, StoredFace
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor, near
from tests.people.environment import KEY, RECIPE, PeopleEnvironment, digest_of, files_with, open_environment, sample
from tests.store.examples import RECIPE_64

ALICE, BOB = descriptor(1), descriptor(2)


@pytest.fixture
def env(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    """An environment with Alice, who has two pictures and a counter-example, and Bob, who has one picture."""
    with open_environment(tmp_path, keep="pictures") as env:
        env.registry.enrol("Alice Süß", [sample("alice1", ALICE), sample("alice2", descriptor(3))], REST_CALLER)
        env.registry.add_counter_examples("alice_suss", [sample("carol1", descriptor(4))], REST_CALLER)
        env.registry.enrol("Bob", [sample("bob1", BOB)], camera_caller("door"))
        yield env


def exported(env: PeopleEnvironment) -> bytes:
    return write_archive(env.store.archive.export_people())


def comparable(people: list[ExportedPerson]) -> object:
    return {
        each.person: [
            (
                picture.digest,
                picture.source,
                picture.recipe,
                picture.face.descriptor.tobytes(),
                picture.face.chips,
                picture.original,
                picture.counter,
                added,
            )
            for picture, added in zip(each.pictures, each.added, strict=True)
        ]
        for each in people
    }


def test_written_archive_is_read_back_unchanged(env: PeopleEnvironment) -> None:
    people = list(env.store.archive.export_people())
    assert comparable(read_archive(write_archive(people))) == comparable(people)
    assert sorted(len(each.pictures) for each in people) == [1, 3]
    assert read_archive(write_archive([])) == []


def test_archive_may_hold_one_person(env: PeopleEnvironment) -> None:
    (bob,) = read_archive(write_archive(env.store.archive.export_people("bob")))
    assert (bob.person, bob.pictures[0].source) == (Person("bob", "Bob"), "mqtt:door")


def test_imported_people_are_recognised(tmp_path: Path, env: PeopleEnvironment) -> None:
    (tmp_path / "other").mkdir()
    with open_environment(tmp_path / "other") as other:
        assert other.registry.import_people(read_archive(exported(env)), REST_CALLER) == 4
        assert (other.who(BOB), other.gallery.person("alice_suss").name) == ("bob", "Alice Süß")
        assert comparable(list(other.store.archive.export_people())) == comparable(
            list(env.store.archive.export_people())
        )
        assert other.who(descriptor(4)) is None
        assert [line.action for line in other.store.audit.read_lines(9)] == ["import", "import"]


def test_archive_of_an_encrypted_store_is_read_by_any_store(tmp_path: Path, env: PeopleEnvironment) -> None:
    for name, key in (("sealed", KEY), ("plain", None)):
        (tmp_path / name).mkdir()
        with open_environment(tmp_path / name, key) as other:
            other.registry.import_people(read_archive(exported(env)), REST_CALLER)
            assert comparable(read_archive(exported(other))) == comparable(list(env.store.archive.export_people()))
    assert files_with(tmp_path / "sealed", BOB.tobytes()) == set()


def more_of_bob(env: PeopleEnvironment, name: str = "Bob") -> ExportedPerson:
    """Bob with a picture that is enrolled, and a picture that is not."""
    again = next(each for each in env.store.archive.export_people() if each.person.slug == "bob").pictures[0]
    new = Picture(digest_of("bob2"), "rest", RECIPE, StoredFace(near(BOB, 0.9), None))
    return ExportedPerson(Person("another_id", name), [again, new], [5.0, 6.0])


def test_merging_import_adds_pictures_to_the_person_of_the_same_name(env: PeopleEnvironment) -> None:
    assert env.registry.import_people([more_of_bob(env)], REST_CALLER, merge=True) == 1
    entry = env.store.people.read_entry("bob")
    assert (entry.picture_count, entry.pictures[0].added) == (2, 6.0)
    assert len(env.gallery) == 2


@pytest.mark.parametrize("name", ["Bob", "BOB", " bob"])
def test_import_without_merge_refuses_new_pictures_of_enrolled_people(env: PeopleEnvironment, name: str) -> None:
    """Regression: an archive could add descriptors to any person."""
    dora = ExportedPerson(
        Person("d", "Dora"), [Picture(digest_of("d"), "rest", RECIPE, StoredFace(ALICE, None))], [1.0]
    )
    with pytest.raises(Conflict, match=r"Bob \(bob\); import it with merge: true \(`facegate people import --merge`\)"):
        env.registry.import_people([dora, more_of_bob(env, name)], REST_CALLER)
    assert (env.store.people.find_person("Dora"), env.store.people.read_entry("bob").picture_count) == (None, 1)


def test_import_does_not_change_an_existing_picture(env: PeopleEnvironment) -> None:
    before = comparable(list(env.store.archive.export_people()))
    (bob,) = (each for each in env.store.archive.export_people() if each.person.slug == "bob")
    forged = replace(bob.pictures[0], face=StoredFace(ALICE, None), recipe="other", source="rest")
    for merge in (False, True):
        assert env.registry.import_people([ExportedPerson(bob.person, [forged], [9.0])], REST_CALLER, merge=merge) == 0
    assert comparable(list(env.store.archive.export_people())) == before


def test_import_of_an_own_archive_changes_nothing(env: PeopleEnvironment) -> None:
    """Regression: pictures from the folder counted as new, and the folder lost them."""
    source = "known_faces/Carol/1.jpg"
    env.store.folder_index.enrol_from_folder(
        "Carol", Picture(digest_of("c"), source, RECIPE, StoredFace(descriptor(7), None))
    )
    revision = env.store.faces.revision()
    assert env.registry.import_people(read_archive(exported(env)), REST_CALLER) == 0
    assert (env.store.folder_index.read_folder_digests(), env.store.faces.revision()) == (
        {source: digest_of("c")},
        revision,
    )


def test_import_is_rolled_back_when_the_gateway_stops(env: PeopleEnvironment) -> None:
    env.registry.interrupt()
    dora = ExportedPerson(
        Person("d", "Dora"), [Picture(digest_of("d"), "rest", RECIPE, StoredFace(ALICE, None))], [1.0]
    )
    with pytest.raises(Busy):
        env.registry.import_people([dora], REST_CALLER)
    assert env.store.people.find_person("Dora") is None


def test_many_long_names_with_one_beginning_get_valid_ids(tmp_path: Path) -> None:
    name = "a" * 50
    people = [
        ExportedPerson(
            Person("a", f"{name} {n}"), [Picture(f"{n:064}", "rest", RECIPE, StoredFace(ALICE, None))], [1.0]
        )
        for n in range(300)
    ]
    with closing(SqliteStore(tmp_path / "people.sqlite")) as store:
        asked: list[str] = []
        store.database._db.set_trace_callback(asked.append)
        assert store.archive.import_people(people, REST_CALLER) == 300
        store.database._db.set_trace_callback(None)
    assert sum("WHERE slug =" in statement for statement in asked) < 300 * 20
    SqliteStore(tmp_path / "people.sqlite").close()


def copies(data: bytes, people: int, pictures: int = 1) -> bytes:
    """Return the archive with ``people`` copies of its first person, which share the files of the pictures."""

    def change(index: Any) -> None:
        (first, *_) = index["people"]
        entry = first["pictures"][0]
        own = [{**entry, "digest": digest_of(f"{n}")} for n in range(pictures - 1)]
        index["people"] = [{**first, "name": f"P {n}", "pictures": [entry, *own]} for n in range(people)]

    return changed(data, change)


def test_archive_whose_pictures_share_one_file_is_limited(env: PeopleEnvironment) -> None:
    """Regression: 9 MB became 2.6 GB on the disk, since each reference was stored as a picture by itself."""
    index = json.loads(zipfile.ZipFile(io.BytesIO(exported(env))).read(archive.INDEX_FILE))
    index["people"] = [each for each in index["people"] if each["name"] == "Bob"]
    files = (f"chips/{digest_of('bob1')}", bytes(100_000))
    small = zipped((archive.INDEX_FILE, json.dumps(index).encode()), files)
    assert len(read_archive(copies(small, 2))) == 2
    with pytest.raises(BadRequest, match="share one file"):
        read_archive(copies(small, 50))


def test_archive_with_too_large_chips_is_refused(env: PeopleEnvironment) -> None:
    index = json.loads(zipfile.ZipFile(io.BytesIO(exported(env))).read(archive.INDEX_FILE))
    index["people"] = [each for each in index["people"] if each["name"] == "Bob"]
    content, name = json.dumps(index).encode(), f"chips/{digest_of('bob1')}"
    assert read_archive(zipped((archive.INDEX_FILE, content), (name, bytes(MAX_CHIPS_BYTES))))
    with pytest.raises(BadRequest, match=f"at most {MAX_CHIPS_BYTES} bytes, and {name} has {MAX_CHIPS_BYTES + 1}"):
        read_archive(zipped((archive.INDEX_FILE, content), (name, bytes(MAX_CHIPS_BYTES + 1))))


@pytest.mark.parametrize(
    ("people", "pictures", "limit"),
    [(4, 1, "4 people are more than the 3 that people.most allows"), (1, 6, "the 5 that people.pictures_per_person")],
)
def test_archive_is_held_to_the_limits_of_the_settings(
    env: PeopleEnvironment, people: int, pictures: int, limit: str
) -> None:
    limits = PeopleLimits(people=3, pictures_per_person=5)
    assert len(read_archive(copies(exported(env), 3, 5), limits)) == 3
    with pytest.raises(TooLarge, match=limit):
        read_archive(copies(exported(env), people, pictures), limits)


def test_archive_with_the_same_picture_twice_is_refused(env: PeopleEnvironment) -> None:
    twice = changed(exported(env), lambda index: index["people"][0]["pictures"].extend(index["people"][0]["pictures"]))
    with pytest.raises(BadRequest, match="same picture twice"):
        read_archive(twice)


def test_index_of_brackets_is_refused_before_it_is_parsed() -> None:
    """Parsed JSON of brackets needs a hundred times its size in memory."""
    with pytest.raises(BadRequest, match="more parts"):
        read_archive(zipped((archive.INDEX_FILE, b"[" + b"[]," * 100_000 + b"[]]")))


def test_imported_person_gets_another_id_if_it_is_in_use(env: PeopleEnvironment) -> None:
    robert = ExportedPerson(
        Person("bob", "Robert"), [Picture(digest_of("x"), "rest", RECIPE, StoredFace(descriptor(7), None))], [5.0]
    )
    env.registry.import_people([robert], REST_CALLER)
    assert (env.who(BOB), env.gallery.person("bob").name) == ("bob", "Bob")
    assert env.who(descriptor(7)) not in (None, "bob")


def test_import_with_one_invalid_person_imports_nobody(env: PeopleEnvironment) -> None:
    revision = env.store.faces.revision()
    good = ExportedPerson(Person("c", "Carol"), [Picture("d1", "rest", RECIPE, StoredFace(BOB, None))], [1.0])
    with pytest.raises(ValueError, match="zip"):
        env.registry.import_people([good, ExportedPerson(Person("d", "Dora"), good.pictures, [])], REST_CALLER)
    assert (env.store.people.find_person("Carol"), env.store.faces.revision()) == (None, revision)


def test_removed_person_can_be_imported_again(env: PeopleEnvironment) -> None:
    people = read_archive(exported(env))
    env.registry.erase("bob", REST_CALLER)
    env.registry.import_people(people, REST_CALLER)
    assert env.who(BOB) == "bob"
    assert not env.store.removal_marks.is_picture_removed(digest_of("bob1"))


def changed(data: bytes, change: Any) -> bytes:
    """Return the archive with a change to its index."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == archive.INDEX_FILE:
                index = json.loads(content)
                change(index)
                content = json.dumps(index).encode()
            after.writestr(name, content)
    return out.getvalue()


def first_picture(**fields: object) -> Any:
    return lambda index: index["people"][0]["pictures"][0].update(fields)


def first_person(**fields: object) -> Any:
    return lambda index: index["people"][0].update(fields)


def coded(descriptor: Any, kind: str = "<f4") -> str:
    return base64.b64encode(np.asarray(descriptor, kind).tobytes()).decode()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda index: index.update(facegate=2), id="newer version"),
        pytest.param(lambda index: index.pop("facegate"), id="no version"),
        pytest.param(lambda index: index.pop("people"), id="no people"),
        pytest.param(lambda index: index.update(people=None), id="people none"),
        pytest.param(lambda index: index.update(people=["alice"]), id="people text"),
        pytest.param(first_person(person="../alice"), id="bad id"),
        pytest.param(first_person(person=7), id="id a number"),
        pytest.param(first_person(name=""), id="no name"),
        pytest.param(first_person(name="x" * 101), id="long name"),
        pytest.param(first_person(name="a\0b"), id="unprintable name"),
        pytest.param(first_person(name="\ud800"), id="name no text"),
        pytest.param(first_person(name=["Alice"]), id="name a list"),
        pytest.param(first_picture(digest="abc"), id="short digest"),
        pytest.param(first_picture(digest="../" + "a" * 61), id="digest a path"),
        pytest.param(first_picture(digest=None), id="no digest"),
        pytest.param(first_picture(source="x" * 1001), id="long source"),
        pytest.param(first_picture(source="\ud800"), id="source no text"),
        pytest.param(first_picture(recipe="x" * 65), id="long recipe"),
        pytest.param(first_picture(recipe="\ud800"), id="recipe no text"),
        pytest.param(first_picture(descriptor="no base64!"), id="descriptor text"),
        pytest.param(first_picture(descriptor=coded(ALICE[:127])), id="short descriptor"),
        pytest.param(first_picture(descriptor=coded(ALICE * 2)), id="long descriptor"),
        pytest.param(first_picture(descriptor=coded(np.full(128, np.nan))), id="descriptor nan"),
        pytest.param(first_picture(descriptor=coded(ALICE, "<f8")), id="descriptor of doubles"),
        pytest.param(first_picture(descriptor=base64.b64encode(b"xyz").decode()), id="descriptor of 3 bytes"),
        pytest.param(first_picture(descriptor=None), id="no descriptor"),
        pytest.param(first_picture(added="yesterday"), id="added text"),
        pytest.param(first_picture(added=float("nan")), id="added nan"),
        pytest.param(first_picture(added=float("inf")), id="added infinite"),
        pytest.param(first_picture(added=10**400), id="added huge"),
        pytest.param(lambda index: index["people"][0]["pictures"][0].pop("added"), id="no added"),
    ],
)
def test_malformed_index_is_refused(env: PeopleEnvironment, change: Any) -> None:
    with pytest.raises(BadRequest):
        read_archive(changed(exported(env), change))


def test_refused_name_is_reported_with_the_person_id(env: PeopleEnvironment) -> None:
    with pytest.raises(BadRequest, match=r"the person (bob|alice_suss) in the archive: the name is not UTF-8"):
        read_archive(changed(exported(env), first_person(name="J\ufffdrgen")))


def test_archive_with_the_name_unknown_is_refused(env: PeopleEnvironment) -> None:
    with pytest.raises(BadRequest, match="choose another name"):
        env.registry.import_people(read_archive(changed(exported(env), first_person(name="UNKNOWN"))), REST_CALLER)


def test_archive_keeps_descriptors_of_a_recogniser(tmp_path: Path) -> None:
    for folder in ("one", "other", "stock"):
        (tmp_path / folder).mkdir()
    with open_environment(tmp_path / "one", recipe=RECIPE_64) as env:
        env.registry.enrol("Alice", [sample("a", descriptor(1, 64))], REST_CALLER)
        archive = exported(env)
    with open_environment(tmp_path / "other", recipe=RECIPE_64) as other:
        other.registry.import_people(read_archive(archive), REST_CALLER)
        assert other.who(descriptor(1, 64)) == "alice"
        assert other.who(descriptor(2, 64)) is None
    with open_environment(tmp_path / "stock") as stock:
        stock.registry.import_people(read_archive(archive), REST_CALLER)
        assert "alice" not in stock.gallery
    with pytest.raises(BadRequest, match="64 numbers"):
        read_archive(changed(archive, first_picture(descriptor=coded(descriptor(1)))))


def test_unchanged_index_is_accepted(env: PeopleEnvironment) -> None:
    """Check of the test above: a malformed index is refused for its change alone."""
    people = read_archive(changed(exported(env), first_person(name="Alicia")))
    assert "Alicia" in [each.person.name for each in people]


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as target:
        for name, content in files:
            target.writestr(name, content)
    return out.getvalue()


def flipped(data: bytes, place: int, mask: int = 0xFF) -> bytes:
    changed = bytearray(data)
    changed[place] ^= mask
    return bytes(changed)


INDEX_FILE = b'{"facegate": 1, "people": []}' + b" " * 500


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no zip", id="no zip"),
        pytest.param(zipped(), id="no files"),
        pytest.param(zipped(("chips/x", b"x")), id="no index"),
        pytest.param(zipped((archive.INDEX_FILE, b"{")), id="no json"),
        pytest.param(zipped((archive.INDEX_FILE, b"[]")), id="a list"),
        pytest.param(zipped((archive.INDEX_FILE, b"\xff\xfe\xff")), id="no utf-8"),
        pytest.param(zipped((archive.INDEX_FILE, b"[" * 200_000)), id="deep"),
        pytest.param(zipped((archive.INDEX_FILE, INDEX_FILE))[:-30], id="cut off"),
        pytest.param(flipped(zipped((archive.INDEX_FILE, INDEX_FILE)), 60), id="flipped"),
        *(
            pytest.param(zipped((archive.INDEX_FILE, INDEX_FILE), method=method), id=f"compressed {method}")
            for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
        ),
        pytest.param(
            zipped((archive.INDEX_FILE, INDEX_FILE)).replace(b"\x14\x00\x00\x00", b"\x14\x00\x01\x00"),
            id="claims a password",
        ),
    ],
)
def test_file_that_is_not_an_archive_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest, match="this is not an archive of people"):
        read_archive(data)


def test_valid_archive_of_the_same_kind_is_read() -> None:
    assert read_archive(zipped((archive.INDEX_FILE, INDEX_FILE))) == []


def test_other_archive_version_is_reported(env: PeopleEnvironment) -> None:
    with pytest.raises(BadRequest, match="version 2, but this gateway reads version 1"):
        read_archive(changed(exported(env), lambda index: index.update(facegate=2)))


def test_archive_with_overlapping_files_is_refused() -> None:
    """Each entry of this archive's directory covers the whole archive."""
    data = zipped((archive.INDEX_FILE, INDEX_FILE), ("chips/x", bytes(1000)), ("chips/y", bytes(1000)))
    directory = data.index(b"PK\x01\x02")
    sizes = (1000).to_bytes(4, "little") * 2
    bomb = data[:directory] + data[directory:].replace(sizes, (2000).to_bytes(4, "little") * 2)
    assert bomb != data
    with pytest.raises(BadRequest, match="overlap"):
        read_archive(bomb)


def test_person_without_pictures_is_not_imported(tmp_path: Path) -> None:
    empty = zipped((archive.INDEX_FILE, b'{"facegate": 1, "people": [{"person": "a", "name": "A", "pictures": []}]}'))
    with closing(SqliteStore(tmp_path / "people.sqlite")) as store:
        try:
            store.archive.import_people(read_archive(empty), REST_CALLER)
        except BadRequest:
            return
        assert store.people.list_entries() == []
