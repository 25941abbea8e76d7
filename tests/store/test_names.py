"""The names and slugs of people, for every store."""

from __future__ import annotations

import pytest

from gateway.errors import BadRequest, Conflict
from gateway.model import PERSON_ID, Person
from gateway.model.caller import REST_CALLER
from gateway.store.protocols import Store
from tests.store.conftest import OpenStore
from tests.store.examples import enrol, people, picture, slug_of


def test_name_keeps_its_slug(open_store: OpenStore) -> None:
    with open_store() as store:
        enrol(store, "José Núñez", picture("d1"))
        enrol(store, "Zoë", picture("d2"))
    with open_store() as store:
        enrol(store, "José Núñez", picture("d3"))
        enrol(store, "Zoë", picture("d4"))
        assert {(person.name, person.slug) for person in people(store)} == {
            ("José Núñez", "jose_nunez"),
            ("Zoë", "zoe"),
        }


def test_spellings_of_one_name_are_one_person(store: Store) -> None:
    """Regression: another case, accent or space created a second person, and then neither was recognised."""
    for n, name in enumerate(["Jo Bo", "jo bo", "Jó-Bő", "JO_BO", "\uff2a\uff4f\u3000\uff22\uff4f"]):
        store.people.enrol(name, [picture(f"d{n}")], REST_CALLER)
        store.folder_index.enrol_from_folder(name, picture(f"f{n}", source=f"known_faces/{n}/1.jpg"))
    (entry,) = store.people.list_entries()
    assert (entry.person, entry.picture_count) == (Person("jo_bo", "Jo Bo"), 10)


def test_different_names_with_one_slug_get_numbered_slugs(store: Store) -> None:
    names = ("Jo Bo", "Jo, Bo", "Jo. Bo", "Jo; Bo")
    for name in names:
        enrol(store, name)
    assert [slug_of(store, name) for name in names] == ["jo_bo", "jo_bo_2", "jo_bo_3", "jo_bo_4"]


@pytest.mark.parametrize("name", ["Export", "import", "EXPORT", "Éxport", "Nobody!"])
def test_nobody_gets_a_reserved_slug(store: Store, name: str) -> None:
    enrol(store, name)
    assert slug_of(store, name).endswith("_2")


NOBODY = ["Unknown", "unknown", "UNKNOWN", " Ünknown", "Unknown_Person", "nobody", "No-one", "None"]


@pytest.mark.parametrize("name", NOBODY)
def test_new_person_cannot_have_a_name_that_means_nobody(store: Store, name: str) -> None:
    enrol(store, "Alice")
    with pytest.raises(BadRequest, match="choose another name"):
        enrol(store, name)
    with pytest.raises(BadRequest, match="choose another name"):
        store.folder_index.enrol_from_folder(name, picture("d2", source="known_faces/Unknown/1.jpg"))
    with pytest.raises(BadRequest, match="choose another name"):
        store.people.rename("alice", name, REST_CALLER)
    assert people(store) == [Person("alice", "Alice")]


def test_name_in_another_spelling_is_refused_with_advice(store: Store) -> None:
    enrol(store, "Alice Smith")
    enrol(store, "Bob", picture("d2"))
    with pytest.raises(Conflict, match="facegate people merge bob alice_smith"):
        store.people.rename("bob", "alice_SMITH", REST_CALLER)
    assert store.people.rename("alice_smith", "ALICE SMITH", REST_CALLER).person.name == "ALICE SMITH"


def test_long_names_that_begin_alike_get_different_slugs(store: Store) -> None:
    for n in range(11):
        enrol(store, "a" * 100 + str(n))
    slugs = {person.slug for person in people(store)}
    assert len(slugs) == 11
    assert all(PERSON_ID.fullmatch(slug) for slug in slugs)


@pytest.mark.parametrize(
    "name",
    [
        "北京",
        "Жанна д'Арк",
        "مرحبا",
        "Ünï Çödé",
        "İstanbul",
        "½",
        "😀",
        "...",
        "../../etc/passwd",
        "<img src=x onerror=alert(1)>",
        "'; DROP TABLE people; --",
        "a\u202eb",
        "x" * 10_000,
    ],
)
def test_name_in_any_script_is_stored_unchanged_and_gets_a_slug(store: Store, name: str) -> None:
    enrol(store, name)
    (person,) = people(store)
    assert person.name == name
    assert PERSON_ID.fullmatch(person.slug)


def test_names_without_letters_get_different_slugs(store: Store) -> None:
    enrol(store, "😀")
    enrol(store, "🎈")
    assert slug_of(store, "😀") != slug_of(store, "🎈")


def test_name_of_another_person_is_refused(store: Store) -> None:
    enrol(store, "Alice")
    enrol(store, "Bob", picture("d2"))
    with pytest.raises(Conflict, match="merge"):
        store.people.rename("bob", "Alice", REST_CALLER)
    assert store.people.find_person("Bob") == Person("bob", "Bob")
    assert store.people.rename("bob", "Bob", REST_CALLER).person == Person("bob", "Bob")
