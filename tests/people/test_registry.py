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
from gateway.model.caller import REST_CALLER, Caller, camera_caller
from gateway.people import retention
from gateway.people import store_watcher as module
from gateway.people.enrolment import EnrolmentSample, Keep
from gateway.people.enrolment_advice import QUALITY_ADVICE
from gateway.people.retention import Retention
from gateway.people.services import FolderRules
from gateway.people.store_watcher import StoreWatcher
from gateway.people.wiring import open_for_command
from gateway.store.records import Picture, StoredFace
from gateway.vision.engines.registry import ENGINES
from tests.examples import BOX, QUALITY, descriptor, near
from tests.people.environment import (
    KEY,
    RECIPE,
    PeopleEnvironment,
    build_services,
    chips_of,
    digest_of,
    files_with,
    make_rules,
    open_environment,
    picture_id,
    sample,
)
from tests.people.folder_environment import DescribeFunctions
from tests.support import wait_for

ALICE, BOB, CAROL = descriptor(1), descriptor(2), descriptor(3)
"""Descriptors of the faces of three people."""

FEW = "more: of people with one picture 17 % are missed, with 3 pictures 5 %"


def enrol(env: PeopleEnvironment, who: str, *pictures: str, caller: Caller = REST_CALLER) -> tuple[str, ...]:
    """Enrol pictures of that person, each a little different, and return the warnings."""
    faces = {"alice": ALICE, "bob": BOB, "carol": CAROL}
    face = faces[who.lower()]
    samples = [sample(picture, near(face, 0.95, seed)) for seed, picture in enumerate(pictures or [f"{who}1"])]
    _, warnings = env.registry.enrol(who, samples, caller)
    return warnings


def entries(env: PeopleEnvironment) -> dict[str, int]:
    """Return the number of pictures of each person in the store."""
    return {entry.person.slug: entry.picture_count for entry in env.store.people.list_entries()}


def test_enrolled_person_is_recognised_when_the_call_returns(env: PeopleEnvironment) -> None:
    entry, _ = env.registry.enrol(
        "Grace  Hopper", [sample("grace1", ALICE), sample("grace2", ALICE)], camera_caller("door")
    )
    assert (entry.person, entry.picture_count) == (Person("grace_hopper", "Grace Hopper"), 2)
    assert [picture.source for picture in entry.pictures] == ["mqtt:door"] * 2
    assert env.who(near(ALICE, 0.9)) == "grace_hopper"
    assert env.who(BOB) is None


@pytest.mark.parametrize("who", ["Alice", "alice"])
def test_picture_is_added_by_name_or_by_id(env: PeopleEnvironment, who: str) -> None:
    env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
    name, person = (None, who) if who == "alice" else (who, None)
    entry, _ = env.registry.enrol(name, [sample("alice2", near(ALICE, 0.9))], REST_CALLER, person=person)
    assert (entry.person, entry.picture_count) == (Person("alice", "Alice"), 2)
    assert env.gallery.compare_person("alice", ALICE).pictures == 2


def test_name_is_not_used_as_an_id(env: PeopleEnvironment) -> None:
    """Robert keeps the id bob after his new name. Another person named Bob gets another id."""
    env.registry.enrol("Bob", [sample("a", ALICE)], REST_CALLER)
    env.registry.rename("bob", "Robert", REST_CALLER)
    entry, _ = env.registry.enrol("bob", [sample("b", BOB)], REST_CALLER)
    assert entry.person == Person("bob_2", "bob")
    entry, _ = env.registry.enrol(None, [sample("c", near(ALICE, 0.9))], REST_CALLER, person="bob")
    assert (entry.person, entry.picture_count) == (Person("bob", "Robert"), 2)


def test_unknown_id_becomes_a_name_if_new_people_are_allowed(env: PeopleEnvironment) -> None:
    entry, _ = env.registry.enrol(None, [sample("a", ALICE)], camera_caller("desk"), person="grace_hopper", new=True)
    assert entry.person == Person("grace_hopper", "grace hopper")


def test_unknown_id_is_an_error_if_new_people_are_not_allowed(env: PeopleEnvironment) -> None:
    with pytest.raises(UnknownPerson):
        env.registry.enrol(None, [sample("a", ALICE)], REST_CALLER, person="nobody")
    assert entries(env) == {}


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb\0"])
def test_invalid_name_is_refused(env: PeopleEnvironment, name: str) -> None:
    with pytest.raises(BadRequest, match="the name "):
        env.registry.enrol(name, [sample("a", ALICE)], REST_CALLER)
    enrol(env, "Alice")
    with pytest.raises(BadRequest, match="the name "):
        env.registry.rename("alice", name, REST_CALLER)
    assert entries(env) == {"alice": 1}


def test_person_of_another_recipe_can_be_enrolled_again_by_name(env: PeopleEnvironment) -> None:
    """The person has no chips, as in stores of version 1, so no face matches before the new picture."""
    old = Picture("d1", "rest", "long before", StoredFace(BOB, None))
    env.store.people.enrol("Alice", [old], REST_CALLER)
    entry, _ = env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
    assert entry.person == Person("alice", "Alice")
    assert env.who(ALICE) == "alice"


def test_person_of_another_recipe_can_be_enrolled_again_by_id(env: PeopleEnvironment) -> None:
    env.store.people.enrol("Grace Hopper", [Picture("d1", "rest", "long before", StoredFace(BOB, None))], REST_CALLER)
    entry, _ = env.registry.enrol(None, [sample("alice1", ALICE)], REST_CALLER, person="grace_hopper")
    assert entry.person == Person("grace_hopper", "Grace Hopper")


def test_three_similar_pictures_give_no_warning(env: PeopleEnvironment) -> None:
    assert enrol(env, "Alice", "a", "b", "c") == ()


def test_few_pictures_give_a_warning(env: PeopleEnvironment) -> None:
    assert enrol(env, "Alice", "a") == (f"add 2 {FEW}",)
    assert enrol(env, "Alice", "b") == (f"add 1 {FEW}",)
    assert enrol(env, "Alice", "c") == ()


def test_face_of_another_enrolled_person_gives_a_warning(
    env: PeopleEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    enrol(env, "Alice", "a", "b", "c")
    _, warnings = env.registry.enrol("Carol", [sample(f"c{n}", near(ALICE, 0.95, n)) for n in range(3)], REST_CALLER)
    (double,) = warnings
    assert double == (
        "this face is known as Alice (alice) already: if they are one person, run `facegate people merge carol alice`"
    )
    assert double not in caplog.text
    assert caplog.text.count("look like one person") == 1
    assert entries(env) == {"alice": 3, "carol": 3}


def test_warning_names_all_people_with_the_same_face(env: PeopleEnvironment) -> None:
    """Regression: a face of three enrolled people gave no warning, since none of them was the best."""
    for name in ("Alice", "Alicia", "Ally", "Al"):
        _, warnings = env.registry.enrol(
            name, [sample(f"{name}{n}", near(ALICE, 0.95, n)) for n in range(3)], REST_CALLER
        )
    (warning,) = warnings
    assert all(name in warning for name in ("Alice (alice)", "Alicia (alicia)", "Ally (ally)"))
    assert warning.endswith(
        f"run {', '.join(f'`facegate people merge {one} alice`' for one in ('alicia', 'ally', 'al'))}"
    )


def warned(env: PeopleEnvironment, *pictures: str) -> tuple[str, ...]:
    """Enrol Alice under two names, and return the warnings."""
    enrol(env, "Alice", "a", "b", "c")
    env.registry.enrol("Ali", [sample(picture, near(ALICE, 0.95, 7)) for picture in pictures or ["d"]], REST_CALLER)
    return env.updater.warnings


def test_lookalikes_are_reported_until_they_are_merged(env: PeopleEnvironment) -> None:
    (sentence,) = warned(env)
    assert "Alice (alice) and Ali (ali) look like one person" in sentence
    assert sentence.endswith("run `facegate people merge ali alice`")
    env.registry.rename("ali", "Alison", REST_CALLER)
    assert "Alice (alice) and Alison (ali) look" in env.updater.warnings[0]
    env.registry.merge("ali", "alice", REST_CALLER)
    assert env.updater.warnings == ()


def test_lookalikes_are_reported_after_a_start(tmp_path: Path, env: PeopleEnvironment) -> None:
    warned(env)
    with open_environment(tmp_path) as again:
        assert len(again.updater.warnings) == 1
        assert again.updater.warnings == env.updater.warnings


def test_lookalikes_are_reported_until_one_is_removed(env: PeopleEnvironment) -> None:
    assert warned(env)
    env.registry.remove("ali", REST_CALLER)
    assert env.updater.warnings == ()


def test_removal_is_counted_after_the_warnings_have_changed(
    env: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a reader would take a warning that names the removed person for a new one."""
    assert warned(env)
    before, counts = env.updater.removal_count, list[tuple[int, bool]]()
    find = env.people.store.status.find_name_warnings

    def find_and_note() -> list[str]:
        counts.append((env.updater.removal_count, bool(env.updater.warnings)))
        return find()

    monkeypatch.setattr(env.people.store.status, "find_name_warnings", find_and_note)
    env.registry.remove("ali", REST_CALLER)
    assert counts == [(before, True)]
    assert (env.updater.removal_count, env.updater.warnings) == (before + 1, ())


@pytest.mark.parametrize(("accused", "shown"), [("alice", "d"), ("ali", "a")])
def test_lookalikes_with_a_counter_example_are_not_reported(env: PeopleEnvironment, accused: str, shown: str) -> None:
    """Twins are an example."""
    enrol(env, "Alice", "a")
    env.registry.enrol("Ali", [sample("d", near(ALICE, 0.8, 7))], REST_CALLER)
    assert env.updater.warnings
    face = {"a": near(ALICE, 0.95, 0), "d": near(ALICE, 0.8, 7)}[shown]
    env.registry.add_counter_examples(accused, [sample(f"{shown} again", face)], REST_CALLER)
    assert env.updater.warnings == ()


def test_lookalikes_from_the_folder_are_reported_and_logged(
    env: PeopleEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: the import of the folder gave no warnings."""
    for folder in ("Alice", "Carol"):
        for n in range(2):
            face = StoredFace(near(ALICE, 0.95, n), None)
            picture = Picture(digest_of(f"{folder}{n}"), f"known_faces/{folder}/{n}.jpg", RECIPE, face)
            env.store.folder_index.enrol_from_folder(folder, picture)
    env.updater.refresh()
    (sentence,) = env.updater.warnings
    assert "facegate people merge carol alice" in sentence
    assert caplog.text.count(sentence) == 1
    env.updater.refresh()
    assert caplog.text.count(sentence) == 1


def test_folder_with_two_people_is_reported(env: PeopleEnvironment) -> None:
    for n, face in enumerate([ALICE, near(ALICE, 0.95), BOB]):
        picture = Picture(digest_of(f"{n}"), f"known_faces/Team/{n}.jpg", RECIPE, StoredFace(face, None))
        env.store.folder_index.enrol_from_folder("Team", picture)
    env.updater.refresh()
    (sentence,) = env.updater.warnings
    assert "the pictures of Team (team) do not look like one person" in sentence
    env.registry.remove_picture("team", digest_of("2")[:16], REST_CALLER)
    assert env.updater.warnings == ()


def test_lookalikes_in_a_large_gallery_are_found_block_by_block(
    env: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.people.gallery_review.CELLS_PER_BLOCK", 60)
    monkeypatch.setattr("gateway.people.gallery_review.SMALL_GALLERY", 5)
    for n in range(20):
        picture = Picture(f"d{n}", "rest", RECIPE, StoredFace(near(descriptor(n // 2), 0.98, n), None))
        env.store.people.enrol(f"Person {n}", [picture], REST_CALLER)
    looks = 0
    while len(env.updater._review._pairs) < 10 and looks < 10:
        env.updater.refresh()
        looks += 1
    assert looks > 1
    assert len(env.updater.warnings) == 10


def test_first_of_many_lookalikes_are_reported(env: PeopleEnvironment) -> None:
    for n in range(60):
        picture = Picture(f"d{n}", "rest", RECIPE, StoredFace(near(descriptor(n // 2), 0.98, n), None))
        env.store.people.enrol(f"Person {n}", [picture], REST_CALLER)
    env.updater.refresh()
    assert len(env.updater.warnings) == 21
    assert env.updater.warnings[-1] == "… and 10 more such warnings"


def enrol_one_face_as(env: PeopleEnvironment, *names: str) -> None:
    for n, name in enumerate(names):
        env.store.people.enrol(
            name,
            [Picture(f"d{n}", "rest", env.people.rules.pictures.recipe, StoredFace(near(ALICE, 0.98, n), None))],
            REST_CALLER,
        )
    env.updater.refresh()


def test_group_of_lookalikes_is_reported_in_one_sentence(
    env: PeopleEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: eleven folders of one person gave 55 warnings, in a different order each time."""
    names = [f"P{n}" for n in range(11, 0, -1)]
    enrol_one_face_as(env, *names)
    (sentence,) = env.updater.warnings
    listed = ", ".join(f"{name} ({name.lower()})" for name in names[:10])
    commands = ", ".join(f"`facegate people merge {name.lower()} p11`" for name in names[1:10])
    assert sentence == (
        f"{listed} and 1 more look like one person, so that none of them is named:"
        f" if they are one person, run {commands}"
    )
    assert env.updater.warnings_about("p11", "p1") == [sentence]
    assert caplog.text.count("look like one person") == 1


def test_command_does_not_log_lookalikes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Regression: each command printed all of these warnings before its answer."""
    with open_environment(tmp_path, recipe=ENGINES["facegate"].recipe) as env:
        enrol_one_face_as(env, "Alice", "Ali")
    caplog.clear()
    with open_for_command(Settings(data=tmp_path)) as opened:
        assert len(opened.updater.warnings) == 1
    assert caplog.text == ""


def test_names_accepted_by_older_versions_are_reported(env: PeopleEnvironment) -> None:
    for n, name in enumerate(["Ann Lee", "Dora", "Eve", "Fay", "Gus"]):
        env.registry.enrol(name, [sample(name, descriptor(10 + n))], REST_CALLER)
    with env.store.database.transaction() as db:
        db.execute("UPDATE people SET name = 'ANN LEE', name_key = 'ann lee', revision = revision WHERE slug = 'dora'")
        db.execute("UPDATE people SET name = 'Unknown', name_key = 'unknown' WHERE slug = 'eve'")
        db.execute("UPDATE people SET slug = 'export' WHERE slug = 'fay'")
        db.execute("UPDATE people SET name = 'G' || char(65533) WHERE slug = 'gus'")
    env.registry.enrol("Bob", [sample("b", BOB)], REST_CALLER)
    spelled, nobody, reserved, undecoded = env.updater.warnings
    assert "facegate people merge dora ann_lee" in spelled
    assert "'Unknown' of eve means nobody" in nobody
    assert "the id 'export' of 'Fay'" in reserved
    assert "not UTF-8: give the right name, run `facegate people rename gus NAME`" in undecoded


def test_pictures_of_different_faces_give_a_warning(env: PeopleEnvironment) -> None:
    samples = [sample("a", ALICE), sample("b", near(ALICE, 0.95)), sample("c", BOB)]
    _, warnings = env.registry.enrol("Alice", samples, REST_CALLER)
    assert warnings == ("these pictures do not look like one person",)


def test_picture_that_is_enrolled_already_gives_a_warning(env: PeopleEnvironment) -> None:
    """Regression: the result of a repeated picture looked like that of a new one."""
    enrol(env, "Alice", "a", "b", "c")
    entry, warnings = env.registry.enrol("Alice", [sample("b", ALICE)], REST_CALLER)
    assert (entry.picture_count, warnings) == (3, ("the picture was enrolled already: nothing was added",))
    entry, warnings = env.registry.enrol("Alice", [sample("d", ALICE), sample("a", ALICE)], REST_CALLER)
    assert (entry.picture_count, warnings) == (4, ("picture 2 was enrolled already: nothing was added",))


def test_picture_that_another_recogniser_described_is_described_again(env: PeopleEnvironment) -> None:
    enrol(env, "Alice", "a")
    env.store.faces.replace_descriptor(sample("a", ALICE).digest, "another recipe", ALICE)
    entry, warnings = env.registry.enrol("Alice", [sample("a", ALICE)], REST_CALLER)
    assert (entry.picture_count, warnings[0]) == (1, "the picture was enrolled already: it was described again")
    assert env.store.faces.find_face(sample("a", ALICE).digest, RECIPE) is not None


def test_picture_unlike_the_enrolled_pictures_gives_a_warning(env: PeopleEnvironment) -> None:
    enrol(env, "Alice", "a", "b", "c")
    _, warnings = env.registry.enrol("Alice", [sample("d", BOB)], REST_CALLER)
    assert warnings == ("this does not look like the enrolled pictures of Alice",)


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
def test_face_of_too_low_quality_is_refused_with_advice(env: PeopleEnvironment, quality: Quality, reason: str) -> None:
    enrol(env, "Alice")
    before = (env.store.faces.revision(), len(env.store.audit.read_lines(10)))
    with pytest.raises(BadImage, match=f"(?s)picture 2 .*{reason.replace('_', ' ')}.*{QUALITY_ADVICE[reason][:10]}"):
        env.registry.enrol("Bob", [sample("a", BOB), sample("b", BOB, quality)], REST_CALLER)
    with pytest.raises(BadImage, match=r"^the picture cannot be used, because"):
        env.registry.enrol("alice", [sample("b", ALICE, quality)], REST_CALLER)
    assert (entries(env), env.store.faces.revision(), len(env.store.audit.read_lines(10))) == ({"alice": 1}, *before)


def test_face_that_is_not_upright_is_neither_enrolled_nor_a_counter_example(
    env: PeopleEnvironment,
) -> None:
    enrol(env, "alice")
    lying = EnrolmentSample(b"lying", FoundFace(BOX, quality=QUALITY))
    with pytest.raises(BadImage, match="turned: look at the camera, with the head upright"):
        env.registry.enrol("Bob", [lying], REST_CALLER)
    with pytest.raises(BadImage, match="turned"):
        env.registry.add_counter_examples("alice", [lying], REST_CALLER)
    assert entries(env) == {"alice": 1}


def test_dark_face_without_a_descriptor_is_refused_as_dark(env: PeopleEnvironment) -> None:
    enrol(env, "alice")
    dark = EnrolmentSample(b"dark", FoundFace(BOX, quality=replace(QUALITY, brightness=0.03, pose=0.0)))
    with pytest.raises(BadImage, match=r"too dark .*: more light in the face"):
        env.registry.enrol("Bob", [dark], REST_CALLER)
    with pytest.raises(BadImage, match="too dark: more light in the face"):
        env.registry.add_counter_examples("alice", [dark], REST_CALLER)


def test_renamed_person_keeps_the_id(env: PeopleEnvironment) -> None:
    enrol(env, "Alice")
    assert env.registry.rename("alice", " Alice   Smith", REST_CALLER).person == Person("alice", "Alice Smith")
    assert env.gallery.person("alice").name == "Alice Smith"
    assert env.store.people.find_person("Alice") is None


def test_name_of_another_person_is_refused(env: PeopleEnvironment) -> None:
    enrol(env, "Alice")
    enrol(env, "Bob")
    with pytest.raises(Conflict, match=r"merge them if .* \(`facegate people merge bob alice`\)"):
        env.registry.rename("bob", "Alice", REST_CALLER)
    assert env.gallery.person("bob").name == "Bob"


def test_merged_people_are_one_person(env: PeopleEnvironment) -> None:
    enrol(env, "Alice", "a", "b")
    env.registry.enrol("Alicia", [sample("c", near(ALICE, 0.9)), sample("a", ALICE)], REST_CALLER)
    entry = env.registry.merge("alicia", "alice", REST_CALLER)
    assert (entry.person, entry.picture_count) == (Person("alice", "Alice"), 3)
    assert entries(env) == {"alice": 3}
    assert env.who(near(ALICE, 0.9)) == "alice"
    assert env.gallery.compare_person("alice", ALICE).pictures == 3
    with pytest.raises(UnknownPerson):
        env.gallery.person("alicia")


def test_counter_example_ends_when_the_people_are_merged(env: PeopleEnvironment) -> None:
    enrol(env, "Bob")
    env.registry.add_counter_examples("bob", [sample("alice1", near(BOB, 0.8))], REST_CALLER)
    env.registry.enrol("Alice", [sample("alice1", near(BOB, 0.8))], REST_CALLER)
    env.registry.merge("alice", "bob", REST_CALLER)
    assert env.who(near(BOB, 0.8)) == "bob"


def test_removed_picture_has_no_effect(env: PeopleEnvironment) -> None:
    env.registry.enrol("Alice", [sample("a", ALICE), sample("b", BOB)], REST_CALLER)
    entry = env.registry.remove_picture("alice", picture_id("b"), REST_CALLER)
    assert entry is not None
    assert [picture.id for picture in entry.pictures] == [picture_id("a")]
    assert env.gallery.compare_person("alice", ALICE).similarity == pytest.approx(1, abs=1e-5)


def test_person_is_removed_with_the_last_picture(env: PeopleEnvironment) -> None:
    enrol(env, "Alice", "a")
    env.registry.add_counter_examples("alice", [sample("b", BOB)], REST_CALLER)
    assert env.registry.remove_picture("alice", picture_id("a"), REST_CALLER) is None
    assert (entries(env), len(env.gallery)) == ({}, 0)
    assert env.who(ALICE) is None


def test_unknown_picture_id_is_refused(env: PeopleEnvironment) -> None:
    enrol(env, "Alice", "a")
    with pytest.raises(UnknownPerson, match="no picture"):
        env.registry.remove_picture("alice", picture_id("b"), REST_CALLER)
    assert entries(env) == {"alice": 1}


STRANGER = near(ALICE, 0.8)
"""A face that is taken for Alice without a counter-example."""


def test_counter_example_excludes_the_stranger_but_not_the_person(
    env: PeopleEnvironment,
) -> None:
    env.registry.enrol("Alice", [sample("a", ALICE)], REST_CALLER)
    assert env.who(STRANGER) == env.who(near(STRANGER, 0.95, 5)) == "alice"
    entry = env.registry.add_counter_examples("alice", [sample("stranger", STRANGER)], REST_CALLER)
    assert (entry.picture_count, [picture.counter for picture in entry.pictures]) == (1, [False, True])
    assert env.who(STRANGER) is None
    assert env.who(near(STRANGER, 0.95, 5)) is None
    assert env.who(ALICE) == env.who(near(ALICE, 0.9, 5)) == "alice"


def test_counter_example_holds_after_a_start(tmp_path: Path) -> None:
    with open_environment(tmp_path) as before:
        before.registry.enrol("Alice", [sample("a", ALICE)], REST_CALLER)
        before.registry.add_counter_examples("alice", [sample("stranger", STRANGER)], REST_CALLER)
    with open_environment(tmp_path) as after:
        assert (after.who(STRANGER), after.who(ALICE)) == (None, "alice")
        after.registry.remove_picture("alice", picture_id("stranger"), REST_CALLER)
        assert after.who(STRANGER) == "alice"


def test_counter_example_needs_an_enrolled_person(env: PeopleEnvironment) -> None:
    with pytest.raises(UnknownPerson):
        env.registry.add_counter_examples("alice", [sample("stranger", STRANGER)], REST_CALLER)


@contextmanager
def started(watcher: StoreWatcher | Retention) -> Iterator[None]:
    watcher.start()
    try:
        yield
    finally:
        watcher.stop()


def test_changes_of_another_process_are_effective_within_a_second(tmp_path: Path, env: PeopleEnvironment) -> None:
    assert module.STORE_POLL_INTERVAL_S <= 0.5
    with open_environment(tmp_path) as other, started(other.people.watcher):
        enrol(env, "Alice")
        enrol(env, "Bob")
        wait_for(lambda: other.who(ALICE) == "alice" and other.who(BOB) == "bob")
        env.registry.rename("alice", "Alicia", REST_CALLER)
        wait_for(lambda: other.gallery.person("alice").name == "Alicia")
        env.registry.add_counter_examples("alice", [sample("stranger", STRANGER)], REST_CALLER)
        wait_for(lambda: other.who(STRANGER) is None)
        env.registry.merge("bob", "alice", REST_CALLER)
        wait_for(lambda: len(other.gallery) == 1)
        enrol(env, "Carol")
        wait_for(lambda: other.who(CAROL) == "carol")
        env.registry.remove("carol", REST_CALLER)
        wait_for(lambda: other.who(CAROL) is None)
        env.registry.erase("alice", REST_CALLER)
        wait_for(lambda: len(other.gallery) == 0)


def test_announcements_do_not_finish_the_changes_of_other_processes(
    env: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: after each change all replicas of a cluster waited for each other to move its line to the audit."""
    updater = env.people.updater
    refresh, finish = updater.refresh, updater.finish_changes
    refreshed: list[None] = []
    finished: list[None] = []
    monkeypatch.setattr(updater, "refresh", lambda: refreshed.append(refresh()))
    monkeypatch.setattr(updater, "finish_changes", lambda: finished.append(finish()))
    watcher = StoreWatcher(env.store, updater)
    monkeypatch.setattr(module, "STORE_POLL_INTERVAL_S", 600.0)
    with started(watcher):

        def is_refreshed_often() -> bool:
            watcher._thread.wake()
            return len(refreshed) > 5

        wait_for(is_refreshed_often)
    assert len(finished) == 1


@pytest.mark.parametrize("error", [GatewayError("the people store: disk I/O error"), ValueError("damaged")])
def test_store_is_followed_again_after_an_error(
    env: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr(env.people.watcher._thread, "_interval_s", 0.01)
    revision = env.store.faces.revision

    def failing() -> int:
        raise error

    monkeypatch.setattr(env.store.faces, "revision", failing)
    with started(env.people.watcher):
        wait_for(lambda: "cannot be followed" in caplog.text)
        monkeypatch.setattr(env.store.faces, "revision", revision)
        env.store.people.enrol("Alice", [Picture(digest_of("a"), "rest", RECIPE, StoredFace(ALICE, None))], REST_CALLER)
        wait_for(lambda: env.who(ALICE) == "alice")


def test_damaged_picture_does_not_end_the_following(
    tmp_path: Path, env: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(env.people.watcher._thread, "_interval_s", 0.01)
    with started(env.people.watcher), open_environment(tmp_path) as other:
        enrol(other, "Alice", "a")
        wait_for(lambda: len(env.gallery) == 1)
        with closing(sqlite3.connect(tmp_path / "people.sqlite")) as db, db:
            db.execute("UPDATE pictures SET descriptor = zeroblob(512)")
            db.execute("UPDATE meta SET value = value + 1 WHERE key = 'revision'")
            db.execute("UPDATE people SET revision = (SELECT value FROM meta WHERE key = 'revision')")
        time.sleep(0.3)
        assert env.people.watcher._thread._thread.is_alive()
        with closing(sqlite3.connect(tmp_path / "people.sqlite")) as db, db:
            db.execute("UPDATE pictures SET descriptor = ?", (BOB.tobytes(),))
        wait_for(lambda: env.who(BOB) == "alice")


def traces(name: str, face: str) -> tuple[bytes, ...]:
    """Return the byte strings by which a person with one picture is found in a file."""
    found = {"Alice": ALICE, "Bob": BOB}[name]
    return name.encode(), name.lower().encode(), near(found, 0.95, 0).tobytes(), chips_of(face), face.encode()


def test_removed_person_is_only_in_backups(tmp_path: Path, env: PeopleEnvironment) -> None:
    enrol(env, "Alice", "a picture of her")
    backup = env.store.backups.make()
    assert env.registry.remove("alice", REST_CALLER) == Person("alice", "Alice")
    assert (entries(env), env.who(ALICE)) == ({}, None)
    assert files_with(tmp_path, *traces("Alice", "a picture of her")) == {backup.name}


@pytest.mark.parametrize("key", [None, KEY])
def test_erased_person_is_in_no_file(tmp_path: Path, key: bytes | None) -> None:
    with open_environment(tmp_path, key, keep="pictures") as env:
        enrol(env, "Alice", "a picture of her")
        enrol(env, "Bob", "a picture of him")
        backups = {env.store.backups.make(tmp_path / "backups" / f"{n}.sqlite").name for n in range(2)}
        assert files_with(tmp_path, b"Alice") >= backups
        env.registry.erase("alice", REST_CALLER)
        assert (entries(env), env.who(near(ALICE, 0.95, 0)), env.who(BOB)) == ({"bob": 1}, None, "bob")
        assert files_with(tmp_path, *traces("Alice", "a picture of her")) == set()
        assert files_with(tmp_path, b"Bob") >= backups
    assert files_with(tmp_path, *traces("Alice", "a picture of her")) == set()
    for name in backups:
        with closing(sqlite3.connect(tmp_path / "backups" / name)) as db:
            assert db.execute("SELECT slug FROM people JOIN pictures ON person = id").fetchall() == [("bob",)]


def test_merged_and_erased_person_is_in_no_backup(tmp_path: Path, env: PeopleEnvironment) -> None:
    enrol(env, "Alice", "a picture of her")
    env.registry.enrol("Madame X", [sample("another", near(ALICE, 0.9))], REST_CALLER)
    env.store.backups.make()
    env.registry.merge("alice", "madame_x", REST_CALLER)
    env.registry.erase("madame_x", REST_CALLER)
    assert files_with(tmp_path, *traces("Alice", "a picture of her"), near(ALICE, 0.9).tobytes()) == set()


def test_erased_person_is_no_counter_example(tmp_path: Path, env: PeopleEnvironment) -> None:
    """Bob was taken for Alice, and then enrolled as Bob with the same picture."""
    enrol(env, "Alice", "a")
    picture = sample("b", BOB)
    env.registry.add_counter_examples("alice", [picture], REST_CALLER)
    env.registry.enrol("Bob", [picture], REST_CALLER)
    env.registry.erase("bob", REST_CALLER)
    assert files_with(tmp_path, BOB.tobytes(), chips_of("b")) == set()
    assert entries(env) == {"alice": 1}


def test_erased_person_is_in_no_backup_of_an_older_version(tmp_path: Path) -> None:
    from tests.store.sqlite.old_stores import write_old_store

    write_old_store(tmp_path / "people.sqlite", 2)
    with open_environment(tmp_path) as env:
        assert len(files_with(tmp_path, b"Alice")) > 1
        env.registry.erase("alice", REST_CALLER)
        assert files_with(tmp_path, b"Alice", b"alice", descriptor(1).tobytes(), descriptor(2).tobytes()) == set()
        assert any(name.startswith("before") for name in files_with(tmp_path, descriptor(3).tobytes()))


def test_unreadable_backup_is_deleted_by_an_erasure(tmp_path: Path, env: PeopleEnvironment) -> None:
    enrol(env, "Alice", "a")
    backup = env.store.backups.make()
    content = bytearray(backup.read_bytes())
    content[:100] = bytes(100)
    backup.write_bytes(content)
    env.registry.erase("alice", REST_CALLER)
    assert files_with(tmp_path, *traces("Alice", "a")[:4]) == set()
    assert not backup.exists()


def test_erased_person_is_not_imported_again(tmp_path: Path, env: PeopleEnvironment) -> None:
    folder = tmp_path / "faces"
    (folder / "Alice").mkdir(parents=True)
    (folder / "Alice" / "1.jpg").write_text("a")
    env.registry.enrol("Alice", [sample("a", ALICE)], REST_CALLER)
    env.registry.erase("alice", REST_CALLER)
    described: list[bytes] = []

    def describe(picture: bytes) -> FoundFace:
        described.append(picture)
        return FoundFace(BOX, ALICE, chips=b"")

    rules = replace(make_rules(tmp_path), folder=FolderRules(folder, rescan_s=0.01, max_bytes=10_000))
    watcher = build_services(tmp_path, env.store, rules, DescribeFunctions(describe)).folder
    watcher.start()
    wait_for(lambda: watcher.progress.finished)
    watcher.stop()
    assert (entries(env), described) == ({}, [])
    assert "a removed picture is not enrolled" in watcher.progress.skipped[0]


def test_removal_of_an_unknown_id_is_refused(env: PeopleEnvironment) -> None:
    enrol(env, "Alice")
    env.store.backups.make()
    for refused in (env.registry.remove, env.registry.erase):
        with pytest.raises(UnknownPerson):
            refused("bob", REST_CALLER)
    assert entries(env) == {"alice": 1}


@pytest.mark.parametrize(
    ("keep", "chips", "pictures"), [("nothing", False, False), ("chips", True, False), ("pictures", True, True)]
)
def test_stored_parts_of_a_picture_follow_the_setting(tmp_path: Path, keep: Keep, chips: bool, pictures: bool) -> None:
    with open_environment(tmp_path, keep=keep) as env:
        env.registry.enrol("Alice", [sample("a whole picture", ALICE)], REST_CALLER)
        env.registry.add_counter_examples("alice", [sample("another picture", BOB)], REST_CALLER)
        for each in ("a whole picture", "another picture"):
            assert env.store.faces.read_chips(digest_of(each)) == (chips_of(each) if chips else None)
        (person,) = env.store.archive.export_people()
        originals = [b"a whole picture", b"another picture"] if pictures else [None, None]
        assert [each.original for each in person.pictures] == originals
    assert bool(files_with(tmp_path, b"chips of")) == chips
    assert bool(files_with(tmp_path, b"another picture")) == (chips or pictures)
    with open_environment(tmp_path) as again:
        assert again.who(ALICE) == "alice"


def aged(data: Path, slug: str, days: float) -> None:
    """Set the time of the person's last picture to so many days ago."""
    with closing(sqlite3.connect(data / "people.sqlite")) as db, db:
        db.execute("UPDATE people SET changed = ? WHERE slug = ?", (time.time() - 86_400 * days, slug))


def test_person_without_a_new_picture_is_erased_after_keep_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "FIRST_EXPIRY_S", 0.01)
    with open_environment(tmp_path, keep_days=30) as env:
        enrol(env, "Alice", "a picture of her")
        enrol(env, "Bob")
        env.store.backups.make()
        aged(tmp_path, "alice", 31)
        aged(tmp_path, "bob", 29)
        with started(env.people.retention):
            wait_for(lambda: entries(env) == {"bob": 1})
            wait_for(lambda: env.who(near(ALICE, 0.95, 0)) is None)
        assert files_with(tmp_path, *traces("Alice", "a picture of her")) == set()
        assert [(line.door, line.action) for line in env.store.audit.read_lines(1)] == [("retention", "erase")]


def test_new_picture_delays_the_erasure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "FIRST_EXPIRY_S", 0.01)
    with open_environment(tmp_path, keep_days=30) as env:
        enrol(env, "Alice", "a")
        enrol(env, "Bob", "b")
        aged(tmp_path, "alice", 31)
        aged(tmp_path, "bob", 31)
        enrol(env, "Alice", "a", "c")
        with started(env.people.retention):
            wait_for(lambda: entries(env) == {"alice": 2})


def test_people_are_kept_without_keep_days(
    tmp_path: Path, env: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(env.people.retention._thread, "_first_s", 0.01)
    enrol(env, "Alice")
    aged(tmp_path, "alice", 10_000)
    with started(env.people.retention):
        time.sleep(0.2)
    assert entries(env) == {"alice": 1}


def test_new_name_does_not_delay_the_erasure(tmp_path: Path, env: PeopleEnvironment) -> None:
    enrol(env, "Alice")
    aged(tmp_path, "alice", 31)
    env.registry.rename("alice", "Alicia", REST_CALLER)
    assert env.store.people.list_unchanged_since(time.time() - 30 * 86_400) == ["alice"]


def test_people_of_another_recipe_are_not_searched(tmp_path: Path) -> None:
    with open_environment(tmp_path) as env:
        enrol(env, "Alice")
    with open_environment(tmp_path, recipe="other") as other:
        assert len(other.gallery) == 0
        other.store.faces.replace_descriptor(digest_of("Alice1"), "other", BOB)
        other.updater.refresh()
        assert other.who(BOB) == "alice"
    assert RECIPE != "other"


def test_stopping_what_never_started_is_nothing(env: PeopleEnvironment) -> None:
    env.people.watcher.stop()


def test_only_picture_of_a_person_cannot_become_a_counter_example(env: PeopleEnvironment) -> None:
    env.registry.enrol("Alice", [sample("a", ALICE)], REST_CALLER)
    with pytest.raises(Conflict, match="remove the person instead"):
        env.registry.add_counter_examples("alice", [sample("a", ALICE)], REST_CALLER)
    assert env.who(ALICE) == "alice"


def test_removed_person_is_still_erased_from_backups(env: PeopleEnvironment) -> None:
    env.registry.enrol("Alice", [sample("a", ALICE)], REST_CALLER)
    env.store.backups.make()
    env.store.backups.make(env.data / "backups" / "mine.db")
    (env.data / "backups" / "half.sqlite.new").write_bytes(b"Alice")
    env.registry.remove("alice", REST_CALLER)
    env.registry.erase("alice", REST_CALLER)
    assert not [path for path in env.data.rglob("*") if path.is_file() and b"Alice" in path.read_bytes()]
    with pytest.raises(UnknownPerson):
        env.registry.erase("alice", REST_CALLER)


def test_busy_backup_prevents_the_erasure(env: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.sqlite.backup_files.LOCK_TIMEOUT_S", 0.1)
    env.registry.enrol("Alice", [sample("a", ALICE)], REST_CALLER)
    backup = env.store.backups.make()
    with closing(sqlite3.connect(backup)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(GatewayError, match="try again"):
            env.registry.erase("alice", REST_CALLER)
    assert env.who(ALICE) == "alice"
    env.registry.erase("alice", REST_CALLER)
    assert env.who(ALICE) is None


def test_erasure_removes_similar_counter_examples(env: PeopleEnvironment) -> None:
    env.registry.enrol("Alice", [sample("a", ALICE)], REST_CALLER)
    env.registry.enrol("Bob", [sample("b", BOB)], REST_CALLER)
    env.registry.add_counter_examples("bob", [sample("alice again", near(ALICE, 0.9))], REST_CALLER)
    env.registry.erase("alice", REST_CALLER)
    assert [picture.counter for picture in env.store.people.read_entry("bob").pictures] == [False]


def test_person_is_recognised_while_being_changed(env: PeopleEnvironment) -> None:
    env.registry.enrol("Alice", [sample("a", ALICE)], REST_CALLER)
    missed, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            missed.append(env.who(ALICE) != "alice")

    thread = threading.Thread(target=look)
    thread.start()
    n = 0
    try:
        while thread.is_alive() and (n < 100 or len(missed) <= 10):
            env.registry.rename("alice", f"Alice {n}", REST_CALLER)
            n += 1
    finally:
        done.set()
        thread.join()
    assert len(missed) > 10
    assert not any(missed)
