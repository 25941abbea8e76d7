"""A folder of known people, for tests of its import."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import UnknownPerson
from gateway.model import Descriptor, FoundFace
from gateway.model.health import ImportProgress
from gateway.people.folder.losses import waiting_removals
from gateway.people.folder.removal_guard import confirm_removal
from gateway.people.folder.watcher import FolderWatcher
from gateway.people.gallery import Gallery
from gateway.people.registry import Registry
from gateway.people.services import FolderRules, PeopleServices
from gateway.people.vision import EnrolmentVision, NoVision
from gateway.store.sqlite.store import SqliteStore
from tests.examples import BOX, descriptor
from tests.people.environment import RECIPE, build_services, chips_of, digest_of, make_rules
from tests.support import wait_for

Describe = Callable[[bytes], FoundFace]


def descriptor_of(data: bytes) -> Descriptor:
    """Return a descriptor that depends on the bytes of the picture."""
    return descriptor(int.from_bytes(hashlib.sha256(data).digest()[:4], "big"))


def face_of(picture: bytes) -> FoundFace:
    """Return the face of a picture, as vision does."""
    return FoundFace(BOX, descriptor_of(picture), chips=chips_of(picture.decode()))


def face_of_chips(chips: bytes) -> FoundFace:
    """Return the face of chips, with another descriptor than the picture has, as by another recipe."""
    return FoundFace(BOX, descriptor_of(chips), chips=chips)


class DescribeFunctions(NoVision):
    """Vision of two functions, for pictures and for chips."""

    def __init__(self, describe: Describe, describe_again: Describe = face_of_chips) -> None:
        self._describe = describe
        self._describe_again = describe_again

    def describe_picture(self, picture: bytes) -> FoundFace:
        return self._describe(picture)

    def describe_chips(self, chips: bytes) -> FoundFace:
        return self._describe_again(chips)


class FakeVision:
    """Stand-in for vision, which records its pictures, and raises each of the given errors once."""

    def __init__(self, **errors: list[Exception]) -> None:
        self.described: list[str] = []
        self._errors = errors

    def __call__(self, picture: bytes) -> FoundFace:
        self.described.append(picture.decode())
        if errors := self._errors.get(picture.decode()):
            raise errors.pop(0)
        return face_of(picture)

    def describe_chips(self, chips: bytes) -> FoundFace:
        """Describe chips. The picture of the chips is recorded, and its errors are raised."""
        self(chips.removeprefix(chips_of("")))
        return face_of_chips(chips)


class FolderEnvironment:
    """A folder of known people, with the store and the gallery for the import."""

    def __init__(self, folder: Path, store: SqliteStore) -> None:
        self.folder = folder
        self.store = store
        self.reopen(RECIPE)

    def reopen(self, recipe: str, vision: EnrolmentVision | None = None) -> PeopleServices:
        """Build the services as a start of the gateway does."""
        data = self.folder.parent
        folder = FolderRules(self.folder, rescan_s=0.01, max_bytes=10_000)
        self.services = build_services(
            data, self.store, replace(make_rules(data, recipe=recipe), folder=folder), vision
        )
        return self.services

    @property
    def gallery(self) -> Gallery:
        return self.services.gallery

    @property
    def registry(self) -> Registry:
        return self.services.registry

    def put(self, path: str, picture: str) -> None:
        """Write a picture in one step, so that a scan never finds half of a file."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        new = (self.folder / path).with_name(".new")
        new.write_text(picture)
        new.replace(self.folder / path)

    def make_watcher(
        self, describe: Describe, recipe: str = RECIPE, describe_again: Describe = face_of_chips
    ) -> FolderWatcher:
        return self.reopen(recipe, DescribeFunctions(describe, describe_again)).folder

    @contextmanager
    def watch_folder(
        self, describe: Describe = face_of, recipe: str = RECIPE, describe_again: Describe = face_of_chips
    ) -> Iterator[FolderWatcher]:
        """Watch the folder, and return after the first import."""
        watcher = self.make_watcher(describe, recipe, describe_again)
        watcher.start()
        try:
            wait_for(lambda: watcher.progress.finished)
            yield watcher
        finally:
            watcher.stop()

    def import_folder(
        self, describe: Describe = face_of, recipe: str = RECIPE, describe_again: Describe = face_of_chips
    ) -> ImportProgress:
        with self.watch_folder(describe, recipe, describe_again) as watcher:
            return watcher.progress

    def similarity(self, slug: str, found: Descriptor) -> float:
        """Return the similarity to the mean of a person's pictures."""
        return self.gallery.compare_person(slug, found).similarity

    @property
    def people(self) -> list[str]:
        """Names of the people whom searches find."""
        return sorted(person.name for person in self.gallery.people().values())

    @property
    def pictures(self) -> int:
        """Number of the pictures of these people."""
        found = 0
        for slug in self.gallery.people():
            # The watcher may remove a person meanwhile.
            with suppress(UnknownPerson):
                found += self.gallery.compare_person(slug, descriptor(1)).pictures
        return found

    @property
    def stored(self) -> list[str]:
        """Names of the people in the store, of any recipe."""
        return sorted(entry.person.name for entry in self.store.people.list_entries())

    @property
    def sources(self) -> list[str]:
        return sorted(picture.source for entry in self.store.people.list_entries() for picture in entry.pictures)

    def confirm(self) -> None:
        """Confirm the removal as ``facegate people confirm-removal`` does."""
        store = self.store
        confirm_removal(store.notes, waiting_removals(store.folder_index, store.notes, self.folder))

    def chips(self, picture: str, recipe: str = RECIPE) -> bytes | None:
        """Return the stored chips of a picture."""
        face = self.store.faces.find_face(digest_of(picture), recipe)
        assert face is not None
        return face.chips


@pytest.fixture
def env(tmp_path: Path) -> Iterator[FolderEnvironment]:
    """A folder with Alice, who has two pictures, and Bob, who has one."""
    with closing(SqliteStore(tmp_path / "people.sqlite")) as store:
        env = FolderEnvironment(tmp_path / "known_faces", store)
        env.put("Alice/1.jpg", "alice1")
        env.put("Alice/2.png", "alice2")
        env.put("Bob_the_Builder/1.jpg", "bob1")
        yield env
