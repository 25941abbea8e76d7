from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import BadImage, Busy, GatewayError, MultipleFaces, NoFace, Timeout
from gateway.model import Descriptor, FoundFace
from gateway.people.folder import files as folder_files
from gateway.people.folder import importer as known_faces
from gateway.people.folder.files import FileStamp, read_bounded
from gateway.people.folder.importer import KnownFaces, Progress
from gateway.people.folder.losses import waiting_removals
from gateway.people.gallery import Gallery
from gateway.people.registry import Registry
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import Picture, StoredFace
from gateway.store.removal_guard import confirm_removal
from gateway.store.sqlite.backups import Backups
from gateway.store.sqlite.people import SqliteStore
from gateway.workers.crash_guard import FORGET_S, CrashGuard
from tests.examples import BOX, QUALITY, descriptor
from tests.people.known import DECISION, RECIPE, chips_of, digest_of, sitting
from tests.support import wait_for

Describe = Callable[[bytes], FoundFace]


def descriptor_of(data: bytes) -> Descriptor:
    """Other bytes, other face."""
    return descriptor(int.from_bytes(hashlib.sha256(data).digest()[:4], "big"))


def face_of(picture: bytes) -> FoundFace:
    """Stands for vision."""
    return FoundFace(BOX, descriptor_of(picture), chips=chips_of(picture.decode()))


def face_again(chips: bytes) -> FoundFace:
    """The same from chips: another descriptor than that of the picture, as of another recipe."""
    return FoundFace(BOX, descriptor_of(chips), chips=chips)


class Eyes:
    """Stands for vision, notes what it saw, and fails on some pictures, once for each error."""

    def __init__(self, **errors: list[Exception]) -> None:
        self.saw: list[str] = []
        self._errors = errors

    def __call__(self, picture: bytes) -> FoundFace:
        self.saw.append(picture.decode())
        if errors := self._errors.get(picture.decode()):
            raise errors.pop(0)
        return face_of(picture)

    def again(self, chips: bytes) -> FoundFace:
        """Of chips it notes and fails on the picture that they are of."""
        self(chips.removeprefix(chips_of("")))
        return face_again(chips)


class House:
    """A folder of known faces, and the store and the gallery that they are imported into."""

    def __init__(self, folder: Path, store: SqliteStore) -> None:
        self.folder = folder
        self.store = store
        self.opened(RECIPE)

    def opened(self, recipe: str) -> Registry:
        """As at a start: with the store as it is."""
        self.gallery = Gallery()
        backups = Backups(self.folder.with_name("backups"))
        self.registry = Registry(self.store, self.gallery, DECISION, backups, recipe=recipe)
        return self.registry

    def put(self, path: str, picture: str) -> None:
        """In one step: a scan of the folder never finds half of it."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        new = (self.folder / path).with_name(".new")
        new.write_text(picture)
        new.replace(self.folder / path)

    def known_faces(
        self, describe: Describe, recipe: str = RECIPE, describe_again: Describe = face_again
    ) -> KnownFaces:
        return KnownFaces(self.folder, self.opened(recipe), describe, describe_again, rescan_s=0.01, max_bytes=10_000)

    @contextmanager
    def watched(
        self, describe: Describe = face_of, recipe: str = RECIPE, describe_again: Describe = face_again
    ) -> Iterator[KnownFaces]:
        """Once the first import is done."""
        faces = self.known_faces(describe, recipe, describe_again)
        faces.start()
        try:
            wait_for(lambda: faces.progress.finished)
            yield faces
        finally:
            faces.stop()

    def imported(
        self, describe: Describe = face_of, recipe: str = RECIPE, describe_again: Describe = face_again
    ) -> Progress:
        with self.watched(describe, recipe, describe_again) as faces:
            return faces.progress

    def similarity(self, slug: str, found: Descriptor) -> float:
        """To the mean of their pictures."""
        return self.gallery.of(slug, found).similarity

    @property
    def people(self) -> list[str]:
        """Who is found by searches."""
        return sorted(self.gallery.person(slug).name for slug in list(self.gallery._row_of))

    @property
    def pictures(self) -> int:
        """By which they are."""
        return sum(self.gallery.of(slug, descriptor(1)).pictures for slug in list(self.gallery._row_of))

    @property
    def stored(self) -> list[str]:
        """By whichever recipe."""
        return sorted(entry.person.name for entry in self.store.entries())

    @property
    def sources(self) -> list[str]:
        return sorted(picture.source for entry in self.store.entries() for picture in entry.pictures)

    def confirm(self) -> None:
        """As ``facegate people confirm-removal`` does."""
        confirm_removal(self.store, waiting_removals(self.store, self.folder))

    def chips(self, picture: str, recipe: str = RECIPE) -> bytes | None:
        """That were kept of it."""
        face = self.store.described(digest_of(picture), recipe)
        assert face is not None
        return face.chips


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Alice and Bob live here, with two pictures and one."""
    with closing(SqliteStore(tmp_path / "people.sqlite")) as store:
        house = House(tmp_path / "known_faces", store)
        house.put("Alice/1.jpg", "alice1")
        house.put("Alice/2.png", "alice2")
        house.put("Bob_the_Builder/1.jpg", "bob1")
        yield house


def test_everybody_in_the_folder_becomes_known(house: House) -> None:
    progress = house.imported()
    assert house.people == house.stored == ["Alice", "Bob the Builder"]
    assert house.pictures == 3
    assert house.sources == ["known_faces/Alice/1.jpg", "known_faces/Alice/2.png", "known_faces/Bob_the_Builder/1.jpg"]
    assert progress == Progress(done=3, of=3, people=2, skipped=(), finished=True)


def test_the_descriptor_is_that_of_the_picture(house: House) -> None:
    house.imported()
    assert house.similarity("bob_the_builder", descriptor_of(b"bob1")) == pytest.approx(1)


def test_the_chips_of_each_picture_are_kept(house: House) -> None:
    house.imported()
    assert [house.chips(picture) for picture in ("alice1", "alice2", "bob1")] == [
        chips_of(picture) for picture in ("alice1", "alice2", "bob1")
    ]


@pytest.mark.parametrize("folder", ["Grace_Hopper", "Grace__Hopper_", "Grace Hopper"])
def test_a_person_s_name_is_the_folder_s_with_spaces(house: House, folder: str) -> None:
    house.put(f"{folder}/1.jpg", "grace1")
    house.imported()
    assert "Grace Hopper" in house.people


@pytest.mark.parametrize(
    "path", ["README.md", "Alice/notes.txt", "Alice/.hidden.jpg", "Alice/@eaDir/1.jpg/S.jpg", "Alice/.DS_Store"]
)
def test_what_is_no_picture_of_a_person_is_left_alone(house: House, path: str) -> None:
    house.put(path, "something")
    assert house.imported().of == 3


def test_a_picture_beside_the_folders_is_reported(house: House) -> None:
    house.put("stray.jpg", "stray")
    assert house.imported().skipped == ("known_faces/stray.jpg: put it into a folder named after the person",)


def test_who_is_gone_is_forgotten_before_the_rest_is_read(house: House) -> None:
    house.imported()
    shutil.rmtree(house.folder / "Alice")
    house.put("Bob_the_Builder/2.jpg", "bob2")
    seen_by_then: list[list[str]] = []

    def describe(picture: bytes) -> FoundFace:
        seen_by_then.append(house.people)
        return face_of(picture)

    house.imported(describe)
    assert seen_by_then == [["Bob the Builder"]]


@pytest.mark.parametrize("name", ["3.JPG", "3.jpeg", "3.webp"])
def test_pictures_are_known_by_their_suffix(house: House, name: str) -> None:
    house.put(f"Alice/{name}", "alice3")
    assert house.imported().of == 4


def test_a_picture_is_described_once_for_its_bytes(house: House) -> None:
    house.imported()
    house.put("Bob_the_Builder/2.jpg", "bob2")
    house.put("Robert/1.jpg", "bob1")
    eyes = Eyes()
    house.imported(eyes)
    assert eyes.saw == ["bob2"]
    assert house.people == ["Alice", "Bob the Builder", "Robert"]


EVERYBODY = ["alice1", "alice2", "bob1"]


def test_with_another_recipe_everybody_is_described_anew_from_chips(house: House) -> None:
    house.imported()
    eyes, eyes_again = Eyes(), Eyes()
    house.imported(eyes, "other", eyes_again.again)
    assert (eyes.saw, sorted(eyes_again.saw)) == ([], EVERYBODY)
    assert (house.people, house.pictures) == (["Alice", "Bob the Builder"], 3)
    assert house.similarity("bob_the_builder", descriptor_of(chips_of("bob1"))) == pytest.approx(1)


def test_with_another_recipe_everybody_is_known_without_the_folder(house: House) -> None:
    house.imported()
    shutil.rmtree(house.folder)
    eyes = Eyes()
    assert house.imported(eyes, "other") == Progress(people=2, finished=True)
    assert (house.people, house.pictures, eyes.saw) == (["Alice", "Bob the Builder"], 3, [])


def test_nobody_is_compared_by_a_descriptor_of_another_recipe(house: House) -> None:
    """While they are made anew, those who are done are known and the others are not."""
    house.imported()
    shutil.rmtree(house.folder)
    found: list[tuple[int, bool]] = []
    done: list[bytes] = []

    def again(chips: bytes) -> FoundFace:
        assert house.pictures <= len(done)
        found.append((house.pictures, faces.progress.finished))
        done.append(chips)
        return face_again(chips)

    faces = house.known_faces(face_of, "other", again)
    assert house.people == []
    faces.start()
    wait_for(lambda: faces.progress.finished)
    faces.stop()
    assert (found[0], [finished for _, finished in found]) == ((0, False), [False] * 3)
    for person, picture, alike in [("alice", "alice1", 0.6), ("alice", "alice2", 0.6), ("bob_the_builder", "bob1", 1)]:
        assert house.similarity(person, descriptor_of(picture.encode())) < 0.5
        assert house.similarity(person, descriptor_of(chips_of(picture))) > alike - 1e-5


def test_one_that_cannot_be_described_anew_is_logged_and_the_rest_are(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.imported()
    shutil.rmtree(house.folder)
    eyes = Eyes(bob1=[BadImage("the chips that were kept of a face are damaged")])
    house.imported(recipe="other", describe_again=eyes.again)
    assert sorted(eyes.saw) == EVERYBODY
    assert (house.people, house.pictures) == (["Alice"], 2)
    assert house.stored == ["Alice", "Bob the Builder"]
    assert (
        f"{digest_of('bob1')[:16]} cannot be made again: the chips that were kept of a face are damaged" in caplog.text
    )


def test_one_whose_chips_fail_is_described_from_the_picture(house: House) -> None:
    house.imported()
    eyes, eyes_again = Eyes(), Eyes(bob1=[Timeout("slow")])
    assert house.imported(eyes, "other", eyes_again.again).skipped == ()
    assert eyes.saw == ["bob1"]
    assert (house.people, house.pictures) == (["Alice", "Bob the Builder"], 3)


def test_one_that_could_not_be_described_anew_is_tried_at_the_next_start(house: House) -> None:
    house.imported()
    shutil.rmtree(house.folder)
    eyes = Eyes(bob1=[Timeout("slow")])
    house.imported(recipe="other", describe_again=eyes.again)
    house.imported(recipe="other", describe_again=eyes.again)
    assert (eyes.saw.count("bob1"), eyes.saw.count("alice1")) == (2, 1)
    assert house.people == ["Alice", "Bob the Builder"]


def test_with_the_first_recipe_again_everybody_is_known_as_before(house: House) -> None:
    house.imported()
    shutil.rmtree(house.folder)
    house.imported(recipe="other")
    house.imported()
    assert (house.people, house.pictures) == (["Alice", "Bob the Builder"], 3)
    assert house.chips("alice1") == chips_of("alice1")


def test_with_the_same_recipe_nothing_is_described_anew(house: House) -> None:
    house.imported()
    eyes = Eyes()
    house.imported(eyes, describe_again=eyes.again)
    assert eyes.saw == []


@pytest.fixture
def without_chips(house: House) -> House:
    """As a store of version 1 leaves it."""
    for picture, name, source in [("alice1", "Alice", "Alice/1.jpg"), ("bob1", "Bob the Builder", "Bob/1.jpg")]:
        found = StoredFace(descriptor_of(picture.encode()), None)
        kept = Picture(digest_of(picture), f"known_faces/{source}", "before", found)
        house.store.enrol_from_folder(name, kept)
    return house


def test_who_has_no_chips_is_described_from_the_picture_and_has_some_from_then_on(without_chips: House) -> None:
    eyes, eyes_again = Eyes(), Eyes()
    without_chips.imported(eyes, describe_again=eyes_again.again)
    assert (sorted(eyes.saw), eyes_again.saw) == (EVERYBODY, [])
    assert without_chips.chips("alice1") == chips_of("alice1")
    assert without_chips.people == without_chips.stored == ["Alice", "Bob the Builder"]


def test_who_has_no_chips_waits_for_the_folder_and_is_not_forgotten(without_chips: House) -> None:
    away = without_chips.folder.rename(without_chips.folder.with_name("away"))
    with without_chips.watched():
        assert (without_chips.people, without_chips.stored) == ([], ["Alice", "Bob the Builder"])
        away.rename(without_chips.folder)
        wait_for(lambda: without_chips.people == ["Alice", "Bob the Builder"])


def test_whom_we_knew_before_is_known_before_the_import_is_done(house: House) -> None:
    house.imported()
    house.put("Carol/1.jpg", "carol1")
    asked, answer = threading.Event(), threading.Event()

    def describe(picture: bytes) -> FoundFace:
        asked.set()
        answer.wait()
        return face_of(picture)

    faces = house.known_faces(describe)
    faces.start()
    try:
        assert asked.wait(20)
        assert (house.people, faces.progress.finished) == (["Alice", "Bob the Builder"], False)
    finally:
        answer.set()
        faces.stop()


def test_a_new_person_is_noticed(house: House) -> None:
    with house.watched():
        house.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in house.people)


def test_a_changed_picture_is_described_anew(house: House) -> None:
    with house.watched():
        house.put("Bob_the_Builder/1.jpg", "bob in another light")
        changed = descriptor_of(b"bob in another light")
        wait_for(lambda: house.similarity("bob_the_builder", changed) > 0.99)
        assert house.pictures == 3
        assert house.chips("bob in another light") == chips_of("bob in another light")


def test_a_removed_picture_is_forgotten(house: House) -> None:
    with house.watched():
        (house.folder / "Alice/1.jpg").unlink()
        wait_for(lambda: house.pictures == 2)
        assert house.people == ["Alice", "Bob the Builder"]


def test_a_removed_person_is_forgotten(house: House) -> None:
    with house.watched():
        shutil.rmtree(house.folder / "Bob_the_Builder")
        wait_for(lambda: house.people == house.stored == ["Alice"])


def test_a_renamed_folder_is_another_person_without_another_look(house: House) -> None:
    eyes = Eyes()
    house.imported(eyes)
    (house.folder / "Alice").rename(house.folder / "Alicia")
    house.imported(eyes)
    assert house.people == ["Alicia", "Bob the Builder"]
    assert len(eyes.saw) == 3
    assert house.chips("alice1") == chips_of("alice1")


def test_a_missing_folder_keeps_everybody(house: House) -> None:
    house.imported()
    shutil.rmtree(house.folder)
    progress = house.imported()
    assert house.people == house.stored == ["Alice", "Bob the Builder"]
    assert progress == Progress(people=2, finished=True)


def test_a_folder_that_appears_later_is_imported(house: House) -> None:
    away = house.folder.rename(house.folder.with_name("away"))
    with house.watched():
        assert house.people == []
        away.rename(house.folder)
        wait_for(lambda: house.people == ["Alice", "Bob the Builder"])


def test_an_empty_folder_is_nobody(house: House) -> None:
    shutil.rmtree(house.folder)
    house.folder.mkdir()
    assert house.imported() == Progress(finished=True)
    assert house.people == []


@pytest.mark.parametrize("error", [NoFace("there is no face"), MultipleFaces("there are 2 faces")])
def test_a_picture_without_exactly_one_face_is_skipped_by_name(house: House, error: Exception) -> None:
    progress = house.imported(Eyes(alice2=[error]))
    assert progress == Progress(done=3, of=3, people=2, skipped=(f"known_faces/Alice/2.png: {error}",), finished=True)
    assert house.pictures == 2


def test_a_person_without_a_usable_picture_is_not_known(house: House) -> None:
    house.imported(Eyes(bob1=[NoFace("there is no face")]))
    assert house.people == house.stored == ["Alice"]


def test_what_failed_through_no_fault_of_the_picture_is_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_faces, "AGAIN_S", 0.01)
    with house.watched(Eyes(bob1=[GatewayError("a worker died"), Timeout("slow")])) as faces:
        wait_for(lambda: faces.progress.people == 2)
        assert faces.progress.skipped == ()


def test_who_was_known_stays_known_when_a_picture_fails_for_once(house: House) -> None:
    house.imported()
    eyes = Eyes(bob1=[Timeout("slow")] * 9)
    with house.watched(eyes, "other", eyes.again):
        assert eyes.saw.count("bob1") >= 2  # from the chips, from the picture, and again
        assert house.stored == ["Alice", "Bob the Builder"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are always text")
def test_a_folder_whose_name_is_no_text_is_skipped_and_costs_nobody_else(house: House) -> None:
    folder = os.path.join(os.fsencode(house.folder), b"Jos\xe9")  # noqa: PTH118  # pathlib takes no bytes
    os.mkdir(folder)  # noqa: PTH102
    with open(os.path.join(folder, b"1.jpg"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"jose1")
    progress = house.imported()
    assert house.people == ["Alice", "Bob the Builder"]
    assert len(progress.skipped) == 1


def test_busy_workers_are_asked_again(house: House) -> None:
    eyes = Eyes(bob1=[Busy("full", 0), Busy("full", 0)])
    assert house.imported(eyes).skipped == ()
    assert eyes.saw.count("bob1") == 3
    assert house.people == ["Alice", "Bob the Builder"]


def test_busy_workers_are_asked_again_for_who_is_described_anew(house: House) -> None:
    house.imported()
    eyes = Eyes(bob1=[Busy("full", 0), Busy("full", 0)])
    house.imported(recipe="other", describe_again=eyes.again)
    assert eyes.saw.count("bob1") == 3
    assert house.people == ["Alice", "Bob the Builder"]


def test_stopping_while_somebody_is_described_anew_forgets_nobody(house: House) -> None:
    house.imported()
    eyes = Eyes(alice1=[Busy("the gateway is going down", 3600)])
    faces = house.known_faces(face_of, "other", eyes.again)
    faces.start()
    wait_for(lambda: "alice1" in eyes.saw)
    faces.stop()
    assert not faces.progress.finished
    assert house.stored == ["Alice", "Bob the Builder"]
    house.imported(recipe="other")
    assert house.people == ["Alice", "Bob the Builder"]


def test_describing_anew_that_is_cancelled_ends_in_order(house: House) -> None:
    """The workers cancel what they have when the gateway goes down."""
    house.imported()
    eyes = Eyes(alice1=[CancelledError()])
    faces = house.known_faces(face_of, "other", eyes.again)
    faces.start()
    wait_for(lambda: not faces._thread.is_alive())
    assert (eyes.saw[-1], faces.progress.finished) == ("alice1", False)
    assert house.stored == ["Alice", "Bob the Builder"]


def test_stopping_while_the_workers_are_busy_forgets_nobody(house: House) -> None:
    house.imported()
    house.put("Bob_the_Builder/2.jpg", "bob2")
    eyes = Eyes(bob2=[Busy("the gateway is going down", 3600)])
    faces = house.known_faces(eyes)
    faces.start()
    wait_for(lambda: eyes.saw == ["bob2"])
    faces.stop()
    assert (eyes.saw, faces.progress.finished) == (["bob2"], False)
    assert house.people == house.stored == ["Alice", "Bob the Builder"]


def test_a_look_that_is_cancelled_ends_the_import_and_forgets_nobody(house: House) -> None:
    """The workers cancel what they have when the gateway goes down."""
    house.imported()
    house.put("Bob_the_Builder/2.jpg", "bob2")
    eyes = Eyes(bob2=[CancelledError()])
    faces = house.known_faces(eyes)
    faces.start()
    wait_for(lambda: not faces._thread.is_alive())
    assert (eyes.saw, faces.progress.finished) == (["bob2"], False)
    assert house.people == house.stored == ["Alice", "Bob the Builder"]


def test_stopping_what_never_started_is_nothing(house: House) -> None:
    house.known_faces(face_of).stop()


class FullDisk(SqliteStore):
    full = False
    refused = 0

    def enrol_from_folder(self, folder: str, picture: Picture, *, replaces: str | None = None) -> None:
        self._room()
        super().enrol_from_folder(folder, picture, replaces=replaces)

    def renew(self, digest: str, recipe: str, descriptor: Descriptor) -> None:
        self._room()
        super().renew(digest, recipe, descriptor)

    def _room(self) -> None:
        if self.full:
            self.refused += 1
            raise GatewayError("the people store: database or disk is full")


def test_a_full_disk_forgets_nobody_and_is_tried_again(
    tmp_path: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_faces, "AGAIN_S", 0.01)
    with closing(FullDisk(tmp_path / "full.sqlite")) as store:
        house.store = store
        with house.watched():
            store.full = True
            house.put("Carol/1.jpg", "carol1")
            wait_for(lambda: store.refused >= 2)
            assert house.people == ["Alice", "Bob the Builder"]
            store.full = False
            wait_for(lambda: house.people == ["Alice", "Bob the Builder", "Carol"])


def test_a_full_disk_keeps_nobody_unknown_once_there_is_room(tmp_path: Path, house: House) -> None:
    """Also where everybody has to be described anew."""
    with closing(FullDisk(tmp_path / "full.sqlite")) as store:
        house.store = store
        house.imported()
        store.full = True
        faces = house.known_faces(face_of, "other")
        faces.start()
        try:
            wait_for(lambda: store.refused >= 2)
            assert house.stored == ["Alice", "Bob the Builder"]
            store.full = False
            wait_for(lambda: house.people == ["Alice", "Bob the Builder"])
        finally:
            faces.stop()


def test_who_was_enrolled_by_another_way_stays_without_the_folder(house: House) -> None:
    house.imported()
    house.registry.enrol("Carol", [sitting("carol1", descriptor(3))], "rest")
    house.registry.enrol("Alice", [sitting("alice9", descriptor(4))], "rest")
    shutil.rmtree(house.folder)
    house.folder.mkdir()
    house.confirm()
    house.imported()
    assert house.people == house.stored == ["Alice", "Carol"]
    assert house.sources == ["rest", "rest"]


def test_a_picture_that_was_removed_does_not_come_back_from_the_folder(house: House) -> None:
    house.imported()
    house.registry.remove_picture("alice", digest_of("alice1")[:16], "rest")
    eyes = Eyes()
    progress = house.imported(eyes)
    assert eyes.saw == []
    assert progress.skipped == (
        "known_faces/Alice/1.jpg: it was removed: enrol it by another way if it is to come back",
    )
    assert (house.people, house.pictures) == (["Alice", "Bob the Builder"], 2)


@pytest.mark.parametrize("erase", [False, True])
def test_a_person_who_was_removed_does_not_come_back_from_the_folder(house: House, erase: bool) -> None:
    house.imported()
    (house.registry.erase if erase else house.registry.remove)("alice", "rest")
    assert house.imported().skipped == (
        "2 files of people who were removed are not used: it was removed: enrol it by another way if it is to come"
        " back",
    )
    assert house.people == house.stored == ["Bob the Builder"]


def test_a_removed_picture_comes_back_when_it_is_enrolled_by_another_way(house: House) -> None:
    house.imported()
    house.registry.remove("bob_the_builder", "rest")
    house.registry.enrol("Bob the Builder", [sitting("bob1", descriptor_of(b"bob1"))], "rest")
    assert house.imported().skipped == ()
    assert house.people == ["Alice", "Bob the Builder"]


def test_a_new_picture_in_the_folder_of_somebody_renamed_is_theirs(house: House) -> None:
    house.imported()
    house.registry.rename("bob_the_builder", "Robert", "rest")
    house.put("Bob_the_Builder/2.jpg", "bob2")
    house.imported()
    assert (house.people, house.pictures) == (["Alice", "Robert"], 4)


def test_a_renamed_person_keeps_the_new_name_when_the_only_picture_is_moved(house: House) -> None:
    house.imported()
    house.registry.rename("bob_the_builder", "Robert", "rest")
    (house.folder / "Bob_the_Builder/1.jpg").rename(house.folder / "Bob_the_Builder/one.jpg")
    house.imported()
    assert house.people == ["Alice", "Robert"]


def test_who_was_known_stays_known_while_the_changed_picture_cannot_be_described(house: House) -> None:
    house.imported()
    house.put("Bob_the_Builder/1.jpg", "bob9")
    progress = house.imported(Eyes(bob9=[Timeout("slow")] * 9))
    assert progress.skipped == ("known_faces/Bob_the_Builder/1.jpg: slow",)
    assert house.stored == ["Alice", "Bob the Builder"]


def test_a_picture_that_was_changed_into_a_useless_one_is_forgotten(house: House) -> None:
    house.imported()
    house.put("Bob_the_Builder/1.jpg", "bob9")
    house.imported(Eyes(bob9=[NoFace("there is no face")]))
    assert house.people == house.stored == ["Alice"]


def test_a_face_that_is_seen_too_badly_is_skipped_with_what_to_do(house: House) -> None:
    def describe(picture: bytes) -> FoundFace:
        quality = replace(QUALITY, sharpness=0.0) if picture == b"alice2" else QUALITY
        return replace(face_of(picture), quality=quality)

    assert house.imported(describe).skipped == (
        "known_faces/Alice/2.png: it is of no use, since the face is blurred "
        "(sharpness 0, at least 0.55 is needed): hold still, or use a sharper picture",
    )
    assert (house.people, house.pictures) == (["Alice", "Bob the Builder"], 2)


def test_a_removed_picture_is_forgotten_though_another_recipe_described_it(without_chips: House) -> None:
    """Of whom no chips are kept the old descriptor stays until the picture is read again, or is gone."""
    shutil.rmtree(without_chips.folder / "Bob_the_Builder")
    without_chips.imported()
    assert without_chips.stored == ["Alice"]


def test_two_copies_of_a_picture_are_one_picture_until_both_are_gone(house: House) -> None:
    house.put("Bob_the_Builder/copy.jpg", "bob1")
    house.imported()
    assert house.pictures == 3
    for path in ("Bob_the_Builder/1.jpg", "Bob_the_Builder/copy.jpg"):
        assert house.people == ["Alice", "Bob the Builder"]
        (house.folder / path).unlink()
        house.imported()
    assert house.people == ["Alice"]


def test_who_comes_from_an_archive_stays_whatever_is_in_the_folder(tmp_path: Path, house: House) -> None:
    """Also where they came from a folder of known faces on another machine."""
    house.imported()
    with closing(SqliteStore(tmp_path / "elsewhere.sqlite")) as store:
        there = House(tmp_path / "another_folder", store)
        there.folder.mkdir()
        there.registry.adopt(list(house.store.export("alice")), "rest")
        assert there.people == ["Alice"]
        there.imported()
        assert there.people == ["Alice"]


def test_a_registry_follows_an_import(house: House) -> None:
    """Also one that another process has."""
    other = Gallery()
    backups = Backups(house.folder.with_name("backups"))
    registry = Registry(house.store, other, DECISION, backups, recipe=RECIPE)
    house.imported()
    registry.follow()
    assert len(other) == 2


def reads(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of all files that are read from now on."""
    read: list[str] = []

    def count(path: str, max_bytes: int) -> tuple[bytes, FileStamp]:
        read.append(os.path.relpath(path, house.folder))
        return read_bounded(path, max_bytes)

    monkeypatch.setattr(folder_files, "read_bounded", count)
    return read


def test_one_more_picture_is_all_that_is_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: 60 pictures of 5 MB were read again for each new one."""
    read = reads(house, monkeypatch)
    with house.watched():
        assert len(read) == 3
        house.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in house.people)
    assert read[3:] == ["Carol/1.jpg"]


def test_nothing_is_read_again_at_a_restart(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.imported()
    read = reads(house, monkeypatch)
    house.put("Alice/2.png", "alice in another light")
    house.imported()
    house.imported()
    assert read == ["Alice/2.png"]
    assert house.similarity("alice", descriptor_of(b"alice in another light")) > 0.6


def test_a_touched_file_is_read_once_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.imported()
    read = reads(house, monkeypatch)
    os.utime(house.folder / "Alice/1.jpg", ns=(1, 1))
    house.imported()
    house.imported()
    assert read == ["Alice/1.jpg"]


def test_a_picture_that_cannot_be_used_is_described_once(house: House) -> None:
    """Regression: 30,000 useless files cost 36 s for each new one."""
    eyes = Eyes(bob1=[NoFace("there is no face in the picture")] * 9)
    with house.watched(eyes) as faces:
        house.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in house.people)
        wait_for(lambda: faces.progress.skipped)
        assert faces.progress.skipped == ("known_faces/Bob_the_Builder/1.jpg: there is no face in the picture",)
    assert eyes.saw.count("bob1") == 1


def test_a_picture_that_the_crash_guard_refuses_is_tried_again_after_its_hour(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: a good picture that met a busy machine was refused until the next restart."""
    monkeypatch.setattr(known_faces, "AGAIN_S", 0.01)
    moments, slow = [0.0], [True]
    guard = CrashGuard(10, lambda: moments[0])

    def describe(picture: bytes) -> FoundFace:
        guard.check([picture])
        if picture == b"bob1" and slow:
            guard.record_timeout(picture)
            raise Timeout("the picture took longer than 10 s")
        return face_of(picture)

    with house.watched(describe) as faces:
        wait_for(lambda: "refused for an hour" in "".join(faces.progress.skipped))
        slow.clear()
        moments[0] = FORGET_S + 1
        wait_for(lambda: "Bob the Builder" in house.people)
        wait_for(lambda: not faces.progress.skipped)


def test_what_is_skipped_is_logged_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.put("Alice/notes.txt", "text")
    with house.watched(Eyes(bob1=[NoFace("no face")] * 9)):
        house.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in house.people)
    assert caplog.text.count("notes.txt") == caplog.text.count("Bob_the_Builder/1.jpg: no face") == 1


def test_a_file_over_the_limit_is_skipped_with_the_reason(house: House) -> None:
    with (house.folder / "Alice/3.jpg").open("wb") as file:
        file.truncate(2_500_000_000)
    (skipped,) = house.imported().skipped
    assert skipped == "known_faces/Alice/3.jpg: it has 2500000000 bytes, more than limits.bytes (10000)"


def test_a_line_break_in_a_name_begins_no_line(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.put("Alice/x\nWARNING forged.jpg", "x")
    (skipped,) = house.imported(Eyes(x=[NoFace("no face")])).skipped
    assert skipped == "known_faces/Alice/x\\nWARNING forged.jpg: no face"
    assert not any(
        record.getMessage().startswith("WARNING") or "\n" in record.getMessage() for record in caplog.records
    )


def test_deeper_pictures_and_other_suffixes_are_the_person_s(house: House) -> None:
    house.put("Alice/2024/May/3.jfif", "alice3")
    house.imported()
    assert house.pictures == 4


def test_a_picture_that_there_is_no_room_for_is_not_described(tmp_path: Path, house: House) -> None:
    eyes = Eyes()
    with closing(SqliteStore(tmp_path / "small.sqlite", limits=PeopleLimits(people=1, pictures_per_person=1))) as store:
        house.store = store
        first, second = house.imported(eyes).skipped
        assert first.startswith("known_faces/Alice/2.png: Alice would have 2 pictures")
        assert second.startswith("known_faces/Bob_the_Builder/1.jpg: 2 people are more than the 1")
        assert eyes.saw == ["alice1"]
        house.put("Alice/1.jpg", "alice in another light")
        house.imported()
        assert house.similarity("alice", descriptor_of(b"alice in another light")) > 0.99


def test_a_copy_of_a_picture_is_enrolled_once(house: House) -> None:
    """Regression: each import added it again, with a line in the audit, and put off the end of people.keep_days."""
    house.put("Alice/copy.jpg", "alice1")
    house.imported()
    revision, lines = house.store.revision(), len(house.store.audit(99))
    house.put("Alice/notes.txt", "text")
    house.imported()
    assert (house.store.revision(), len(house.store.audit(99))) == (revision, lines)
    house.put("Alice/2.png", "alice1")
    house.imported()
    assert (house.people, house.pictures) == (["Alice", "Bob the Builder"], 2)


@pytest.mark.parametrize("moved_to", ["0.jpg", "3.jpg"])
def test_a_picture_that_makes_room_for_another_is_known_from_both_places(house: House, moved_to: str) -> None:
    house.imported()
    (house.folder / "Alice/1.jpg").rename(house.folder / "Alice" / moved_to)
    house.put("Alice/1.jpg", "alice in another light")
    house.imported()
    assert house.pictures == 4
    assert sorted(house.sources)[:3] == [f"known_faces/Alice/{n}" for n in sorted([moved_to, "1.jpg", "2.png"])]
