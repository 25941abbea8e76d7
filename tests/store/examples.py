"""Pictures and people for the tests of stores."""

from __future__ import annotations

from gateway.model import Descriptor, Person
from gateway.model.caller import REST_CALLER
from gateway.model.recipes import recogniser_recipe
from gateway.store.protocols import Store
from gateway.store.records import PersonEntry, Picture, StoredFace
from tests.examples import descriptor

RECIPE = "dlib"
RECIPE_64 = recogniser_recipe(32 * "0", 64)
CHIPS = b"\xff\xd8 an aligned face"


def picture(
    digest: str = "d1",
    found: Descriptor | None = None,
    recipe: str = RECIPE,
    chips: bytes | None = CHIPS,
    *,
    source: str = "rest",
    counter: bool = False,
) -> Picture:
    face = StoredFace(descriptor(1) if found is None else found, chips)
    return Picture(digest, source, recipe, face, None, counter)


def enrol(store: Store, name: str, *pictures: Picture) -> PersonEntry:
    return store.people.enrol(store.people.find_person(name) or name, pictures or [picture()], REST_CALLER)


def people(store: Store, recipe: str = RECIPE) -> list[Person]:
    """Return the people with descriptors of a recipe, by slug."""
    return sorted(store.faces.changes(0, recipe).snapshot.people, key=lambda person: person.slug)


def stored_face(store: Store, digest: str = "d1", recipe: str = RECIPE) -> StoredFace:
    face = store.faces.find_face(digest, recipe)
    assert face is not None
    return face


def slug_of(store: Store, name: str) -> str:
    person = store.people.find_person(name)
    assert person is not None
    return person.slug
