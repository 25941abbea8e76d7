from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.model.caller import REST_CALLER
from gateway.people.recogniser_switch import check_recogniser_switch
from gateway.store.records import Picture, StoredFace
from tests.examples import descriptor
from tests.people.environment import RECIPE, PeopleEnvironment, digest_of, open_environment
from tests.store.examples import RECIPE_64


@pytest.fixture
def env(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    with open_environment(tmp_path) as env:
        yield env


def enrol(
    env: PeopleEnvironment, name: str, *, chips: bytes | None, source: str = "rest", counter: bool = False
) -> None:
    picture = Picture(
        digest_of(f"{name}{source}{counter}"), source, RECIPE, StoredFace(descriptor(1), chips), None, counter
    )
    env.store.people.enrol(env.store.people.find_person(name) or name, [picture], REST_CALLER)


def check(env: PeopleEnvironment, recipe: str = RECIPE_64) -> None:
    check_recogniser_switch(env.store.faces, recipe, env.data / "known_faces")


def test_people_without_chips_are_named(env: PeopleEnvironment) -> None:
    enrol(env, "Alice", chips=b"chips")
    enrol(env, "Bob", chips=None)
    enrol(env, "Carol", chips=None, source="known_faces/Carol/1.jpg")
    # The chips of a counter-example show somebody else.
    enrol(env, "Bob", chips=b"chips", counter=True)
    before = env.data.joinpath("people.sqlite").read_bytes()
    with pytest.raises(StartError, match=r"2 enrolled people .*: Bob, Carol\. Add a picture .* Nothing was deleted"):
        check(env)
    assert env.data.joinpath("people.sqlite").read_bytes() == before
    check(env, RECIPE)


def test_person_whose_picture_is_in_the_folder_is_described_from_there(env: PeopleEnvironment) -> None:
    enrol(env, "Carol", chips=None, source="known_faces/Carol/1.jpg")
    file = env.data / "known_faces" / "Carol" / "1.jpg"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"a picture")
    check(env)


def test_one_picture_with_chips_is_enough(env: PeopleEnvironment) -> None:
    enrol(env, "Alice", chips=None)
    enrol(env, "Alice", chips=b"chips", source="mqtt:door")
    check(env)


def test_change_between_engines_of_dlib_s_network_is_not_refused(env: PeopleEnvironment) -> None:
    enrol(env, "Bob", chips=None)
    check(env, "another recipe of dlib")


def test_many_people_are_counted(env: PeopleEnvironment) -> None:
    for n in range(30):
        enrol(env, f"Person {n:02}", chips=None)
    with pytest.raises(StartError, match=r"30 enrolled people .*Person 00, .*Person 19 and 10 more\."):
        check(env)
