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
from gateway.model.caller import REST_CALLER
from gateway.model.health import ImportProgress
from gateway.people.folder import files as folder_files
from gateway.people.folder import importer as known_faces
from gateway.people.folder.files import FileStamp, read_bounded
from gateway.people.folder.importer import FolderImporter
from gateway.people.folder.losses import waiting_removals
from gateway.people.gallery import Gallery
from gateway.people.registry import Registry
from gateway.store.limits import PeopleLimits
from gateway.store.records import Picture, StoredFace
from gateway.store.removal_guard import confirm_removal
from gateway.store.sqlite.backups import Backups
from gateway.store.sqlite.people import SqliteStore
from gateway.workers.crash_guard import STRIKE_LIFETIME_S, CrashGuard
from tests.examples import BOX, QUALITY, descriptor
from tests.people.environment import DECISION, RECIPE, chips_of, digest_of, sample
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


class FakeVision:
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


class FolderEnvironment:
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
    ) -> FolderImporter:
        return FolderImporter(
            self.folder, self.opened(recipe), describe, describe_again, rescan_s=0.01, max_bytes=10_000
        )

    @contextmanager
    def watched(
        self, describe: Describe = face_of, recipe: str = RECIPE, describe_again: Describe = face_again
    ) -> Iterator[FolderImporter]:
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
    ) -> ImportProgress:
        with self.watched(describe, recipe, describe_again) as faces:
            return faces.progress

    def similarity(self, slug: str, found: Descriptor) -> float:
        """To the mean of their pictures."""
        return self.gallery.compare_person(slug, found).similarity

    @property
    def people(self) -> list[str]:
        """Who is found by searches."""
        return sorted(self.gallery.person(slug).name for slug in list(self.gallery._row_of))

    @property
    def pictures(self) -> int:
        """By which they are."""
        return sum(self.gallery.compare_person(slug, descriptor(1)).pictures for slug in list(self.gallery._row_of))

    @property
    def stored(self) -> list[str]:
        """By whichever recipe."""
        return sorted(entry.person.name for entry in self.store.list_entries())

    @property
    def sources(self) -> list[str]:
        return sorted(picture.source for entry in self.store.list_entries() for picture in entry.pictures)

    def confirm(self) -> None:
        """As ``facegate people confirm-removal`` does."""
        confirm_removal(self.store, waiting_removals(self.store, self.folder))

    def chips(self, picture: str, recipe: str = RECIPE) -> bytes | None:
        """That were kept of it."""
        face = self.store.find_face(digest_of(picture), recipe)
        assert face is not None
        return face.chips


@pytest.fixture
def env(tmp_path: Path) -> Iterator[FolderEnvironment]:
    """Alice and Bob live here, with two pictures and one."""
    with closing(SqliteStore(tmp_path / "people.sqlite")) as store:
        env = FolderEnvironment(tmp_path / "known_faces", store)
        env.put("Alice/1.jpg", "alice1")
        env.put("Alice/2.png", "alice2")
        env.put("Bob_the_Builder/1.jpg", "bob1")
        yield env


def test_everybody_in_the_folder_becomes_known(env: FolderEnvironment) -> None:
    progress = env.imported()
    assert env.people == env.stored == ["Alice", "Bob the Builder"]
    assert env.pictures == 3
    assert env.sources == ["known_faces/Alice/1.jpg", "known_faces/Alice/2.png", "known_faces/Bob_the_Builder/1.jpg"]
    assert progress == ImportProgress(done=3, of=3, people=2, skipped=(), finished=True)


def test_the_descriptor_is_that_of_the_picture(env: FolderEnvironment) -> None:
    env.imported()
    assert env.similarity("bob_the_builder", descriptor_of(b"bob1")) == pytest.approx(1)


def test_the_chips_of_each_picture_are_kept(env: FolderEnvironment) -> None:
    env.imported()
    assert [env.chips(picture) for picture in ("alice1", "alice2", "bob1")] == [
        chips_of(picture) for picture in ("alice1", "alice2", "bob1")
    ]


@pytest.mark.parametrize("folder", ["Grace_Hopper", "Grace__Hopper_", "Grace Hopper"])
def test_a_person_s_name_is_the_folder_s_with_spaces(env: FolderEnvironment, folder: str) -> None:
    env.put(f"{folder}/1.jpg", "grace1")
    env.imported()
    assert "Grace Hopper" in env.people


@pytest.mark.parametrize(
    "path", ["README.md", "Alice/notes.txt", "Alice/.hidden.jpg", "Alice/@eaDir/1.jpg/S.jpg", "Alice/.DS_Store"]
)
def test_what_is_no_picture_of_a_person_is_left_alone(env: FolderEnvironment, path: str) -> None:
    env.put(path, "something")
    assert env.imported().of == 3


def test_a_picture_beside_the_folders_is_reported(env: FolderEnvironment) -> None:
    env.put("stray.jpg", "stray")
    assert env.imported().skipped == ("known_faces/stray.jpg: put it into a folder named after the person",)


def test_who_is_gone_is_forgotten_before_the_rest_is_read(env: FolderEnvironment) -> None:
    env.imported()
    shutil.rmtree(env.folder / "Alice")
    env.put("Bob_the_Builder/2.jpg", "bob2")
    seen_by_then: list[list[str]] = []

    def describe(picture: bytes) -> FoundFace:
        seen_by_then.append(env.people)
        return face_of(picture)

    env.imported(describe)
    assert seen_by_then == [["Bob the Builder"]]


@pytest.mark.parametrize("name", ["3.JPG", "3.jpeg", "3.webp"])
def test_pictures_are_known_by_their_suffix(env: FolderEnvironment, name: str) -> None:
    env.put(f"Alice/{name}", "alice3")
    assert env.imported().of == 4


def test_a_picture_is_described_once_for_its_bytes(env: FolderEnvironment) -> None:
    env.imported()
    env.put("Bob_the_Builder/2.jpg", "bob2")
    env.put("Robert/1.jpg", "bob1")
    vision = FakeVision()
    env.imported(vision)
    assert vision.saw == ["bob2"]
    assert env.people == ["Alice", "Bob the Builder", "Robert"]


EVERYBODY = ["alice1", "alice2", "bob1"]


def test_with_another_recipe_everybody_is_described_anew_from_chips(env: FolderEnvironment) -> None:
    env.imported()
    vision, chip_vision = FakeVision(), FakeVision()
    env.imported(vision, "other", chip_vision.again)
    assert (vision.saw, sorted(chip_vision.saw)) == ([], EVERYBODY)
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 3)
    assert env.similarity("bob_the_builder", descriptor_of(chips_of("bob1"))) == pytest.approx(1)


def test_with_another_recipe_everybody_is_known_without_the_folder(env: FolderEnvironment) -> None:
    env.imported()
    shutil.rmtree(env.folder)
    vision = FakeVision()
    assert env.imported(vision, "other") == ImportProgress(people=2, finished=True)
    assert (env.people, env.pictures, vision.saw) == (["Alice", "Bob the Builder"], 3, [])


def test_nobody_is_compared_by_a_descriptor_of_another_recipe(env: FolderEnvironment) -> None:
    """While they are made anew, those who are done are known and the others are not."""
    env.imported()
    shutil.rmtree(env.folder)
    found: list[tuple[int, bool]] = []
    done: list[bytes] = []

    def again(chips: bytes) -> FoundFace:
        assert env.pictures <= len(done)
        found.append((env.pictures, faces.progress.finished))
        done.append(chips)
        return face_again(chips)

    faces = env.known_faces(face_of, "other", again)
    assert env.people == []
    faces.start()
    wait_for(lambda: faces.progress.finished)
    faces.stop()
    assert (found[0], [finished for _, finished in found]) == ((0, False), [False] * 3)
    for person, picture, alike in [("alice", "alice1", 0.6), ("alice", "alice2", 0.6), ("bob_the_builder", "bob1", 1)]:
        assert env.similarity(person, descriptor_of(picture.encode())) < 0.5
        assert env.similarity(person, descriptor_of(chips_of(picture))) > alike - 1e-5


def test_one_that_cannot_be_described_anew_is_logged_and_the_rest_are(
    env: FolderEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    env.imported()
    shutil.rmtree(env.folder)
    vision = FakeVision(bob1=[BadImage("the chips that were kept of a face are damaged")])
    env.imported(recipe="other", describe_again=vision.again)
    assert sorted(vision.saw) == EVERYBODY
    assert (env.people, env.pictures) == (["Alice"], 2)
    assert env.stored == ["Alice", "Bob the Builder"]
    assert (
        f"{digest_of('bob1')[:16]} cannot be made again: the chips that were kept of a face are damaged" in caplog.text
    )


def test_one_whose_chips_fail_is_described_from_the_picture(env: FolderEnvironment) -> None:
    env.imported()
    vision, chip_vision = FakeVision(), FakeVision(bob1=[Timeout("slow")])
    assert env.imported(vision, "other", chip_vision.again).skipped == ()
    assert vision.saw == ["bob1"]
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 3)


def test_one_that_could_not_be_described_anew_is_tried_at_the_next_start(env: FolderEnvironment) -> None:
    env.imported()
    shutil.rmtree(env.folder)
    vision = FakeVision(bob1=[Timeout("slow")])
    env.imported(recipe="other", describe_again=vision.again)
    env.imported(recipe="other", describe_again=vision.again)
    assert (vision.saw.count("bob1"), vision.saw.count("alice1")) == (2, 1)
    assert env.people == ["Alice", "Bob the Builder"]


def test_with_the_first_recipe_again_everybody_is_known_as_before(env: FolderEnvironment) -> None:
    env.imported()
    shutil.rmtree(env.folder)
    env.imported(recipe="other")
    env.imported()
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 3)
    assert env.chips("alice1") == chips_of("alice1")


def test_with_the_same_recipe_nothing_is_described_anew(env: FolderEnvironment) -> None:
    env.imported()
    vision = FakeVision()
    env.imported(vision, describe_again=vision.again)
    assert vision.saw == []


@pytest.fixture
def without_chips(env: FolderEnvironment) -> FolderEnvironment:
    """As a store of version 1 leaves it."""
    for picture, name, source in [("alice1", "Alice", "Alice/1.jpg"), ("bob1", "Bob the Builder", "Bob/1.jpg")]:
        found = StoredFace(descriptor_of(picture.encode()), None)
        kept = Picture(digest_of(picture), f"known_faces/{source}", "before", found)
        env.store.enrol_from_folder(name, kept)
    return env


def test_who_has_no_chips_is_described_from_the_picture_and_has_some_from_then_on(
    without_chips: FolderEnvironment,
) -> None:
    vision, chip_vision = FakeVision(), FakeVision()
    without_chips.imported(vision, describe_again=chip_vision.again)
    assert (sorted(vision.saw), chip_vision.saw) == (EVERYBODY, [])
    assert without_chips.chips("alice1") == chips_of("alice1")
    assert without_chips.people == without_chips.stored == ["Alice", "Bob the Builder"]


def test_who_has_no_chips_waits_for_the_folder_and_is_not_forgotten(without_chips: FolderEnvironment) -> None:
    away = without_chips.folder.rename(without_chips.folder.with_name("away"))
    with without_chips.watched():
        assert (without_chips.people, without_chips.stored) == ([], ["Alice", "Bob the Builder"])
        away.rename(without_chips.folder)
        wait_for(lambda: without_chips.people == ["Alice", "Bob the Builder"])


def test_whom_we_knew_before_is_known_before_the_import_is_done(env: FolderEnvironment) -> None:
    env.imported()
    env.put("Carol/1.jpg", "carol1")
    asked, answer = threading.Event(), threading.Event()

    def describe(picture: bytes) -> FoundFace:
        asked.set()
        answer.wait()
        return face_of(picture)

    faces = env.known_faces(describe)
    faces.start()
    try:
        assert asked.wait(20)
        assert (env.people, faces.progress.finished) == (["Alice", "Bob the Builder"], False)
    finally:
        answer.set()
        faces.stop()


def test_a_new_person_is_noticed(env: FolderEnvironment) -> None:
    with env.watched():
        env.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in env.people)


def test_a_changed_picture_is_described_anew(env: FolderEnvironment) -> None:
    with env.watched():
        env.put("Bob_the_Builder/1.jpg", "bob in another light")
        changed = descriptor_of(b"bob in another light")
        wait_for(lambda: env.similarity("bob_the_builder", changed) > 0.99)
        assert env.pictures == 3
        assert env.chips("bob in another light") == chips_of("bob in another light")


def test_a_removed_picture_is_forgotten(env: FolderEnvironment) -> None:
    with env.watched():
        (env.folder / "Alice/1.jpg").unlink()
        wait_for(lambda: env.pictures == 2)
        assert env.people == ["Alice", "Bob the Builder"]


def test_a_removed_person_is_forgotten(env: FolderEnvironment) -> None:
    with env.watched():
        shutil.rmtree(env.folder / "Bob_the_Builder")
        wait_for(lambda: env.people == env.stored == ["Alice"])


def test_a_renamed_folder_is_another_person_without_another_look(env: FolderEnvironment) -> None:
    vision = FakeVision()
    env.imported(vision)
    (env.folder / "Alice").rename(env.folder / "Alicia")
    env.imported(vision)
    assert env.people == ["Alicia", "Bob the Builder"]
    assert len(vision.saw) == 3
    assert env.chips("alice1") == chips_of("alice1")


def test_a_missing_folder_keeps_everybody(env: FolderEnvironment) -> None:
    env.imported()
    shutil.rmtree(env.folder)
    progress = env.imported()
    assert env.people == env.stored == ["Alice", "Bob the Builder"]
    assert progress == ImportProgress(people=2, finished=True)


def test_a_folder_that_appears_later_is_imported(env: FolderEnvironment) -> None:
    away = env.folder.rename(env.folder.with_name("away"))
    with env.watched():
        assert env.people == []
        away.rename(env.folder)
        wait_for(lambda: env.people == ["Alice", "Bob the Builder"])


def test_an_empty_folder_is_nobody(env: FolderEnvironment) -> None:
    shutil.rmtree(env.folder)
    env.folder.mkdir()
    assert env.imported() == ImportProgress(finished=True)
    assert env.people == []


@pytest.mark.parametrize("error", [NoFace("there is no face"), MultipleFaces("there are 2 faces")])
def test_a_picture_without_exactly_one_face_is_skipped_by_name(env: FolderEnvironment, error: Exception) -> None:
    progress = env.imported(FakeVision(alice2=[error]))
    assert progress == ImportProgress(
        done=3, of=3, people=2, skipped=(f"known_faces/Alice/2.png: {error}",), finished=True
    )
    assert env.pictures == 2


def test_a_person_without_a_usable_picture_is_not_known(env: FolderEnvironment) -> None:
    env.imported(FakeVision(bob1=[NoFace("there is no face")]))
    assert env.people == env.stored == ["Alice"]


def test_what_failed_through_no_fault_of_the_picture_is_tried_again(
    env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_faces, "RETRY_INTERVAL_S", 0.01)
    with env.watched(FakeVision(bob1=[GatewayError("a worker died"), Timeout("slow")])) as faces:
        wait_for(lambda: faces.progress.people == 2)
        assert faces.progress.skipped == ()


def test_who_was_known_stays_known_when_a_picture_fails_for_once(env: FolderEnvironment) -> None:
    env.imported()
    vision = FakeVision(bob1=[Timeout("slow")] * 9)
    with env.watched(vision, "other", vision.again):
        assert vision.saw.count("bob1") >= 2  # from the chips, from the picture, and again
        assert env.stored == ["Alice", "Bob the Builder"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are always text")
def test_a_folder_whose_name_is_no_text_is_skipped_and_costs_nobody_else(env: FolderEnvironment) -> None:
    folder = os.path.join(os.fsencode(env.folder), b"Jos\xe9")  # noqa: PTH118  # pathlib takes no bytes
    os.mkdir(folder)  # noqa: PTH102
    with open(os.path.join(folder, b"1.jpg"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"jose1")
    progress = env.imported()
    assert env.people == ["Alice", "Bob the Builder"]
    assert len(progress.skipped) == 1


def test_busy_workers_are_asked_again(env: FolderEnvironment) -> None:
    vision = FakeVision(bob1=[Busy("full", 0), Busy("full", 0)])
    assert env.imported(vision).skipped == ()
    assert vision.saw.count("bob1") == 3
    assert env.people == ["Alice", "Bob the Builder"]


def test_busy_workers_are_asked_again_for_who_is_described_anew(env: FolderEnvironment) -> None:
    env.imported()
    vision = FakeVision(bob1=[Busy("full", 0), Busy("full", 0)])
    env.imported(recipe="other", describe_again=vision.again)
    assert vision.saw.count("bob1") == 3
    assert env.people == ["Alice", "Bob the Builder"]


def test_stopping_while_somebody_is_described_anew_forgets_nobody(env: FolderEnvironment) -> None:
    env.imported()
    vision = FakeVision(alice1=[Busy("the gateway is shutting down", 3600)])
    faces = env.known_faces(face_of, "other", vision.again)
    faces.start()
    wait_for(lambda: "alice1" in vision.saw)
    faces.stop()
    assert not faces.progress.finished
    assert env.stored == ["Alice", "Bob the Builder"]
    env.imported(recipe="other")
    assert env.people == ["Alice", "Bob the Builder"]


def test_describing_anew_that_is_cancelled_ends_in_order(env: FolderEnvironment) -> None:
    """The workers cancel what they have when the gateway goes down."""
    env.imported()
    vision = FakeVision(alice1=[CancelledError()])
    faces = env.known_faces(face_of, "other", vision.again)
    faces.start()
    wait_for(lambda: not faces._thread.is_alive())
    assert (vision.saw[-1], faces.progress.finished) == ("alice1", False)
    assert env.stored == ["Alice", "Bob the Builder"]


def test_stopping_while_the_workers_are_busy_forgets_nobody(env: FolderEnvironment) -> None:
    env.imported()
    env.put("Bob_the_Builder/2.jpg", "bob2")
    vision = FakeVision(bob2=[Busy("the gateway is shutting down", 3600)])
    faces = env.known_faces(vision)
    faces.start()
    wait_for(lambda: vision.saw == ["bob2"])
    faces.stop()
    assert (vision.saw, faces.progress.finished) == (["bob2"], False)
    assert env.people == env.stored == ["Alice", "Bob the Builder"]


def test_a_look_that_is_cancelled_ends_the_import_and_forgets_nobody(env: FolderEnvironment) -> None:
    """The workers cancel what they have when the gateway goes down."""
    env.imported()
    env.put("Bob_the_Builder/2.jpg", "bob2")
    vision = FakeVision(bob2=[CancelledError()])
    faces = env.known_faces(vision)
    faces.start()
    wait_for(lambda: not faces._thread.is_alive())
    assert (vision.saw, faces.progress.finished) == (["bob2"], False)
    assert env.people == env.stored == ["Alice", "Bob the Builder"]


def test_stopping_what_never_started_is_nothing(env: FolderEnvironment) -> None:
    env.known_faces(face_of).stop()


class FullDisk(SqliteStore):
    full = False
    refused = 0

    def enrol_from_folder(self, folder: str, picture: Picture, *, replaces: str | None = None) -> None:
        self._room()
        super().enrol_from_folder(folder, picture, replaces=replaces)

    def replace_descriptor(self, digest: str, recipe: str, descriptor: Descriptor) -> None:
        self._room()
        super().replace_descriptor(digest, recipe, descriptor)

    def _room(self) -> None:
        if self.full:
            self.refused += 1
            raise GatewayError("the people store: database or disk is full")


def test_a_full_disk_forgets_nobody_and_is_tried_again(
    tmp_path: Path, env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_faces, "RETRY_INTERVAL_S", 0.01)
    with closing(FullDisk(tmp_path / "full.sqlite")) as store:
        env.store = store
        with env.watched():
            store.full = True
            env.put("Carol/1.jpg", "carol1")
            wait_for(lambda: store.refused >= 2)
            assert env.people == ["Alice", "Bob the Builder"]
            store.full = False
            wait_for(lambda: env.people == ["Alice", "Bob the Builder", "Carol"])


def test_a_full_disk_keeps_nobody_unknown_once_there_is_room(tmp_path: Path, env: FolderEnvironment) -> None:
    """Also where everybody has to be described anew."""
    with closing(FullDisk(tmp_path / "full.sqlite")) as store:
        env.store = store
        env.imported()
        store.full = True
        faces = env.known_faces(face_of, "other")
        faces.start()
        try:
            wait_for(lambda: store.refused >= 2)
            assert env.stored == ["Alice", "Bob the Builder"]
            store.full = False
            wait_for(lambda: env.people == ["Alice", "Bob the Builder"])
        finally:
            faces.stop()


def test_who_was_enrolled_by_another_way_stays_without_the_folder(env: FolderEnvironment) -> None:
    env.imported()
    env.registry.enrol("Carol", [sample("carol1", descriptor(3))], REST_CALLER)
    env.registry.enrol("Alice", [sample("alice9", descriptor(4))], REST_CALLER)
    shutil.rmtree(env.folder)
    env.folder.mkdir()
    env.confirm()
    env.imported()
    assert env.people == env.stored == ["Alice", "Carol"]
    assert env.sources == ["rest", "rest"]


def test_a_picture_that_was_removed_does_not_come_back_from_the_folder(env: FolderEnvironment) -> None:
    env.imported()
    env.registry.remove_picture("alice", digest_of("alice1")[:16], REST_CALLER)
    vision = FakeVision()
    progress = env.imported(vision)
    assert vision.saw == []
    assert progress.skipped == (
        "known_faces/Alice/1.jpg: it was removed: enrol it by another way if it is to come back",
    )
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 2)


@pytest.mark.parametrize("erase", [False, True])
def test_a_person_who_was_removed_does_not_come_back_from_the_folder(env: FolderEnvironment, erase: bool) -> None:
    env.imported()
    (env.registry.erase if erase else env.registry.remove)("alice", REST_CALLER)
    assert env.imported().skipped == (
        "2 files of people who were removed are not used: it was removed: enrol it by another way if it is to come"
        " back",
    )
    assert env.people == env.stored == ["Bob the Builder"]


def test_a_removed_picture_comes_back_when_it_is_enrolled_by_another_way(env: FolderEnvironment) -> None:
    env.imported()
    env.registry.remove("bob_the_builder", REST_CALLER)
    env.registry.enrol("Bob the Builder", [sample("bob1", descriptor_of(b"bob1"))], REST_CALLER)
    assert env.imported().skipped == ()
    assert env.people == ["Alice", "Bob the Builder"]


def test_a_new_picture_in_the_folder_of_somebody_renamed_is_theirs(env: FolderEnvironment) -> None:
    env.imported()
    env.registry.rename("bob_the_builder", "Robert", REST_CALLER)
    env.put("Bob_the_Builder/2.jpg", "bob2")
    env.imported()
    assert (env.people, env.pictures) == (["Alice", "Robert"], 4)


def test_a_renamed_person_keeps_the_new_name_when_the_only_picture_is_moved(env: FolderEnvironment) -> None:
    env.imported()
    env.registry.rename("bob_the_builder", "Robert", REST_CALLER)
    (env.folder / "Bob_the_Builder/1.jpg").rename(env.folder / "Bob_the_Builder/one.jpg")
    env.imported()
    assert env.people == ["Alice", "Robert"]


def test_who_was_known_stays_known_while_the_changed_picture_cannot_be_described(env: FolderEnvironment) -> None:
    env.imported()
    env.put("Bob_the_Builder/1.jpg", "bob9")
    progress = env.imported(FakeVision(bob9=[Timeout("slow")] * 9))
    assert progress.skipped == ("known_faces/Bob_the_Builder/1.jpg: slow",)
    assert env.stored == ["Alice", "Bob the Builder"]


def test_a_picture_that_was_changed_into_a_useless_one_is_forgotten(env: FolderEnvironment) -> None:
    env.imported()
    env.put("Bob_the_Builder/1.jpg", "bob9")
    env.imported(FakeVision(bob9=[NoFace("there is no face")]))
    assert env.people == env.stored == ["Alice"]


def test_a_face_that_is_seen_too_badly_is_skipped_with_what_to_do(env: FolderEnvironment) -> None:
    def describe(picture: bytes) -> FoundFace:
        quality = replace(QUALITY, sharpness=0.0) if picture == b"alice2" else QUALITY
        return replace(face_of(picture), quality=quality)

    assert env.imported(describe).skipped == (
        "known_faces/Alice/2.png: it is of no use, since the face is blurred "
        "(sharpness 0, at least 0.55 is needed): hold still, or use a sharper picture",
    )
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 2)


def test_a_removed_picture_is_forgotten_though_another_recipe_described_it(without_chips: FolderEnvironment) -> None:
    """Of whom no chips are kept the old descriptor stays until the picture is read again, or is gone."""
    shutil.rmtree(without_chips.folder / "Bob_the_Builder")
    without_chips.imported()
    assert without_chips.stored == ["Alice"]


def test_two_copies_of_a_picture_are_one_picture_until_both_are_gone(env: FolderEnvironment) -> None:
    env.put("Bob_the_Builder/copy.jpg", "bob1")
    env.imported()
    assert env.pictures == 3
    for path in ("Bob_the_Builder/1.jpg", "Bob_the_Builder/copy.jpg"):
        assert env.people == ["Alice", "Bob the Builder"]
        (env.folder / path).unlink()
        env.imported()
    assert env.people == ["Alice"]


def test_who_comes_from_an_archive_stays_whatever_is_in_the_folder(tmp_path: Path, env: FolderEnvironment) -> None:
    """Also where they came from a folder of known faces on another machine."""
    env.imported()
    with closing(SqliteStore(tmp_path / "elsewhere.sqlite")) as store:
        there = FolderEnvironment(tmp_path / "another_folder", store)
        there.folder.mkdir()
        there.registry.import_people(list(env.store.export("alice")), REST_CALLER)
        assert there.people == ["Alice"]
        there.imported()
        assert there.people == ["Alice"]


def test_a_registry_follows_an_import(env: FolderEnvironment) -> None:
    """Also one that another process has."""
    other = Gallery()
    backups = Backups(env.folder.with_name("backups"))
    registry = Registry(env.store, other, DECISION, backups, recipe=RECIPE)
    env.imported()
    registry.refresh()
    assert len(other) == 2


def reads(env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of all files that are read from now on."""
    read: list[str] = []

    def count(path: str, max_bytes: int) -> tuple[bytes, FileStamp]:
        read.append(os.path.relpath(path, env.folder))
        return read_bounded(path, max_bytes)

    monkeypatch.setattr(folder_files, "read_bounded", count)
    return read


def test_one_more_picture_is_all_that_is_read(env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: 60 pictures of 5 MB were read again for each new one."""
    read = reads(env, monkeypatch)
    with env.watched():
        assert len(read) == 3
        env.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in env.people)
    assert read[3:] == ["Carol/1.jpg"]


def test_nothing_is_read_again_at_a_restart(env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    env.imported()
    read = reads(env, monkeypatch)
    env.put("Alice/2.png", "alice in another light")
    env.imported()
    env.imported()
    assert read == ["Alice/2.png"]
    assert env.similarity("alice", descriptor_of(b"alice in another light")) > 0.6


def test_a_touched_file_is_read_once_more(env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    env.imported()
    read = reads(env, monkeypatch)
    os.utime(env.folder / "Alice/1.jpg", ns=(1, 1))
    env.imported()
    env.imported()
    assert read == ["Alice/1.jpg"]


def test_a_picture_that_cannot_be_used_is_described_once(env: FolderEnvironment) -> None:
    """Regression: 30,000 useless files cost 36 s for each new one."""
    vision = FakeVision(bob1=[NoFace("there is no face in the picture")] * 9)
    with env.watched(vision) as faces:
        env.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in env.people)
        wait_for(lambda: faces.progress.skipped)
        assert faces.progress.skipped == ("known_faces/Bob_the_Builder/1.jpg: there is no face in the picture",)
    assert vision.saw.count("bob1") == 1


def test_a_picture_that_the_crash_guard_refuses_is_tried_again_after_its_hour(
    env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: a good picture that met a busy machine was refused until the next restart."""
    monkeypatch.setattr(known_faces, "RETRY_INTERVAL_S", 0.01)
    moments, slow = [0.0], [True]
    guard = CrashGuard(10, lambda: moments[0])

    def describe(picture: bytes) -> FoundFace:
        guard.check([picture])
        if picture == b"bob1" and slow:
            guard.record_timeout(picture)
            raise Timeout("the picture took longer than 10 s")
        return face_of(picture)

    with env.watched(describe) as faces:
        wait_for(lambda: "refused for an hour" in "".join(faces.progress.skipped))
        slow.clear()
        moments[0] = STRIKE_LIFETIME_S + 1
        wait_for(lambda: "Bob the Builder" in env.people)
        wait_for(lambda: not faces.progress.skipped)


def test_what_is_skipped_is_logged_once(env: FolderEnvironment, caplog: pytest.LogCaptureFixture) -> None:
    env.put("Alice/notes.txt", "text")
    with env.watched(FakeVision(bob1=[NoFace("no face")] * 9)):
        env.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in env.people)
    assert caplog.text.count("notes.txt") == caplog.text.count("Bob_the_Builder/1.jpg: no face") == 1


def test_a_file_over_the_limit_is_skipped_with_the_reason(env: FolderEnvironment) -> None:
    with (env.folder / "Alice/3.jpg").open("wb") as file:
        file.truncate(2_500_000_000)
    (skipped,) = env.imported().skipped
    assert skipped == "known_faces/Alice/3.jpg: it has 2500000000 bytes, more than limits.bytes (10000)"


def test_a_line_break_in_a_name_begins_no_line(env: FolderEnvironment, caplog: pytest.LogCaptureFixture) -> None:
    env.put("Alice/x\nWARNING forged.jpg", "x")
    (skipped,) = env.imported(FakeVision(x=[NoFace("no face")])).skipped
    assert skipped == "known_faces/Alice/x\\nWARNING forged.jpg: no face"
    assert not any(
        record.getMessage().startswith("WARNING") or "\n" in record.getMessage() for record in caplog.records
    )


def test_deeper_pictures_and_other_suffixes_are_the_person_s(env: FolderEnvironment) -> None:
    env.put("Alice/2024/May/3.jfif", "alice3")
    env.imported()
    assert env.pictures == 4


def test_a_picture_that_there_is_no_room_for_is_not_described(tmp_path: Path, env: FolderEnvironment) -> None:
    vision = FakeVision()
    with closing(SqliteStore(tmp_path / "small.sqlite", limits=PeopleLimits(people=1, pictures_per_person=1))) as store:
        env.store = store
        first, second = env.imported(vision).skipped
        assert first.startswith("known_faces/Alice/2.png: Alice would have 2 pictures")
        assert second.startswith("known_faces/Bob_the_Builder/1.jpg: 2 people are more than the 1")
        assert vision.saw == ["alice1"]
        env.put("Alice/1.jpg", "alice in another light")
        env.imported()
        assert env.similarity("alice", descriptor_of(b"alice in another light")) > 0.99


def test_a_copy_of_a_picture_is_enrolled_once(env: FolderEnvironment) -> None:
    """Regression: each import added it again, with a line in the audit, and put off the end of people.keep_days."""
    env.put("Alice/copy.jpg", "alice1")
    env.imported()
    revision, lines = env.store.revision(), len(env.store.read_audit(99))
    env.put("Alice/notes.txt", "text")
    env.imported()
    assert (env.store.revision(), len(env.store.read_audit(99))) == (revision, lines)
    env.put("Alice/2.png", "alice1")
    env.imported()
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 2)


@pytest.mark.parametrize("moved_to", ["0.jpg", "3.jpg"])
def test_a_picture_that_makes_room_for_another_is_known_from_both_places(env: FolderEnvironment, moved_to: str) -> None:
    env.imported()
    (env.folder / "Alice/1.jpg").rename(env.folder / "Alice" / moved_to)
    env.put("Alice/1.jpg", "alice in another light")
    env.imported()
    assert env.pictures == 4
    assert sorted(env.sources)[:3] == [f"known_faces/Alice/{n}" for n in sorted([moved_to, "1.jpg", "2.png"])]
