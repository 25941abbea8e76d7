"""People who are removed while their pictures in known_faces/ cannot be read do not come back with the folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import NoFace
from gateway.model import Person
from gateway.people.folder import scan as folder_scan
from gateway.people.folder.pictures import pictures_in_folders
from gateway.store.sqlite.people import SqliteStore
from tests.people.folder.test_importer import Eyes, House, descriptor_of, house
from tests.people.known import digest_of, sitting
from tests.support import wait_for

__all__ = ["house"]

OTHER = "Bob the Builder"


def missing(house: House) -> None:
    house.folder.rename(house.folder.with_name("away"))


def unmounted(house: House) -> None:
    missing(house)
    house.folder.mkdir()


def without_the_person(house: House) -> None:
    (house.folder / "Alice").rename(house.folder.with_name("away"))


def a_link_to_nowhere(house: House) -> None:
    without_the_person(house)
    (house.folder / "Alice").symlink_to(house.folder / "not mounted")


def a_picture_over_the_limit(house: House) -> None:
    missing(house)
    house.put("Alice/1.jpg", "alice1")
    house.put("Alice/2.png", "alice2")
    house.put("Alice/3.jpg", "a" * 10_001)


FAULTS: list[Callable[[House], None]] = [
    missing,
    unmounted,
    without_the_person,
    a_link_to_nowhere,
    a_picture_over_the_limit,
]


def come_back(house: House) -> None:
    """Everything is there again, with a picture that was never imported."""
    away = house.folder.with_name("away")
    if (away / "Alice").exists():
        shutil.rmtree(house.folder, ignore_errors=True)
        away.rename(house.folder)
    else:
        (house.folder / "Alice").unlink(missing_ok=True)
        away.rename(house.folder / "Alice")
    house.put("Alice/new.jpg", "alice3")


@pytest.fixture(params=[False, True], ids=["removed", "erased"])
def remove(request: pytest.FixtureRequest, house: House) -> Callable[[], None]:
    def remove() -> None:
        (house.registry.erase if request.param else house.registry.remove)("alice", "rest")

    return remove


@pytest.mark.parametrize("break_folder", FAULTS)
def test_nobody_comes_back_with_a_folder_that_could_not_be_read(
    house: House, remove: Callable[[], None], break_folder: Callable[[House], None]
) -> None:
    """Regression: a picture that could not be read at the removal was imported afterwards."""
    house.imported()
    break_folder(house)
    remove()
    come_back(house)
    assert any("rename the folder or enrol the person by another way" in each for each in house.imported().skipped)
    assert house.stored == [OTHER]


def test_a_folder_beyond_the_bound_of_a_scan_is_closed(
    house: House, remove: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.imported()
    with monkeypatch.context() as bounded:
        bounded.setattr(folder_scan.FolderScanner.__init__, "__kwdefaults__", {"person": None, "max_entries": 4})
        remove()
    house.put("Alice/new.jpg", "alice3")
    house.imported()
    assert house.stored == [OTHER]


def test_a_folder_in_another_spelling_is_closed_too(house: House, remove: Callable[[], None]) -> None:
    house.imported()
    missing(house)
    remove()
    house.put("ÁLICE_/1.jpg", "alice3")
    house.imported()
    assert house.stored == [OTHER]


def test_a_person_who_never_came_from_the_folder_does_not_come_from_it_later(house: House) -> None:
    house.registry.enrol("Carol", [sitting("carol1", descriptor_of(b"carol1"))], "rest")
    missing(house)
    house.registry.erase("carol", "rest")
    house.put("Carol/1.jpg", "carol2")
    house.imported()
    assert house.stored == []


def test_a_folder_that_could_be_read_stays_open_for_new_pictures(house: House, remove: Callable[[], None]) -> None:
    house.imported()
    house.put("Alice/not_imported_yet.jpg", "alice3")
    remove()
    house.imported()
    assert house.stored == [OTHER]
    house.put("Alice/new.jpg", "alice4")
    house.imported()
    assert house.stored == ["Alice", OTHER]


def enrol(house: House) -> None:
    house.registry.enrol("alice", [sitting("alice9", descriptor_of(b"alice9"))], "rest")


def rename(house: House) -> None:
    house.registry.rename("bob_the_builder", "Alice", "rest")


def import_archive(house: House) -> None:
    (bob,) = house.store.export("bob_the_builder")
    house.registry.adopt([replace(bob, person=Person("alice", "Alice"))], "rest")


def rename_the_folder(house: House) -> None:
    (house.folder / "Alice").rename(house.folder / "Carol")


@pytest.mark.parametrize("lift", [enrol, rename, import_archive, rename_the_folder])
def test_a_closed_folder_is_opened_by(house: House, remove: Callable[[], None], lift: Callable[[House], None]) -> None:
    house.imported()
    missing(house)
    remove()
    come_back(house)
    lift(house)
    house.imported()
    assert "known_faces/Alice/new.jpg" in house.sources or "known_faces/Carol/new.jpg" in house.sources


def test_a_restored_backup_keeps_the_folder_of_an_erased_person_closed(tmp_path: Path, house: House) -> None:
    house.imported()
    missing(house)
    house.registry.erase("alice", "rest")
    with closing(SqliteStore(tmp_path / "backup.sqlite")) as backup:
        backup.stay_erased(house.store.erased(), house.store.secret())
        there = House(house.folder, backup)
        house.put("Alice/new.jpg", "alice3")
        there.imported()
        assert there.stored == []


def test_the_mark_of_a_closed_folder_does_not_show_its_name(house: House) -> None:
    house.imported()
    missing(house)
    house.registry.erase("alice", "rest")
    content = house.store.database.path.read_bytes()
    assert b"alice" not in content.lower()


def test_pictures_are_found_in_folders_of_these_names_alone(house: House) -> None:
    house.put("alice/1.jpg", "alice3")
    found = pictures_in_folders(house.folder, 10_000, ["Alice"])
    assert found.digests == {digest_of(each) for each in ("alice1", "alice2", "alice3")}
    assert found.complete


def test_nothing_that_is_shown_names_somebody_who_was_removed(
    house: House, remove: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: the folder's name stayed on /readyz, beside each picture that was not read again."""
    house.put("Alice/notes.txt", "text")
    house.put("Alice/3.jpg", "no face")
    house.put("Alice.jpg", "stray")
    (house.folder / "Alice/4.jpg").symlink_to("nowhere")
    house.put("Bob_the_Builder/notes.txt", "text")

    def shown() -> str:
        return " ".join((*faces.progress.skipped, *faces.warnings))

    errors: dict[str, list[Exception]] = {"no face": [NoFace("no face")] * 9}
    with house.watched(Eyes(**errors)) as faces:
        assert all(f"Alice/{name}" in shown() for name in ("notes.txt", "3.jpg", "4.jpg"))
        remove()
        wait_for(lambda: "alice" not in shown().lower())
        # the import that hides the names may still be running
        wait_for(lambda: "2 files of people who were removed are not used: it was removed" in shown())
        assert "known_faces/Bob_the_Builder/notes.txt" in shown()
    caplog.clear()
    assert "alice" not in str(house.imported()).lower() + caplog.text.lower()


def test_somebody_who_is_enrolled_again_is_shown_again(house: House, remove: Callable[[], None]) -> None:
    house.imported()
    house.put("Alice/notes.txt", "text")
    remove()
    assert "Alice" not in str(house.imported().skipped)
    enrol(house)
    assert "known_faces/Alice/notes.txt" in str(house.imported().skipped)
