"""Folders that are closed because their pictures could not be read when the person was removed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import NoFace
from gateway.model import Person
from gateway.model.caller import REST_CALLER
from gateway.people.folder import scanner as folder_scanner
from gateway.people.folder.pictures import find_folder_pictures
from gateway.store.sqlite.erasures import apply_erasures, read_erasures
from gateway.store.sqlite.store import SqliteStore
from tests.people.environment import digest_of, sample
from tests.people.folder_environment import FakeVision, FolderEnvironment, descriptor_of, env
from tests.support import wait_for

__all__ = ["env"]

OTHER = "Bob the Builder"


def missing(env: FolderEnvironment) -> None:
    env.folder.rename(env.folder.with_name("away"))


def unmounted(env: FolderEnvironment) -> None:
    missing(env)
    env.folder.mkdir()


def without_the_person(env: FolderEnvironment) -> None:
    (env.folder / "Alice").rename(env.folder.with_name("away"))


def a_link_to_nowhere(env: FolderEnvironment) -> None:
    without_the_person(env)
    (env.folder / "Alice").symlink_to(env.folder / "not mounted")


def a_picture_over_the_limit(env: FolderEnvironment) -> None:
    missing(env)
    env.put("Alice/1.jpg", "alice1")
    env.put("Alice/2.png", "alice2")
    env.put("Alice/3.jpg", "a" * 10_001)


FAULTS: list[Callable[[FolderEnvironment], None]] = [
    missing,
    unmounted,
    without_the_person,
    a_link_to_nowhere,
    a_picture_over_the_limit,
]


def restore_folder(env: FolderEnvironment) -> None:
    """Make the folder readable again, with a picture that was never imported."""
    away = env.folder.with_name("away")
    if (away / "Alice").exists():
        shutil.rmtree(env.folder, ignore_errors=True)
        away.rename(env.folder)
    else:
        (env.folder / "Alice").unlink(missing_ok=True)
        away.rename(env.folder / "Alice")
    env.put("Alice/new.jpg", "alice3")


@pytest.fixture(params=[False, True], ids=["removed", "erased"])
def remove(request: pytest.FixtureRequest, env: FolderEnvironment) -> Callable[[], None]:
    def remove() -> None:
        (env.registry.erase if request.param else env.registry.remove)("alice", REST_CALLER)

    return remove


@pytest.mark.parametrize("break_folder", FAULTS)
def test_removed_person_does_not_return_with_a_folder_that_was_unreadable(
    env: FolderEnvironment, remove: Callable[[], None], break_folder: Callable[[FolderEnvironment], None]
) -> None:
    """Regression: a picture that could not be read at the removal was imported afterwards."""
    env.import_folder()
    break_folder(env)
    remove()
    restore_folder(env)
    assert any("rename the folder or enrol the person in another way" in each for each in env.import_folder().skipped)
    assert env.stored == [OTHER]


def test_folder_beyond_the_limit_of_a_scan_is_closed(
    env: FolderEnvironment, remove: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    env.import_folder()
    with monkeypatch.context() as bounded:
        bounded.setattr(folder_scanner.FolderScanner.__init__, "__kwdefaults__", {"person": None, "max_entries": 4})
        remove()
    env.put("Alice/new.jpg", "alice3")
    env.import_folder()
    assert env.stored == [OTHER]


def test_folder_in_another_spelling_is_closed(env: FolderEnvironment, remove: Callable[[], None]) -> None:
    env.import_folder()
    missing(env)
    remove()
    env.put("ÁLICE_/1.jpg", "alice3")
    env.import_folder()
    assert env.stored == [OTHER]


def test_folder_is_closed_for_a_person_who_was_enrolled_by_request(env: FolderEnvironment) -> None:
    env.registry.enrol("Carol", [sample("carol1", descriptor_of(b"carol1"))], REST_CALLER)
    missing(env)
    env.registry.erase("carol", REST_CALLER)
    env.put("Carol/1.jpg", "carol2")
    env.import_folder()
    assert env.stored == []


def test_readable_folder_stays_open_for_new_pictures(env: FolderEnvironment, remove: Callable[[], None]) -> None:
    env.import_folder()
    env.put("Alice/not_imported_yet.jpg", "alice3")
    remove()
    env.import_folder()
    assert env.stored == [OTHER]
    env.put("Alice/new.jpg", "alice4")
    env.import_folder()
    assert env.stored == ["Alice", OTHER]


def enrol(env: FolderEnvironment) -> None:
    env.registry.enrol("alice", [sample("alice9", descriptor_of(b"alice9"))], REST_CALLER)


def rename(env: FolderEnvironment) -> None:
    env.registry.rename("bob_the_builder", "Alice", REST_CALLER)


def import_archive(env: FolderEnvironment) -> None:
    (bob,) = env.store.archive.export_people("bob_the_builder")
    env.registry.import_people([replace(bob, person=Person("alice", "Alice"))], REST_CALLER)


def rename_the_folder(env: FolderEnvironment) -> None:
    (env.folder / "Alice").rename(env.folder / "Carol")


@pytest.mark.parametrize("lift", [enrol, rename, import_archive, rename_the_folder])
def test_closed_folder_is_opened_by(
    env: FolderEnvironment, remove: Callable[[], None], lift: Callable[[FolderEnvironment], None]
) -> None:
    env.import_folder()
    missing(env)
    remove()
    restore_folder(env)
    lift(env)
    env.import_folder()
    assert "known_faces/Alice/new.jpg" in env.sources or "known_faces/Carol/new.jpg" in env.sources


def test_folder_of_an_erased_person_stays_closed_after_a_restore(tmp_path: Path, env: FolderEnvironment) -> None:
    env.import_folder()
    missing(env)
    env.registry.erase("alice", REST_CALLER)
    with closing(SqliteStore(tmp_path / "backup.sqlite")) as backup:
        apply_erasures(backup.database, read_erasures(env.store.database))
    with closing(SqliteStore(tmp_path / "backup.sqlite")) as backup:
        there = FolderEnvironment(env.folder, backup)
        env.put("Alice/new.jpg", "alice3")
        there.import_folder()
        assert there.stored == []


def test_store_does_not_contain_the_name_of_a_closed_folder(env: FolderEnvironment) -> None:
    env.import_folder()
    missing(env)
    env.registry.erase("alice", REST_CALLER)
    content = env.store.database.path.read_bytes()
    assert b"alice" not in content.lower()


def test_picture_search_reads_only_folders_of_the_given_names(env: FolderEnvironment) -> None:
    env.put("alice/1.jpg", "alice3")
    found = find_folder_pictures(env.folder, 10_000, ["Alice"])
    assert found.digests == {digest_of(each) for each in ("alice1", "alice2", "alice3")}
    assert found.complete


def test_reports_do_not_name_a_removed_person(
    env: FolderEnvironment, remove: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: the folder's name stayed on /readyz, beside each picture that was not read again."""
    env.put("Alice/notes.txt", "text")
    env.put("Alice/3.jpg", "no face")
    env.put("Alice.jpg", "stray")
    (env.folder / "Alice/4.jpg").symlink_to("nowhere")
    env.put("Bob_the_Builder/notes.txt", "text")

    def shown() -> str:
        return " ".join((*watcher.progress.skipped, *watcher.warnings))

    errors: dict[str, list[Exception]] = {"no face": [NoFace("no face")] * 9}
    with env.watch_folder(FakeVision(**errors)) as watcher:
        assert all(f"Alice/{name}" in shown() for name in ("notes.txt", "3.jpg", "4.jpg"))
        remove()
        wait_for(lambda: "alice" not in shown().lower())
        # the import that hides the names may still be running
        wait_for(lambda: "2 files of people who were removed are not used: a removed picture" in shown())
        assert "known_faces/Bob_the_Builder/notes.txt" in shown()
    caplog.clear()
    assert "alice" not in str(env.import_folder()).lower() + caplog.text.lower()


def test_reports_name_a_person_who_is_enrolled_again(env: FolderEnvironment, remove: Callable[[], None]) -> None:
    env.import_folder()
    env.put("Alice/notes.txt", "text")
    remove()
    assert "Alice" not in str(env.import_folder().skipped)
    enrol(env)
    assert "known_faces/Alice/notes.txt" in str(env.import_folder().skipped)
