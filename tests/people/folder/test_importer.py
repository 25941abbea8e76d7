from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from gateway.errors import BadImage, Busy, GatewayError, MultipleFaces, NoFace, Timeout
from gateway.model import FoundFace
from gateway.model.caller import REST_CALLER
from gateway.model.health import ImportProgress
from gateway.people.folder import files as folder_files
from gateway.people.folder import importer as importer_module
from gateway.people.folder.files import FileStamp, read_bounded
from gateway.store.limits import PeopleLimits
from gateway.store.records import Picture, StoredFace
from gateway.store.sqlite.store import SqliteStore
from gateway.workers.crash_guard import STRIKE_LIFETIME_S, CrashGuard
from tests.examples import QUALITY, descriptor
from tests.people.environment import build_services, chips_of, digest_of, make_rules, sample
from tests.people.folder_environment import FakeVision, FolderEnvironment, descriptor_of, env, face_of, face_of_chips
from tests.support import WAIT_S, wait_for

__all__ = ["env"]


def test_people_in_the_folder_are_enrolled(env: FolderEnvironment) -> None:
    progress = env.import_folder()
    assert env.people == env.stored == ["Alice", "Bob the Builder"]
    assert env.pictures == 3
    assert env.sources == ["known_faces/Alice/1.jpg", "known_faces/Alice/2.png", "known_faces/Bob_the_Builder/1.jpg"]
    assert progress == ImportProgress(done=3, of=3, people=2, skipped=(), finished=True)


def test_imported_descriptor_is_that_of_the_picture(env: FolderEnvironment) -> None:
    env.import_folder()
    assert env.similarity("bob_the_builder", descriptor_of(b"bob1")) == pytest.approx(1)


def test_import_keeps_the_chips_of_each_picture(env: FolderEnvironment) -> None:
    env.import_folder()
    assert [env.chips(picture) for picture in ("alice1", "alice2", "bob1")] == [
        chips_of(picture) for picture in ("alice1", "alice2", "bob1")
    ]


@pytest.mark.parametrize("folder", ["Grace_Hopper", "Grace__Hopper_", "Grace Hopper"])
def test_name_of_a_person_is_the_folder_name_with_spaces(env: FolderEnvironment, folder: str) -> None:
    env.put(f"{folder}/1.jpg", "grace1")
    env.import_folder()
    assert "Grace Hopper" in env.people


@pytest.mark.parametrize(
    "path", ["README.md", "Alice/notes.txt", "Alice/.hidden.jpg", "Alice/@eaDir/1.jpg/S.jpg", "Alice/.DS_Store"]
)
def test_files_that_are_not_pictures_are_not_imported(env: FolderEnvironment, path: str) -> None:
    env.put(path, "something")
    assert env.import_folder().of == 3


def test_picture_outside_of_the_folders_is_reported(env: FolderEnvironment) -> None:
    env.put("stray.jpg", "stray")
    assert env.import_folder().skipped == ("known_faces/stray.jpg: put it into a folder named after the person",)


def test_removed_person_is_forgotten_before_pictures_are_read(env: FolderEnvironment) -> None:
    env.import_folder()
    shutil.rmtree(env.folder / "Alice")
    env.put("Bob_the_Builder/2.jpg", "bob2")
    seen_by_then: list[list[str]] = []

    def describe(picture: bytes) -> FoundFace:
        seen_by_then.append(env.people)
        return face_of(picture)

    env.import_folder(describe)
    assert seen_by_then == [["Bob the Builder"]]


@pytest.mark.parametrize("name", ["3.JPG", "3.jpeg", "3.webp"])
def test_pictures_are_found_by_their_suffix(env: FolderEnvironment, name: str) -> None:
    env.put(f"Alice/{name}", "alice3")
    assert env.import_folder().of == 4


def test_picture_with_the_same_bytes_is_described_once(env: FolderEnvironment) -> None:
    env.import_folder()
    env.put("Bob_the_Builder/2.jpg", "bob2")
    env.put("Robert/1.jpg", "bob1")
    vision = FakeVision()
    env.import_folder(vision)
    assert vision.described == ["bob2"]
    assert env.people == ["Alice", "Bob the Builder", "Robert"]


EVERYBODY = ["alice1", "alice2", "bob1"]


def test_change_of_recipe_describes_all_people_from_chips(env: FolderEnvironment) -> None:
    env.import_folder()
    vision, chip_vision = FakeVision(), FakeVision()
    env.import_folder(vision, "other", chip_vision.describe_chips)
    assert (vision.described, sorted(chip_vision.described)) == ([], EVERYBODY)
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 3)
    assert env.similarity("bob_the_builder", descriptor_of(chips_of("bob1"))) == pytest.approx(1)


def test_change_of_recipe_does_not_need_the_folder(env: FolderEnvironment) -> None:
    env.import_folder()
    shutil.rmtree(env.folder)
    vision = FakeVision()
    assert env.import_folder(vision, "other") == ImportProgress(people=2, finished=True)
    assert (env.people, env.pictures, vision.described) == (["Alice", "Bob the Builder"], 3, [])


def test_descriptors_of_another_recipe_are_not_compared(env: FolderEnvironment) -> None:
    """During the change of recipe, people are found as soon as their descriptors are made again."""
    env.import_folder()
    shutil.rmtree(env.folder)
    found: list[tuple[int, bool]] = []
    done: list[bytes] = []

    def again(chips: bytes) -> FoundFace:
        assert env.pictures <= len(done)
        found.append((env.pictures, watcher.progress.finished))
        done.append(chips)
        return face_of_chips(chips)

    watcher = env.make_watcher(face_of, "other", again)
    assert env.people == []
    watcher.start()
    wait_for(lambda: watcher.progress.finished)
    watcher.stop()
    assert (found[0], [finished for _, finished in found]) == ((0, False), [False] * 3)
    for person, picture, alike in [("alice", "alice1", 0.6), ("alice", "alice2", 0.6), ("bob_the_builder", "bob1", 1)]:
        assert env.similarity(person, descriptor_of(picture.encode())) < 0.5
        assert env.similarity(person, descriptor_of(chips_of(picture))) > alike - 1e-5


def test_chips_that_cannot_be_described_are_logged_and_skipped(
    env: FolderEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    env.import_folder()
    shutil.rmtree(env.folder)
    vision = FakeVision(bob1=[BadImage("the chips that were kept of a face are damaged")])
    env.import_folder(recipe="other", describe_again=vision.describe_chips)
    assert sorted(vision.described) == EVERYBODY
    assert (env.people, env.pictures) == (["Alice"], 2)
    assert env.stored == ["Alice", "Bob the Builder"]
    assert (
        f"{digest_of('bob1')[:16]} cannot be computed again: the chips that were kept of a face are damaged"
        in caplog.text
    )


def test_picture_is_described_if_its_chips_fail(env: FolderEnvironment) -> None:
    env.import_folder()
    vision, chip_vision = FakeVision(), FakeVision(bob1=[Timeout("slow")])
    assert env.import_folder(vision, "other", chip_vision.describe_chips).skipped == ()
    assert vision.described == ["bob1"]
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 3)


def test_failed_chips_are_tried_again_at_the_next_start(env: FolderEnvironment) -> None:
    env.import_folder()
    shutil.rmtree(env.folder)
    vision = FakeVision(bob1=[Timeout("slow")])
    env.import_folder(recipe="other", describe_again=vision.describe_chips)
    env.import_folder(recipe="other", describe_again=vision.describe_chips)
    assert (vision.described.count("bob1"), vision.described.count("alice1")) == (2, 1)
    assert env.people == ["Alice", "Bob the Builder"]


def test_return_to_the_first_recipe_restores_all_people(env: FolderEnvironment) -> None:
    env.import_folder()
    shutil.rmtree(env.folder)
    env.import_folder(recipe="other")
    env.import_folder()
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 3)
    assert env.chips("alice1") == chips_of("alice1")


def test_same_recipe_describes_nothing_again(env: FolderEnvironment) -> None:
    env.import_folder()
    vision = FakeVision()
    env.import_folder(vision, describe_again=vision.describe_chips)
    assert vision.described == []


@pytest.fixture
def without_chips(env: FolderEnvironment) -> FolderEnvironment:
    """A folder and a store of version 1, which kept no chips."""
    for picture, name, source in [("alice1", "Alice", "Alice/1.jpg"), ("bob1", "Bob the Builder", "Bob/1.jpg")]:
        found = StoredFace(descriptor_of(picture.encode()), None)
        kept = Picture(digest_of(picture), f"known_faces/{source}", "before", found)
        env.store.folder_index.enrol_from_folder(name, kept)
    return env


def test_person_without_chips_is_described_from_the_picture(
    without_chips: FolderEnvironment,
) -> None:
    vision, chip_vision = FakeVision(), FakeVision()
    without_chips.import_folder(vision, describe_again=chip_vision.describe_chips)
    assert (sorted(vision.described), chip_vision.described) == (EVERYBODY, [])
    assert without_chips.chips("alice1") == chips_of("alice1")
    assert without_chips.people == without_chips.stored == ["Alice", "Bob the Builder"]


def test_person_without_chips_is_kept_until_the_folder_returns(without_chips: FolderEnvironment) -> None:
    away = without_chips.folder.rename(without_chips.folder.with_name("away"))
    with without_chips.watch_folder():
        assert (without_chips.people, without_chips.stored) == ([], ["Alice", "Bob the Builder"])
        away.rename(without_chips.folder)
        wait_for(lambda: without_chips.people == ["Alice", "Bob the Builder"])


def test_enrolled_people_are_recognised_during_the_import(env: FolderEnvironment) -> None:
    env.import_folder()
    env.put("Carol/1.jpg", "carol1")
    asked, answer = threading.Event(), threading.Event()

    def describe(picture: bytes) -> FoundFace:
        asked.set()
        answer.wait()
        return face_of(picture)

    watcher = env.make_watcher(describe)
    watcher.start()
    try:
        assert asked.wait(WAIT_S)
        assert (env.people, watcher.progress.finished) == (["Alice", "Bob the Builder"], False)
    finally:
        answer.set()
        watcher.stop()


def test_new_person_is_imported(env: FolderEnvironment) -> None:
    with env.watch_folder():
        env.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in env.people)


def test_changed_picture_is_described_again(env: FolderEnvironment) -> None:
    with env.watch_folder():
        env.put("Bob_the_Builder/1.jpg", "bob in another light")
        changed = descriptor_of(b"bob in another light")
        wait_for(lambda: env.similarity("bob_the_builder", changed) > 0.99)
        assert env.pictures == 3
        assert env.chips("bob in another light") == chips_of("bob in another light")


def test_removed_picture_is_forgotten(env: FolderEnvironment) -> None:
    with env.watch_folder():
        (env.folder / "Alice/1.jpg").unlink()
        wait_for(lambda: env.pictures == 2)
        assert env.people == ["Alice", "Bob the Builder"]


def test_removed_person_is_forgotten(env: FolderEnvironment) -> None:
    with env.watch_folder():
        shutil.rmtree(env.folder / "Bob_the_Builder")
        wait_for(lambda: env.people == env.stored == ["Alice"])


def test_renamed_folder_becomes_another_person_without_describing(env: FolderEnvironment) -> None:
    vision = FakeVision()
    env.import_folder(vision)
    (env.folder / "Alice").rename(env.folder / "Alicia")
    env.import_folder(vision)
    assert env.people == ["Alicia", "Bob the Builder"]
    assert len(vision.described) == 3
    assert env.chips("alice1") == chips_of("alice1")


def test_missing_folder_removes_nobody(env: FolderEnvironment) -> None:
    env.import_folder()
    shutil.rmtree(env.folder)
    progress = env.import_folder()
    assert env.people == env.stored == ["Alice", "Bob the Builder"]
    assert progress == ImportProgress(people=2, finished=True)


def test_folder_that_appears_later_is_imported(env: FolderEnvironment) -> None:
    away = env.folder.rename(env.folder.with_name("away"))
    with env.watch_folder():
        assert env.people == []
        away.rename(env.folder)
        wait_for(lambda: env.people == ["Alice", "Bob the Builder"])


def test_empty_folder_imports_nobody(env: FolderEnvironment) -> None:
    shutil.rmtree(env.folder)
    env.folder.mkdir()
    assert env.import_folder() == ImportProgress(finished=True)
    assert env.people == []


@pytest.mark.parametrize("error", [NoFace("there is no face"), MultipleFaces("there are 2 faces")])
def test_picture_without_exactly_one_face_is_skipped_with_its_path(env: FolderEnvironment, error: Exception) -> None:
    progress = env.import_folder(FakeVision(alice2=[error]))
    assert progress == ImportProgress(
        done=3, of=3, people=2, skipped=(f"known_faces/Alice/2.png: {error}",), finished=True
    )
    assert env.pictures == 2


def test_person_without_a_usable_picture_is_not_enrolled(env: FolderEnvironment) -> None:
    env.import_folder(FakeVision(bob1=[NoFace("there is no face")]))
    assert env.people == env.stored == ["Alice"]


def test_picture_is_tried_again_after_a_temporary_error(
    env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer_module, "RETRY_INTERVAL_S", 0.01)
    with env.watch_folder(FakeVision(bob1=[GatewayError("a worker died"), Timeout("slow")])) as watcher:
        wait_for(lambda: (watcher.progress.people, watcher.progress.skipped) == (2, ()))


def test_person_is_kept_when_a_picture_fails_temporarily(env: FolderEnvironment) -> None:
    env.import_folder()
    vision = FakeVision(bob1=[Timeout("slow")] * 9)
    with env.watch_folder(vision, "other", vision.describe_chips):
        assert vision.described.count("bob1") >= 2  # from the chips, from the picture, and again
        assert env.stored == ["Alice", "Bob the Builder"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are always text")
def test_folder_whose_name_is_not_utf8_is_skipped(env: FolderEnvironment) -> None:
    folder = os.path.join(os.fsencode(env.folder), b"Jos\xe9")  # noqa: PTH118  # pathlib takes no bytes
    os.mkdir(folder)  # noqa: PTH102
    with open(os.path.join(folder, b"1.jpg"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"jose1")
    progress = env.import_folder()
    assert env.people == ["Alice", "Bob the Builder"]
    assert len(progress.skipped) == 1


def test_import_waits_for_busy_workers(env: FolderEnvironment) -> None:
    vision = FakeVision(bob1=[Busy("full", 0), Busy("full", 0)])
    assert env.import_folder(vision).skipped == ()
    assert vision.described.count("bob1") == 3
    assert env.people == ["Alice", "Bob the Builder"]


def test_change_of_recipe_waits_for_busy_workers(env: FolderEnvironment) -> None:
    env.import_folder()
    vision = FakeVision(bob1=[Busy("full", 0), Busy("full", 0)])
    env.import_folder(recipe="other", describe_again=vision.describe_chips)
    assert vision.described.count("bob1") == 3
    assert env.people == ["Alice", "Bob the Builder"]


def test_stop_during_a_change_of_recipe_forgets_nobody(env: FolderEnvironment) -> None:
    env.import_folder()
    vision = FakeVision(alice1=[Busy("the gateway is shutting down", 3600)])
    watcher = env.make_watcher(face_of, "other", vision.describe_chips)
    watcher.start()
    wait_for(lambda: "alice1" in vision.described)
    watcher.stop()
    assert not watcher.progress.finished
    assert env.stored == ["Alice", "Bob the Builder"]
    env.import_folder(recipe="other")
    assert env.people == ["Alice", "Bob the Builder"]


def test_cancelled_change_of_recipe_ends_the_thread(env: FolderEnvironment) -> None:
    """The workers cancel their jobs when the gateway stops."""
    env.import_folder()
    vision = FakeVision(alice1=[CancelledError()])
    watcher = env.make_watcher(face_of, "other", vision.describe_chips)
    watcher.start()
    wait_for(lambda: not watcher._thread.is_alive())
    assert (vision.described[-1], watcher.progress.finished) == ("alice1", False)
    assert env.stored == ["Alice", "Bob the Builder"]


def test_stop_while_workers_are_busy_forgets_nobody(env: FolderEnvironment) -> None:
    env.import_folder()
    env.put("Bob_the_Builder/2.jpg", "bob2")
    vision = FakeVision(bob2=[Busy("the gateway is shutting down", 3600)])
    watcher = env.make_watcher(vision)
    watcher.start()
    wait_for(lambda: vision.described == ["bob2"])
    watcher.stop()
    assert (vision.described, watcher.progress.finished) == (["bob2"], False)
    assert env.people == env.stored == ["Alice", "Bob the Builder"]


def test_cancelled_import_ends_the_thread_and_forgets_nobody(env: FolderEnvironment) -> None:
    """The workers cancel their jobs when the gateway stops."""
    env.import_folder()
    env.put("Bob_the_Builder/2.jpg", "bob2")
    vision = FakeVision(bob2=[CancelledError()])
    watcher = env.make_watcher(vision)
    watcher.start()
    wait_for(lambda: not watcher._thread.is_alive())
    assert (vision.described, watcher.progress.finished) == (["bob2"], False)
    assert env.people == env.stored == ["Alice", "Bob the Builder"]


def test_stopping_what_never_started_is_nothing(env: FolderEnvironment) -> None:
    env.make_watcher(face_of).stop()


class FullDisk:
    """A disk that is full or not, below the store."""

    def __init__(self, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.refused = 0
        for part, method in ((store.folder_index, "enrol_from_folder"), (store.faces, "replace_descriptor")):
            monkeypatch.setattr(part, method, partial(self._write, getattr(part, method)))

    def _write(self, write: Callable[..., None], *values: object, **options: object) -> None:
        if self.full:
            self.refused += 1
            raise GatewayError("the people store: database or disk is full")
        write(*values, **options)


def test_import_is_tried_again_after_a_full_disk(
    tmp_path: Path, env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer_module, "RETRY_INTERVAL_S", 0.01)
    with closing(SqliteStore(tmp_path / "full.sqlite")) as store:
        env.store, disk = store, FullDisk(store, monkeypatch)
        with env.watch_folder():
            disk.full = True
            env.put("Carol/1.jpg", "carol1")
            wait_for(lambda: disk.refused >= 2)
            assert env.people == ["Alice", "Bob the Builder"]
            disk.full = False
            wait_for(lambda: env.people == ["Alice", "Bob the Builder", "Carol"])


def test_change_of_recipe_is_tried_again_after_a_full_disk(
    tmp_path: Path, env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full during a change of recipe."""
    with closing(SqliteStore(tmp_path / "full.sqlite")) as store:
        env.store, disk = store, FullDisk(store, monkeypatch)
        env.import_folder()
        disk.full = True
        watcher = env.make_watcher(face_of, "other")
        watcher.start()
        try:
            wait_for(lambda: disk.refused >= 2)
            assert env.stored == ["Alice", "Bob the Builder"]
            disk.full = False
            wait_for(lambda: env.people == ["Alice", "Bob the Builder"])
        finally:
            watcher.stop()


def test_pictures_enrolled_elsewhere_stay_without_the_folder(env: FolderEnvironment) -> None:
    env.import_folder()
    env.registry.enrol("Carol", [sample("carol1", descriptor(3))], REST_CALLER)
    env.registry.enrol("Alice", [sample("alice9", descriptor(4))], REST_CALLER)
    shutil.rmtree(env.folder)
    env.folder.mkdir()
    env.confirm()
    env.import_folder()
    assert env.people == env.stored == ["Alice", "Carol"]
    assert env.sources == ["rest", "rest"]


def test_removed_picture_is_not_imported_again(env: FolderEnvironment) -> None:
    env.import_folder()
    env.registry.remove_picture("alice", digest_of("alice1")[:16], REST_CALLER)
    vision = FakeVision()
    progress = env.import_folder(vision)
    assert vision.described == []
    assert progress.skipped == (
        "known_faces/Alice/1.jpg: a removed picture is not enrolled from the folder again: delete the file, or enrol"
        " the picture with `facegate people add`",
    )
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 2)


@pytest.mark.parametrize("erase", [False, True])
def test_removed_person_is_not_imported_again(env: FolderEnvironment, erase: bool) -> None:
    env.import_folder()
    (env.registry.erase if erase else env.registry.remove)("alice", REST_CALLER)
    assert env.import_folder().skipped == (
        "2 files of people who were removed are not used: a removed picture is not enrolled from the folder again:"
        " delete the file, or enrol the picture with `facegate people add`",
    )
    assert env.people == env.stored == ["Bob the Builder"]


def test_removed_picture_is_imported_after_an_enrolment(env: FolderEnvironment) -> None:
    env.import_folder()
    env.registry.remove("bob_the_builder", REST_CALLER)
    env.registry.enrol("Bob the Builder", [sample("bob1", descriptor_of(b"bob1"))], REST_CALLER)
    assert env.import_folder().skipped == ()
    assert env.people == ["Alice", "Bob the Builder"]


def test_new_picture_in_the_folder_of_a_renamed_person_is_theirs(env: FolderEnvironment) -> None:
    env.import_folder()
    env.registry.rename("bob_the_builder", "Robert", REST_CALLER)
    env.put("Bob_the_Builder/2.jpg", "bob2")
    env.import_folder()
    assert (env.people, env.pictures) == (["Alice", "Robert"], 4)


def test_renamed_person_keeps_the_name_when_the_only_picture_is_moved(env: FolderEnvironment) -> None:
    env.import_folder()
    env.registry.rename("bob_the_builder", "Robert", REST_CALLER)
    (env.folder / "Bob_the_Builder/1.jpg").rename(env.folder / "Bob_the_Builder/one.jpg")
    env.import_folder()
    assert env.people == ["Alice", "Robert"]


def test_person_is_kept_while_a_changed_picture_cannot_be_described(env: FolderEnvironment) -> None:
    env.import_folder()
    env.put("Bob_the_Builder/1.jpg", "bob9")
    progress = env.import_folder(FakeVision(bob9=[Timeout("slow")] * 9))
    assert progress.skipped == ("known_faces/Bob_the_Builder/1.jpg: slow",)
    assert env.stored == ["Alice", "Bob the Builder"]


def test_picture_that_became_unusable_is_forgotten(env: FolderEnvironment) -> None:
    env.import_folder()
    env.put("Bob_the_Builder/1.jpg", "bob9")
    env.import_folder(FakeVision(bob9=[NoFace("there is no face")]))
    assert env.people == env.stored == ["Alice"]


def test_face_of_too_low_quality_is_skipped_with_advice(env: FolderEnvironment) -> None:
    def describe(picture: bytes) -> FoundFace:
        quality = replace(QUALITY, sharpness=0.0) if picture == b"alice2" else QUALITY
        return replace(face_of(picture), quality=quality)

    assert env.import_folder(describe).skipped == (
        "known_faces/Alice/2.png: it cannot be used, because the face is blurred "
        "(sharpness 0, at least 0.55 is needed): hold still, or use a sharper picture",
    )
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 2)


def test_removed_picture_of_another_recipe_is_forgotten(without_chips: FolderEnvironment) -> None:
    """Without chips the old descriptor stays until the picture is read again or removed."""
    shutil.rmtree(without_chips.folder / "Bob_the_Builder")
    without_chips.import_folder()
    assert without_chips.stored == ["Alice"]


def test_two_copies_count_as_one_picture_until_both_are_removed(env: FolderEnvironment) -> None:
    env.put("Bob_the_Builder/copy.jpg", "bob1")
    env.import_folder()
    assert env.pictures == 3
    for path in ("Bob_the_Builder/1.jpg", "Bob_the_Builder/copy.jpg"):
        assert env.people == ["Alice", "Bob the Builder"]
        (env.folder / path).unlink()
        env.import_folder()
    assert env.people == ["Alice"]


def test_people_from_an_archive_stay_without_the_folder(tmp_path: Path, env: FolderEnvironment) -> None:
    """The pictures came from a folder of known people on another machine."""
    env.import_folder()
    with closing(SqliteStore(tmp_path / "elsewhere.sqlite")) as store:
        there = FolderEnvironment(tmp_path / "another_folder", store)
        there.folder.mkdir()
        there.registry.import_people(list(env.store.archive.export_people("alice")), REST_CALLER)
        assert there.people == ["Alice"]
        there.import_folder()
        assert there.people == ["Alice"]


def test_registry_of_another_process_follows_an_import(env: FolderEnvironment) -> None:
    """Another process has a registry of its own on the same store."""
    data = env.folder.parent
    other = build_services(data, env.store, make_rules(data))
    env.import_folder()
    other.updater.refresh()
    assert len(other.gallery) == 2


def reads(env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which the path of each file is added that is read from now on."""
    read: list[str] = []

    def count(path: str, max_bytes: int) -> tuple[bytes, FileStamp]:
        read.append(os.path.relpath(path, env.folder))
        return read_bounded(path, max_bytes)

    monkeypatch.setattr(folder_files, "read_bounded", count)
    return read


def test_import_reads_only_the_new_picture(env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: 60 pictures of 5 MB were read again for each new one."""
    read = reads(env, monkeypatch)
    with env.watch_folder():
        assert len(read) == 3
        env.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in env.people)
    assert read[3:] == ["Carol/1.jpg"]


def test_restart_reads_no_file_again(env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    env.import_folder()
    read = reads(env, monkeypatch)
    env.put("Alice/2.png", "alice in another light")
    env.import_folder()
    env.import_folder()
    assert read == ["Alice/2.png"]
    assert env.similarity("alice", descriptor_of(b"alice in another light")) > 0.6


def test_touched_file_is_read_once_more(env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    env.import_folder()
    read = reads(env, monkeypatch)
    os.utime(env.folder / "Alice/1.jpg", ns=(1, 1))
    env.import_folder()
    env.import_folder()
    assert read == ["Alice/1.jpg"]


def test_unusable_picture_is_described_once(env: FolderEnvironment) -> None:
    """Regression: 30,000 useless files cost 36 s for each new one."""
    vision = FakeVision(bob1=[NoFace("there is no face in the picture")] * 9)
    with env.watch_folder(vision) as watcher:
        env.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in env.people)
        wait_for(lambda: watcher.progress.skipped)
        assert watcher.progress.skipped == ("known_faces/Bob_the_Builder/1.jpg: there is no face in the picture",)
    assert vision.described.count("bob1") == 1


def test_picture_refused_by_the_crash_guard_is_tried_again_after_an_hour(
    env: FolderEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: a good picture that timed out on a busy machine was refused until the next restart."""
    monkeypatch.setattr(importer_module, "RETRY_INTERVAL_S", 0.01)
    moments, slow = [0.0], [True]
    guard = CrashGuard(10, lambda: moments[0])

    def describe(picture: bytes) -> FoundFace:
        guard.check([picture])
        if picture == b"bob1" and slow:
            guard.record_timeout(picture)
            raise Timeout("the picture took longer than 10 s")
        return face_of(picture)

    with env.watch_folder(describe) as watcher:
        wait_for(lambda: "refused for an hour" in "".join(watcher.progress.skipped))
        slow.clear()
        moments[0] = STRIKE_LIFETIME_S + 1
        wait_for(lambda: "Bob the Builder" in env.people)
        wait_for(lambda: not watcher.progress.skipped)


def test_skipped_files_are_logged_once(env: FolderEnvironment, caplog: pytest.LogCaptureFixture) -> None:
    env.put("Alice/notes.txt", "text")
    with env.watch_folder(FakeVision(bob1=[NoFace("no face")] * 9)):
        env.put("Carol/1.jpg", "carol1")
        wait_for(lambda: "Carol" in env.people)
    assert caplog.text.count("notes.txt") == caplog.text.count("Bob_the_Builder/1.jpg: no face") == 1


def test_file_over_the_limit_is_skipped_with_the_reason(env: FolderEnvironment) -> None:
    with (env.folder / "Alice/3.jpg").open("wb") as file:
        file.truncate(2_500_000_000)
    (skipped,) = env.import_folder().skipped
    assert skipped == "known_faces/Alice/3.jpg: it has 2500000000 bytes, more than limits.file_bytes (10000)"


def test_line_break_in_a_file_name_is_escaped(env: FolderEnvironment, caplog: pytest.LogCaptureFixture) -> None:
    env.put("Alice/x\nWARNING forged.jpg", "x")
    (skipped,) = env.import_folder(FakeVision(x=[NoFace("no face")])).skipped
    assert skipped == "known_faces/Alice/x\\nWARNING forged.jpg: no face"
    assert not any(
        record.getMessage().startswith("WARNING") or "\n" in record.getMessage() for record in caplog.records
    )


def test_pictures_in_deeper_folders_are_imported(env: FolderEnvironment) -> None:
    env.put("Alice/2024/May/3.jfif", "alice3")
    env.import_folder()
    assert env.pictures == 4


def test_picture_over_the_limits_is_not_described(tmp_path: Path, env: FolderEnvironment) -> None:
    vision = FakeVision()
    with closing(SqliteStore(tmp_path / "small.sqlite", limits=PeopleLimits(people=1, pictures_per_person=1))) as store:
        env.store = store
        first, second = env.import_folder(vision).skipped
        assert first.startswith("known_faces/Alice/2.png: Alice would have 2 pictures")
        assert second.startswith("known_faces/Bob_the_Builder/1.jpg: 2 people are more than the 1")
        assert vision.described == ["alice1"]
        env.put("Alice/1.jpg", "alice in another light")
        env.import_folder()
        assert env.similarity("alice", descriptor_of(b"alice in another light")) > 0.99


def test_copy_of_a_picture_is_enrolled_once(env: FolderEnvironment) -> None:
    """Regression: each import enrolled the copy again, with an audit line, and so delayed people.keep_days."""
    env.put("Alice/copy.jpg", "alice1")
    env.import_folder()
    revision, lines = env.store.faces.revision(), len(env.store.audit.read_lines(99))
    env.put("Alice/notes.txt", "text")
    env.import_folder()
    assert (env.store.faces.revision(), len(env.store.audit.read_lines(99))) == (revision, lines)
    env.put("Alice/2.png", "alice1")
    env.import_folder()
    assert (env.people, env.pictures) == (["Alice", "Bob the Builder"], 2)


@pytest.mark.parametrize("moved_to", ["0.jpg", "3.jpg"])
def test_moved_picture_and_its_replacement_are_both_enrolled(env: FolderEnvironment, moved_to: str) -> None:
    env.import_folder()
    (env.folder / "Alice/1.jpg").rename(env.folder / "Alice" / moved_to)
    env.put("Alice/1.jpg", "alice in another light")
    env.import_folder()
    assert env.pictures == 4
    assert sorted(env.sources)[:3] == [f"known_faces/Alice/{n}" for n in sorted([moved_to, "1.jpg", "2.png"])]
