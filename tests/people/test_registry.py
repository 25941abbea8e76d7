from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config import Settings
from gateway.errors import BadImage, BadRequest, Conflict, GatewayError, UnknownPerson
from gateway.model import FoundFace, Person, Quality
from gateway.people import registry as module
from gateway.people.folder.importer import KnownFaces
from gateway.people.registry import HINTS, EnrolmentSample, Registry
from gateway.people.wiring import known
from gateway.store.protocols import Picture, StoredFace
from tests.examples import BOX, QUALITY, descriptor, near
from tests.people.known import KEY, RECIPE, Home, chips_of, digest_of, files_with, home, picture_id, sitting
from tests.support import wait_for

ALICE, BOB, CAROL = descriptor(1), descriptor(2), descriptor(3)
"""Their faces."""

FEW = "more: of people with one picture 17 % are missed, with 3 pictures 5 %"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Home]:
    with home(tmp_path) as here:
        yield here


def enrol(here: Home, who: str, *pictures: str, door: str = "rest") -> tuple[str, ...]:
    """Pictures of that person's face, each a little different."""
    faces = {"alice": ALICE, "bob": BOB, "carol": CAROL}
    face = faces[who.lower()]
    sittings = [sitting(picture, near(face, 0.95, seed)) for seed, picture in enumerate(pictures or [f"{who}1"])]
    _, warnings = here.registry.enrol(who, sittings, door)
    return warnings


def entries(here: Home) -> dict[str, int]:
    """Who is in the store, and known by how many pictures."""
    return {entry.person.slug: entry.known_by for entry in here.store.entries()}


def test_who_is_enrolled_is_known_when_it_returns(here: Home) -> None:
    entry, _ = here.registry.enrol("Grace  Hopper", [sitting("grace1", ALICE), sitting("grace2", ALICE)], "mqtt:door")
    assert (entry.person, entry.known_by) == (Person("grace_hopper", "Grace Hopper"), 2)
    assert [picture.source for picture in entry.pictures] == ["mqtt:door"] * 2
    assert here.who(near(ALICE, 0.9)) == "grace_hopper"
    assert here.who(BOB) is None


@pytest.mark.parametrize("who", ["Alice", "alice"])
def test_a_known_person_gets_another_picture_by_name_or_id(here: Home, who: str) -> None:
    here.registry.enrol("Alice", [sitting("alice1", ALICE)], "rest")
    name, person = (None, who) if who == "alice" else (who, None)
    entry, _ = here.registry.enrol(name, [sitting("alice2", near(ALICE, 0.9))], "rest", person=person)
    assert (entry.person, entry.known_by) == (Person("alice", "Alice"), 2)
    assert here.gallery.of("alice", ALICE).pictures == 2


def test_a_name_is_no_id(here: Home) -> None:
    """Robert was called Bob, and his id is; another Bob is not him."""
    here.registry.enrol("Bob", [sitting("a", ALICE)], "rest")
    here.registry.rename("bob", "Robert", "rest")
    entry, _ = here.registry.enrol("bob", [sitting("b", BOB)], "rest")
    assert entry.person == Person("bob_2", "bob")
    entry, _ = here.registry.enrol(None, [sitting("c", near(ALICE, 0.9))], "rest", person="bob")
    assert (entry.person, entry.known_by) == (Person("bob", "Robert"), 2)


def test_an_id_that_nobody_has_is_a_name_with_spaces_where_that_is_allowed(here: Home) -> None:
    entry, _ = here.registry.enrol(None, [sitting("a", ALICE)], "mqtt:desk", person="grace_hopper", new=True)
    assert entry.person == Person("grace_hopper", "grace hopper")


def test_nobody_new_is_made_where_only_known_people_get_pictures(here: Home) -> None:
    with pytest.raises(UnknownPerson):
        here.registry.enrol(None, [sitting("a", ALICE)], "rest", person="nobody")
    assert entries(here) == {}


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb\0"])
def test_a_name_that_is_none_is_refused(here: Home, name: str) -> None:
    with pytest.raises(BadRequest, match="the name "):
        here.registry.enrol(name, [sitting("a", ALICE)], "rest")
    enrol(here, "Alice")
    with pytest.raises(BadRequest, match="the name "):
        here.registry.rename("alice", name, "rest")
    assert entries(here) == {"alice": 1}


def test_who_is_of_another_recipe_can_be_enrolled_anew_by_name(here: Home) -> None:
    """And has no chips, as those of version 1: until then nobody is taken for them."""
    old = Picture("d1", "rest", "long before", StoredFace(BOB, None))
    here.store.enrol("Alice", [old], "rest")
    entry, _ = here.registry.enrol("Alice", [sitting("alice1", ALICE)], "rest")
    assert entry.person == Person("alice", "Alice")
    assert here.who(ALICE) == "alice"


def test_who_is_of_another_recipe_can_be_enrolled_anew_by_id(here: Home) -> None:
    here.store.enrol("Grace Hopper", [Picture("d1", "rest", "long before", StoredFace(BOB, None))], "rest")
    entry, _ = here.registry.enrol(None, [sitting("alice1", ALICE)], "rest", person="grace_hopper")
    assert entry.person == Person("grace_hopper", "Grace Hopper")


def test_with_three_pictures_that_look_alike_nothing_is_wrong(here: Home) -> None:
    assert enrol(here, "Alice", "a", "b", "c") == ()


def test_few_pictures_are_warned_of(here: Home) -> None:
    assert enrol(here, "Alice", "a") == (f"add 2 {FEW}",)
    assert enrol(here, "Alice", "b") == (f"add 1 {FEW}",)
    assert enrol(here, "Alice", "c") == ()


def test_a_face_that_is_known_as_somebody_else_is_warned_of(here: Home, caplog: pytest.LogCaptureFixture) -> None:
    enrol(here, "Alice", "a", "b", "c")
    _, warnings = here.registry.enrol("Carol", [sitting(f"c{n}", near(ALICE, 0.95, n)) for n in range(3)], "rest")
    (double,) = warnings
    assert double == (
        "this face is known as Alice (alice) already: if they are one person, run facegate people merge carol alice"
    )
    assert double not in caplog.text
    assert caplog.text.count("look like one person") == 1
    assert entries(here) == {"alice": 3, "carol": 3}


def test_a_third_double_is_warned_of_with_everybody_who_passes(here: Home) -> None:
    """Regression: from the third double on nobody won, and so nobody was told."""
    for name in ("Alice", "Alicia", "Ally", "Al"):
        _, warnings = here.registry.enrol(name, [sitting(f"{name}{n}", near(ALICE, 0.95, n)) for n in range(3)], "rest")
    (warning,) = warnings
    assert all(name in warning for name in ("Alice (alice)", "Alicia (alicia)", "Ally (ally)"))
    assert warning.endswith(
        f"run {', '.join(f'facegate people merge {one} alice' for one in ('alicia', 'ally', 'al'))}"
    )


def warned(here: Home, *pictures: str) -> tuple[str, ...]:
    """The warnings once Alice is known under two names."""
    enrol(here, "Alice", "a", "b", "c")
    here.registry.enrol("Ali", [sitting(picture, near(ALICE, 0.95, 7)) for picture in pictures or ["d"]], "rest")
    return here.registry.warnings


def test_two_who_look_like_one_are_reported_until_they_are_merged(here: Home) -> None:
    (sentence,) = warned(here)
    assert "Alice (alice) and Ali (ali) look like one person" in sentence
    assert sentence.endswith("run facegate people merge ali alice")
    here.registry.rename("ali", "Alison", "rest")
    assert "Alice (alice) and Alison (ali) look" in here.registry.warnings[0]
    here.registry.merge("ali", "alice", "rest")
    assert here.registry.warnings == ()


def test_two_who_look_like_one_are_reported_after_a_start(tmp_path: Path, here: Home) -> None:
    warned(here)
    with home(tmp_path) as again:
        assert len(again.registry.warnings) == 1
        assert again.registry.warnings == here.registry.warnings


def test_two_who_look_like_one_are_reported_until_one_is_removed(here: Home) -> None:
    assert warned(here)
    here.registry.remove("ali", "rest")
    assert here.registry.warnings == ()


@pytest.mark.parametrize(("accused", "shown"), [("alice", "d"), ("ali", "a")])
def test_two_who_are_told_apart_by_a_counter_example_are_not_reported(here: Home, accused: str, shown: str) -> None:
    """Twins, say."""
    enrol(here, "Alice", "a")
    here.registry.enrol("Ali", [sitting("d", near(ALICE, 0.8, 7))], "rest")
    assert here.registry.warnings
    face = {"a": near(ALICE, 0.95, 0), "d": near(ALICE, 0.8, 7)}[shown]
    here.registry.not_them(accused, [sitting(f"{shown} again", face)], "rest")
    assert here.registry.warnings == ()


def test_doubles_from_the_folder_are_reported_and_logged(here: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Regression: no doubt was ever raised by the folder's import."""
    for folder in ("Alice", "Carol"):
        for n in range(2):
            face = StoredFace(near(ALICE, 0.95, n), None)
            picture = Picture(digest_of(f"{folder}{n}"), f"known_faces/{folder}/{n}.jpg", RECIPE, face)
            here.store.enrol_from_folder(folder, picture)
    here.registry.follow()
    (sentence,) = here.registry.warnings
    assert "facegate people merge carol alice" in sentence
    assert caplog.text.count(sentence) == 1
    here.registry.follow()
    assert caplog.text.count(sentence) == 1


def test_two_people_in_one_folder_are_reported(here: Home) -> None:
    for n, face in enumerate([ALICE, near(ALICE, 0.95), BOB]):
        picture = Picture(digest_of(f"{n}"), f"known_faces/Team/{n}.jpg", RECIPE, StoredFace(face, None))
        here.store.enrol_from_folder("Team", picture)
    here.registry.follow()
    (sentence,) = here.registry.warnings
    assert "the pictures of Team (team) do not look like one person" in sentence
    here.registry.remove_picture("team", digest_of("2")[:16], "rest")
    assert here.registry.warnings == ()


def test_doubles_of_a_large_gallery_are_found_block_by_block(here: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.people.doubts.CELLS_PER_BLOCK", 60)
    monkeypatch.setattr("gateway.people.doubts.SMALL_GALLERY", 5)
    for n in range(20):
        picture = Picture(f"d{n}", "rest", RECIPE, StoredFace(near(descriptor(n // 2), 0.98, n), None))
        here.store.enrol(f"Person {n}", [picture], "rest")
    looks = 0
    while len(here.registry.doubts._pairs) < 10 and looks < 10:
        here.registry.follow()
        looks += 1
    assert looks > 1
    assert len(here.registry.warnings) == 10


def test_of_many_doubles_the_first_are_reported(here: Home) -> None:
    for n in range(60):
        picture = Picture(f"d{n}", "rest", RECIPE, StoredFace(near(descriptor(n // 2), 0.98, n), None))
        here.store.enrol(f"Person {n}", [picture], "rest")
    here.registry.follow()
    assert len(here.registry.warnings) == 21
    assert here.registry.warnings[-1] == "… and 10 more such warnings"


def enrol_one_face_as(here: Home, *names: str) -> None:
    for n, name in enumerate(names):
        here.store.enrol(name, [Picture(f"d{n}", "rest", RECIPE, StoredFace(near(ALICE, 0.98, n), None))], "rest")
    here.registry.follow()


def test_everybody_who_looks_alike_is_reported_in_one_sentence(here: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Regression: eleven folders of one person were 55 warnings, in another order each time."""
    names = [f"P{n}" for n in range(11, 0, -1)]
    enrol_one_face_as(here, *names)
    (sentence,) = here.registry.warnings
    listed = ", ".join(f"{name} ({name.lower()})" for name in names[:10])
    commands = ", ".join(f"facegate people merge {name.lower()} p11" for name in names[1:10])
    assert sentence == (
        f"{listed} and 1 more look like one person, so that none of them is named:"
        f" if they are one person, run {commands}"
    )
    assert here.registry.doubts_about("p11", "p1") == [sentence]
    assert caplog.text.count("look like one person") == 1


def test_a_command_does_not_log_who_looks_alike(tmp_path: Path, here: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Regression: each command printed all of these warnings before its answer."""
    enrol_one_face_as(here, "Alice", "Ali")
    caplog.clear()
    with known(Settings(data=tmp_path), RECIPE) as opened:
        assert len(opened.registry.warnings) == 1
    assert caplog.text == ""


def test_names_that_older_versions_let_in_are_reported(here: Home) -> None:
    for n, name in enumerate(["Ann Lee", "Dora", "Eve", "Fay", "Gus"]):
        here.registry.enrol(name, [sitting(name, descriptor(10 + n))], "rest")
    with here.store.database.transaction() as db:
        db.execute("UPDATE people SET name = 'ANN LEE', name_key = 'ann lee', revision = revision WHERE slug = 'dora'")
        db.execute("UPDATE people SET name = 'Unknown', name_key = 'unknown' WHERE slug = 'eve'")
        db.execute("UPDATE people SET slug = 'export' WHERE slug = 'fay'")
        db.execute("UPDATE people SET name = 'G' || char(65533) WHERE slug = 'gus'")
    here.registry.enrol("Bob", [sitting("b", BOB)], "rest")
    spelled, nobody, reserved, undecoded = here.registry.warnings
    assert "facegate people merge dora ann_lee" in spelled
    assert "'Unknown' of eve is the word for nobody" in nobody
    assert "the id 'export' of 'Fay'" in reserved
    assert "not UTF-8: run facegate people rename gus" in undecoded


def test_pictures_unlike_each_other_are_warned_of(here: Home) -> None:
    sittings = [sitting("a", ALICE), sitting("b", near(ALICE, 0.95)), sitting("c", BOB)]
    _, warnings = here.registry.enrol("Alice", sittings, "rest")
    assert warnings == ("these pictures do not look like one person",)


def test_a_picture_unlike_those_that_are_known_is_warned_of(here: Home) -> None:
    enrol(here, "Alice", "a", "b", "c")
    _, warnings = here.registry.enrol("Alice", [sitting("d", BOB)], "rest")
    assert warnings == ("this does not look like the pictures of Alice that are known",)


@pytest.mark.parametrize(
    ("quality", "reason"),
    [
        (replace(QUALITY, pixels=20), "too_small"),
        (replace(QUALITY, inside=0.1), "cut_off"),
        (replace(QUALITY, brightness=0.0), "too_dark"),
        (replace(QUALITY, sharpness=0.0), "blurred"),
        (replace(QUALITY, pose=0.0), "turned"),
        (replace(QUALITY, clean=0.3), "compressed"),
    ],
)
def test_a_face_that_is_seen_too_badly_is_refused_with_what_to_do(here: Home, quality: Quality, reason: str) -> None:
    enrol(here, "Alice")
    before = (here.store.revision(), len(here.store.audit(10)))
    with pytest.raises(BadImage, match=f"(?s)picture 2 .*{reason.replace('_', ' ')}.*{HINTS[reason][:10]}"):
        here.registry.enrol("Bob", [sitting("a", BOB), sitting("b", BOB, quality)], "rest")
    with pytest.raises(BadImage, match=r"^the picture is of no use"):
        here.registry.enrol("alice", [sitting("b", ALICE, quality)], "rest")
    assert (entries(here), here.store.revision(), len(here.store.audit(10))) == ({"alice": 1}, *before)


def test_a_face_that_could_not_be_turned_upright_is_neither_enrolled_nor_a_counter_example(here: Home) -> None:
    enrol(here, "alice")
    lying = EnrolmentSample(b"lying", FoundFace(BOX, quality=QUALITY))
    with pytest.raises(BadImage, match="turned: look at the camera, with the head upright"):
        here.registry.enrol("Bob", [lying], "rest")
    with pytest.raises(BadImage, match="turned"):
        here.registry.not_them("alice", [lying], "rest")
    assert entries(here) == {"alice": 1}


def test_dark_face_that_was_not_described_is_refused_as_dark(here: Home) -> None:
    enrol(here, "alice")
    dark = EnrolmentSample(b"dark", FoundFace(BOX, quality=replace(QUALITY, brightness=0.03, pose=0.0)))
    with pytest.raises(BadImage, match=r"too dark .*: more light in the face"):
        here.registry.enrol("Bob", [dark], "rest")
    with pytest.raises(BadImage, match="too dark: more light in the face"):
        here.registry.not_them("alice", [dark], "rest")


def test_somebody_renamed_is_found_by_the_new_name_with_the_same_id(here: Home) -> None:
    enrol(here, "Alice")
    assert here.registry.rename("alice", " Alice   Smith", "rest").person == Person("alice", "Alice Smith")
    assert here.gallery.person("alice").name == "Alice Smith"
    assert here.store.named("Alice") is None


def test_a_name_that_somebody_else_has_is_refused(here: Home) -> None:
    enrol(here, "Alice")
    enrol(here, "Bob")
    with pytest.raises(Conflict, match=r"merge them if .* \(facegate people merge bob alice\)"):
        here.registry.rename("bob", "Alice", "rest")
    assert here.gallery.person("bob").name == "Bob"


def test_two_who_are_merged_are_one(here: Home) -> None:
    enrol(here, "Alice", "a", "b")
    here.registry.enrol("Alicia", [sitting("c", near(ALICE, 0.9)), sitting("a", ALICE)], "rest")
    entry = here.registry.merge("alicia", "alice", "rest")
    assert (entry.person, entry.known_by) == (Person("alice", "Alice"), 3)
    assert entries(here) == {"alice": 3}
    assert here.who(near(ALICE, 0.9)) == "alice"
    assert here.gallery.of("alice", ALICE).pictures == 3
    with pytest.raises(UnknownPerson):
        here.gallery.person("alicia")


def test_who_was_a_counter_example_is_none_once_they_are_one_person(here: Home) -> None:
    enrol(here, "Bob")
    here.registry.not_them("bob", [sitting("alice1", near(BOB, 0.8))], "rest")
    here.registry.enrol("Alice", [sitting("alice1", near(BOB, 0.8))], "rest")
    here.registry.merge("alice", "bob", "rest")
    assert here.who(near(BOB, 0.8)) == "bob"


def test_a_picture_that_is_removed_counts_no_more(here: Home) -> None:
    here.registry.enrol("Alice", [sitting("a", ALICE), sitting("b", BOB)], "rest")
    entry = here.registry.remove_picture("alice", picture_id("b"), "rest")
    assert entry is not None
    assert [picture.id for picture in entry.pictures] == [picture_id("a")]
    assert here.gallery.of("alice", ALICE).similarity == pytest.approx(1, abs=1e-5)


def test_with_the_last_picture_the_person_goes(here: Home) -> None:
    enrol(here, "Alice", "a")
    here.registry.not_them("alice", [sitting("b", BOB)], "rest")
    assert here.registry.remove_picture("alice", picture_id("a"), "rest") is None
    assert (entries(here), len(here.gallery)) == ({}, 0)
    assert here.who(ALICE) is None


def test_a_picture_that_they_have_not_got_is_refused(here: Home) -> None:
    enrol(here, "Alice", "a")
    with pytest.raises(UnknownPerson, match="no picture"):
        here.registry.remove_picture("alice", picture_id("b"), "rest")
    assert entries(here) == {"alice": 1}


STRANGER = near(ALICE, 0.8)
"""Taken for Alice, until somebody says otherwise."""


def test_whoever_resembles_a_counter_example_as_much_is_not_named_and_the_person_still_is(here: Home) -> None:
    here.registry.enrol("Alice", [sitting("a", ALICE)], "rest")
    assert here.who(STRANGER) == here.who(near(STRANGER, 0.95, 5)) == "alice"
    entry = here.registry.not_them("alice", [sitting("stranger", STRANGER)], "rest")
    assert (entry.known_by, [picture.counter for picture in entry.pictures]) == (1, [False, True])
    assert here.who(STRANGER) is None
    assert here.who(near(STRANGER, 0.95, 5)) is None
    assert here.who(ALICE) == here.who(near(ALICE, 0.9, 5)) == "alice"


def test_a_counter_example_holds_after_a_start(tmp_path: Path) -> None:
    with home(tmp_path) as before:
        before.registry.enrol("Alice", [sitting("a", ALICE)], "rest")
        before.registry.not_them("alice", [sitting("stranger", STRANGER)], "rest")
    with home(tmp_path) as after:
        assert (after.who(STRANGER), after.who(ALICE)) == (None, "alice")
        after.registry.remove_picture("alice", picture_id("stranger"), "rest")
        assert after.who(STRANGER) == "alice"


def test_a_counter_example_is_of_somebody_who_is_known(here: Home) -> None:
    with pytest.raises(UnknownPerson):
        here.registry.not_them("alice", [sitting("stranger", STRANGER)], "rest")


@contextmanager
def started(registry: Registry) -> Iterator[None]:
    registry.start()
    try:
        yield
    finally:
        registry.stop()


def test_another_process_s_changes_hold_within_a_second(tmp_path: Path, here: Home) -> None:
    assert module.FOLLOW_S <= 0.5
    with home(tmp_path) as other, started(other.registry):
        enrol(here, "Alice")
        enrol(here, "Bob")
        wait_for(lambda: other.who(ALICE) == "alice" and other.who(BOB) == "bob")
        here.registry.rename("alice", "Alicia", "rest")
        wait_for(lambda: other.gallery.person("alice").name == "Alicia")
        here.registry.not_them("alice", [sitting("stranger", STRANGER)], "rest")
        wait_for(lambda: other.who(STRANGER) is None)
        here.registry.merge("bob", "alice", "rest")
        wait_for(lambda: len(other.gallery) == 1)
        enrol(here, "Carol")
        wait_for(lambda: other.who(CAROL) == "carol")
        here.registry.remove("carol", "rest")
        wait_for(lambda: other.who(CAROL) is None)
        here.registry.erase("alice", "rest")
        wait_for(lambda: len(other.gallery) == 0)


@pytest.mark.parametrize("error", [GatewayError("the people store: disk I/O error"), ValueError("damaged")])
def test_a_store_that_fails_is_followed_again_once_it_does_not(
    here: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr(module, "FOLLOW_S", 0.01)
    revision = here.store.revision

    def failing() -> int:
        raise error

    monkeypatch.setattr(here.store, "revision", failing)
    with started(here.registry):
        wait_for(lambda: "cannot be followed" in caplog.text)
        monkeypatch.setattr(here.store, "revision", revision)
        here.store.enrol("Alice", [here.registry.kept(sitting("a", ALICE), "rest")], "rest")
        wait_for(lambda: here.who(ALICE) == "alice")


def test_a_damaged_picture_does_not_end_the_following(
    tmp_path: Path, here: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOLLOW_S", 0.01)
    with started(here.registry), home(tmp_path) as other:
        enrol(other, "Alice", "a")
        wait_for(lambda: len(here.gallery) == 1)
        with closing(sqlite3.connect(tmp_path / "people.sqlite")) as db, db:
            db.execute("UPDATE pictures SET descriptor = zeroblob(512)")
            db.execute("UPDATE meta SET value = value + 1 WHERE key = 'revision'")
            db.execute("UPDATE people SET revision = (SELECT value FROM meta WHERE key = 'revision')")
        time.sleep(0.3)
        assert here.registry._thread.is_alive()
        with closing(sqlite3.connect(tmp_path / "people.sqlite")) as db, db:
            db.execute("UPDATE pictures SET descriptor = ?", (BOB.tobytes(),))
        wait_for(lambda: here.who(BOB) == "alice")


def traces(name: str, face: str) -> tuple[bytes, ...]:
    """Of somebody with one picture, in any file."""
    found = {"Alice": ALICE, "Bob": BOB}[name]
    return name.encode(), name.lower().encode(), near(found, 0.95, 0).tobytes(), chips_of(face), face.encode()


def test_somebody_removed_is_not_known_and_stands_in_backups_only(tmp_path: Path, here: Home) -> None:
    enrol(here, "Alice", "a picture of her")
    backup = here.backups.make(here.store.database)
    assert here.registry.remove("alice", "rest") == Person("alice", "Alice")
    assert (entries(here), here.who(ALICE)) == ({}, None)
    assert files_with(tmp_path, *traces("Alice", "a picture of her")) == {backup.name}


@pytest.mark.parametrize("key", [None, KEY])
def test_of_somebody_erased_nothing_is_left_in_any_file(tmp_path: Path, key: bytes | None) -> None:
    with home(tmp_path, key, keep="pictures") as here:
        enrol(here, "Alice", "a picture of her")
        enrol(here, "Bob", "a picture of him")
        backups = {here.backups.make(here.store.database, tmp_path / "backups" / f"{n}.sqlite").name for n in range(2)}
        assert files_with(tmp_path, b"Alice") >= backups
        here.registry.erase("alice", "rest")
        assert (entries(here), here.who(near(ALICE, 0.95, 0)), here.who(BOB)) == ({"bob": 1}, None, "bob")
        assert files_with(tmp_path, *traces("Alice", "a picture of her")) == set()
        assert files_with(tmp_path, b"Bob") >= backups
    assert files_with(tmp_path, *traces("Alice", "a picture of her")) == set()
    for name in backups:
        with closing(sqlite3.connect(tmp_path / "backups" / name)) as db:
            assert db.execute("SELECT slug FROM people JOIN pictures ON person = id").fetchall() == [("bob",)]


def test_of_somebody_merged_and_erased_nothing_is_left_in_a_backup_from_before(tmp_path: Path, here: Home) -> None:
    enrol(here, "Alice", "a picture of her")
    here.registry.enrol("Madame X", [sitting("another", near(ALICE, 0.9))], "rest")
    here.backups.make(here.store.database)
    here.registry.merge("alice", "madame_x", "rest")
    here.registry.erase("madame_x", "rest")
    assert files_with(tmp_path, *traces("Alice", "a picture of her"), near(ALICE, 0.9).tobytes()) == set()


def test_of_somebody_erased_nothing_is_left_as_a_counter_example(tmp_path: Path, here: Home) -> None:
    """They were taken for somebody else, and then enrolled as who they are by the same picture."""
    enrol(here, "Alice", "a")
    picture = sitting("b", BOB)
    here.registry.not_them("alice", [picture], "rest")
    here.registry.enrol("Bob", [picture], "rest")
    here.registry.erase("bob", "rest")
    assert files_with(tmp_path, BOB.tobytes(), chips_of("b")) == set()
    assert entries(here) == {"alice": 1}


def test_of_somebody_erased_nothing_is_left_in_a_backup_of_an_older_version(tmp_path: Path) -> None:
    from tests.store.sqlite.test_people import written_before

    written_before(tmp_path / "people.sqlite", 2)
    with home(tmp_path) as here:
        assert len(files_with(tmp_path, b"Alice")) > 1
        here.registry.erase("alice", "rest")
        assert files_with(tmp_path, b"Alice", b"alice", descriptor(1).tobytes(), descriptor(2).tobytes()) == set()
        assert any(name.startswith("before") for name in files_with(tmp_path, descriptor(3).tobytes()))


def test_a_backup_that_cannot_be_read_is_deleted_when_somebody_is_erased(tmp_path: Path, here: Home) -> None:
    enrol(here, "Alice", "a")
    backup = here.backups.make(here.store.database)
    content = bytearray(backup.read_bytes())
    content[:100] = bytes(100)
    backup.write_bytes(content)
    here.registry.erase("alice", "rest")
    assert files_with(tmp_path, *traces("Alice", "a")[:4]) == set()
    assert not backup.exists()


def test_who_was_erased_is_not_imported_again(tmp_path: Path, here: Home) -> None:
    folder = tmp_path / "faces"
    (folder / "Alice").mkdir(parents=True)
    (folder / "Alice" / "1.jpg").write_text("a")
    here.registry.enrol("Alice", [sitting("a", ALICE)], "rest")
    here.registry.erase("alice", "rest")
    saw: list[bytes] = []

    def describe(picture: bytes) -> FoundFace:
        saw.append(picture)
        return FoundFace(BOX, ALICE, chips=b"")

    faces = KnownFaces(folder, here.registry, describe, describe, rescan_s=0.01, max_bytes=10_000)
    faces.start()
    wait_for(lambda: faces.progress.finished)
    faces.stop()
    assert (entries(here), saw) == ({}, [])
    assert "it was removed" in faces.progress.skipped[0]


def test_nobody_s_id_is_refused_to_be_removed_or_erased(here: Home) -> None:
    enrol(here, "Alice")
    here.backups.make(here.store.database)
    for refused in (here.registry.remove, here.registry.erase):
        with pytest.raises(UnknownPerson):
            refused("bob", "rest")
    assert entries(here) == {"alice": 1}


@pytest.mark.parametrize(
    ("keep", "chips", "pictures"), [("nothing", False, False), ("chips", True, False), ("pictures", True, True)]
)
def test_of_pictures_is_kept_what_the_settings_say(
    tmp_path: Path, keep: module.Keep, chips: bool, pictures: bool
) -> None:
    with home(tmp_path, keep=keep) as here:
        here.registry.enrol("Alice", [sitting("a whole picture", ALICE)], "rest")
        here.registry.not_them("alice", [sitting("another picture", BOB)], "rest")
        for each in ("a whole picture", "another picture"):
            assert here.store.chips(digest_of(each)) == (chips_of(each) if chips else None)
        (person,) = here.store.export()
        originals = [b"a whole picture", b"another picture"] if pictures else [None, None]
        assert [each.original for each in person.pictures] == originals
    assert bool(files_with(tmp_path, b"chips of")) == chips
    assert bool(files_with(tmp_path, b"another picture")) == (chips or pictures)
    with home(tmp_path) as again:
        assert again.who(ALICE) == "alice"


def aged(data: Path, slug: str, days: float) -> None:
    """As if their last picture had come so many days ago."""
    with closing(sqlite3.connect(data / "people.sqlite")) as db, db:
        db.execute("UPDATE people SET changed = ? WHERE slug = ?", (time.time() - 86_400 * days, slug))


def test_who_has_no_new_picture_for_long_is_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLLOW_S", 0.01)
    with home(tmp_path, keep_days=30) as here:
        enrol(here, "Alice", "a picture of her")
        enrol(here, "Bob")
        here.backups.make(here.store.database)
        aged(tmp_path, "alice", 31)
        aged(tmp_path, "bob", 29)
        with started(here.registry):
            wait_for(lambda: entries(here) == {"bob": 1})
            wait_for(lambda: here.who(near(ALICE, 0.95, 0)) is None)
        assert files_with(tmp_path, *traces("Alice", "a picture of her")) == set()
        assert [(line.door, line.action) for line in here.store.audit(1)] == [("retention", "erase")]


def test_a_new_picture_keeps_somebody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLLOW_S", 0.01)
    with home(tmp_path, keep_days=30) as here:
        enrol(here, "Alice", "a")
        enrol(here, "Bob", "b")
        aged(tmp_path, "alice", 31)
        aged(tmp_path, "bob", 31)
        enrol(here, "Alice", "a", "c")
        with started(here.registry):
            wait_for(lambda: entries(here) == {"alice": 2})


def test_without_a_limit_everybody_is_kept(tmp_path: Path, here: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLLOW_S", 0.01)
    enrol(here, "Alice")
    aged(tmp_path, "alice", 10_000)
    with started(here.registry):
        time.sleep(0.2)
    assert entries(here) == {"alice": 1}


def test_a_new_name_does_not_keep_anybody_longer(tmp_path: Path, here: Home) -> None:
    enrol(here, "Alice")
    aged(tmp_path, "alice", 31)
    here.registry.rename("alice", "Alicia", "rest")
    assert here.store.unchanged_since(time.time() - 30 * 86_400) == ["alice"]


def test_people_of_another_recipe_are_not_searched(tmp_path: Path) -> None:
    with home(tmp_path) as here:
        enrol(here, "Alice")
    with home(tmp_path, recipe="other") as other:
        assert len(other.gallery) == 0
        other.store.renew(digest_of("Alice1"), "other", BOB)
        other.registry.follow()
        assert other.who(BOB) == "alice"
    assert RECIPE != "other"


def test_stopping_what_never_started_is_nothing(here: Home) -> None:
    here.registry.stop()


def test_the_only_picture_of_somebody_is_no_counter_example(here: Home) -> None:
    here.registry.enrol("Alice", [sitting("a", ALICE)], "rest")
    with pytest.raises(Conflict, match="remove them instead"):
        here.registry.not_them("alice", [sitting("a", ALICE)], "rest")
    assert here.who(ALICE) == "alice"


def test_who_was_removed_is_still_erased_from_backups(here: Home) -> None:
    here.registry.enrol("Alice", [sitting("a", ALICE)], "rest")
    here.backups.make(here.store.database)
    here.backups.make(here.store.database, here.data / "backups" / "mine.db")
    (here.data / "backups" / "half.sqlite.new").write_bytes(b"Alice")
    here.registry.remove("alice", "rest")
    here.registry.erase("alice", "rest")
    assert not [path for path in here.data.rglob("*") if path.is_file() and b"Alice" in path.read_bytes()]
    with pytest.raises(UnknownPerson):
        here.registry.erase("alice", "rest")


def test_a_backup_that_is_busy_is_kept_and_the_person_with_it(here: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.sqlite.backup_files.WAIT_S", 0.1)
    here.registry.enrol("Alice", [sitting("a", ALICE)], "rest")
    backup = here.backups.make(here.store.database)
    with closing(sqlite3.connect(backup)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(GatewayError, match="try again"):
            here.registry.erase("alice", "rest")
    assert here.who(ALICE) == "alice"
    here.registry.erase("alice", "rest")
    assert here.who(ALICE) is None


def test_another_picture_of_who_is_erased_is_no_counter_example_any_more(here: Home) -> None:
    here.registry.enrol("Alice", [sitting("a", ALICE)], "rest")
    here.registry.enrol("Bob", [sitting("b", BOB)], "rest")
    here.registry.not_them("bob", [sitting("alice again", near(ALICE, 0.9))], "rest")
    here.registry.erase("alice", "rest")
    assert [picture.counter for picture in here.store.entry("bob").pictures] == [False]


def test_nobody_is_a_stranger_while_they_are_changed(here: Home) -> None:
    here.registry.enrol("Alice", [sitting("a", ALICE)], "rest")
    missed, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            missed.append(here.who(ALICE) != "alice")

    thread = threading.Thread(target=look)
    thread.start()
    n = 0
    try:
        while thread.is_alive() and (n < 100 or len(missed) <= 10):
            here.registry.rename("alice", f"Alice {n}", "rest")
            n += 1
    finally:
        done.set()
        thread.join()
    assert len(missed) > 10
    assert not any(missed)
