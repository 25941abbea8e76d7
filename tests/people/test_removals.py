"""Pictures that vanish from known_faces/: removals, removals that wait for a confirmation, and the warnings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import BadImage
from gateway.model.caller import REST_CALLER
from gateway.people.folder import removal_guard
from gateway.people.folder.recent_removals import RECENT_WINDOW_S, RecentRemovals
from gateway.people.folder.removal_guard import RemovalGuard, confirm_removal, held_removal
from gateway.store.records import Loss
from tests.people.environment import digest_of, sample
from tests.people.folder_environment import FakeVision, FolderEnvironment, descriptor_of, env, face_of
from tests.support import wait_for

__all__ = ["env"]

EVERYBODY = ["Alice", "Bob the Builder", "Carol", "Dan"]


@pytest.fixture
def four_people(env: FolderEnvironment) -> FolderEnvironment:
    """A folder of four people. Bob was renamed to Robert, and Alice has a counter-example."""
    env.put("Carol/1.jpg", "carol1")
    env.put("Dan/1.jpg", "dan1")
    env.import_folder()
    env.registry.add_counter_examples("alice", [sample("stranger", descriptor_of(b"stranger"))], REST_CALLER)
    env.registry.rename("bob_the_builder", "Robert", REST_CALLER)
    return env


RENAMED = ["Alice", "Carol", "Dan", "Robert"]


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def emptied_subfolders(folder: Path) -> None:
    for each in folder.iterdir():
        empty(each)


def a_file_in_its_place(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("not a folder")


def a_link_to_nowhere(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder.with_name("not mounted"))


def a_link_to_itself(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder)


def more_than_half(folder: Path) -> None:
    for each in ("Alice", "Bob_the_Builder", "Dan"):
        shutil.rmtree(folder / each)


FAULTS: list[Callable[[Path], Any]] = [
    empty,
    emptied_subfolders,
    shutil.rmtree,
    a_file_in_its_place,
    a_link_to_nowhere,
    a_link_to_itself,
    more_than_half,
]


@pytest.mark.parametrize("break_folder", FAULTS)
def test_broken_folder_removes_nobody(four_people: FolderEnvironment, break_folder: Callable[[Path], Any]) -> None:
    away = Path(shutil.copytree(four_people.folder, four_people.folder.with_name("away")))
    with four_people.watch_folder() as watcher:
        break_folder(four_people.folder)
        wait_for(lambda: any("people confirm-removal" in each for each in watcher.warnings))
        assert four_people.people == four_people.stored == RENAMED
        assert len(four_people.store.faces.read_counter_examples("dlib")) == 1
        remove(four_people.folder)
        away.rename(four_people.folder)
        wait_for(lambda: not watcher.warnings and held_removal(four_people.store.notes) == frozenset())
        assert four_people.people == RENAMED


@pytest.mark.parametrize("break_folder", FAULTS)
def test_broken_folder_removes_nobody_at_a_start(
    four_people: FolderEnvironment, break_folder: Callable[[Path], Any]
) -> None:
    break_folder(four_people.folder)
    with four_people.watch_folder() as watcher:
        assert watcher.warnings
        assert four_people.people == four_people.stored == RENAMED


@pytest.mark.parametrize("break_folder", FAULTS)
def test_confirmed_removal_is_made(four_people: FolderEnvironment, break_folder: Callable[[Path], Any]) -> None:
    with four_people.watch_folder() as watcher:
        break_folder(four_people.folder)
        # a scan that came while files were still being deleted counts fewer people
        count = "3 of 4" if break_folder is more_than_half else "4 of 4"
        wait_for(lambda: any(f"{count} people" in each for each in watcher.warnings))
        four_people.confirm()
        left = ["Carol"] if break_folder is more_than_half else []
        wait_for(lambda: four_people.people == four_people.stored == left)
        wait_for(lambda: not any("confirm-removal" in each for each in watcher.warnings))


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def test_confirmation_covers_people_removed_after_the_last_scan(four_people: FolderEnvironment) -> None:
    with four_people.watch_folder() as watcher:
        more_than_half(four_people.folder)
        wait_for(lambda: any("3 of 4 people" in each for each in watcher.warnings))
        watcher.stop()
        shutil.rmtree(four_people.folder / "Carol")
        four_people.confirm()
    four_people.import_folder()
    assert four_people.stored == []


def test_folder_faults_have_different_warnings(env: FolderEnvironment) -> None:
    env.import_folder()
    said = []
    for break_folder in (empty, shutil.rmtree, a_file_in_its_place):
        remove(env.folder)
        for path, picture in (("Alice/1.jpg", "alice1"), ("Alice/2.png", "alice2"), ("Bob_the_Builder/1.jpg", "bob1")):
            env.put(path, picture)
        break_folder(env.folder)
        with env.watch_folder() as watcher:
            said.append(watcher.warnings[0])
    assert ["has no pictures" in said[0], "does not exist" in said[1], "cannot be used" in said[2]] == [True] * 3


@pytest.mark.parametrize(
    ("break_folder", "fault"),
    [
        (shutil.rmtree, "does not exist"),
        (a_file_in_its_place, "cannot be used"),
        (a_link_to_nowhere, "cannot be used"),
        (empty, ""),
    ],
)
def test_unreadable_folder_is_reported_without_enrolled_people(
    env: FolderEnvironment, break_folder: Callable[[Path], Any], fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: a wrong people.folder at the first start looked healthy, and every face was unknown."""
    break_folder(env.folder)
    assert env.make_watcher(face_of).warnings == ()
    with env.watch_folder() as watcher:
        assert [fault in each for each in watcher.warnings] == ([True] if fault else [])
        assert list(watcher.warnings) == [each.message for each in caplog.records if each.levelname == "WARNING"]


def test_half_of_the_people_may_be_removed_at_once(four_people: FolderEnvironment) -> None:
    with four_people.watch_folder() as watcher:
        shutil.rmtree(four_people.folder / "Alice")
        shutil.rmtree(four_people.folder / "Dan")
        wait_for(lambda: four_people.people == four_people.stored == ["Carol", "Robert"])
        assert watcher.warnings == ()


def test_only_person_is_kept_until_the_removal_is_confirmed(env: FolderEnvironment) -> None:
    shutil.rmtree(env.folder / "Bob_the_Builder")
    env.import_folder()
    shutil.rmtree(env.folder / "Alice")
    env.import_folder()
    assert env.stored == ["Alice"]
    env.confirm()
    env.import_folder()
    assert env.stored == []


def test_removal_during_several_scans_is_judged_as_one(
    four_people: FolderEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``rm -r`` of a large folder takes longer than one scan."""
    with four_people.watch_folder() as watcher:
        scan = watcher._scanner.scan
        left = ["Alice", "Bob_the_Builder", "Carol", "Dan"]

        def scan_while_it_goes() -> Any:
            if left:
                shutil.rmtree(four_people.folder / left.pop())
            return scan()

        monkeypatch.setattr(watcher._scanner, "scan", scan_while_it_goes)
        wait_for(lambda: watcher.warnings)
        assert four_people.stored == RENAMED


def test_slow_removal_of_several_folders_is_judged_as_one(
    four_people: FolderEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: five of six people were removed in 18 seconds without a warning."""
    with four_people.watch_folder() as watcher:
        for folder, left in (("Alice", 3), ("Bob_the_Builder", 2)):
            shutil.rmtree(four_people.folder / folder)
            wait_for(lambda left=left: len(four_people.stored) == left)
        shutil.rmtree(four_people.folder / "Carol")
        wait_for(lambda: any("1 of 2 people" in each for each in watcher.warnings))
        assert four_people.stored == ["Carol", "Dan"]
        four_people.confirm()
        wait_for(lambda: four_people.stored == ["Dan"])
    assert four_people.stored == ["Dan"]
    removed = [each for each in caplog.messages if each.startswith("removed ")]
    assert [each.split(":")[0] for each in removed] == [
        "removed Alice (alice)",
        "removed Robert (bob_the_builder)",
        "removed Carol (carol)",
    ]
    assert {each.levelname for each in caplog.records if each.getMessage() in removed} == {"WARNING"}


def test_person_who_returns_is_no_recent_removal(four_people: FolderEnvironment) -> None:
    with four_people.watch_folder() as watcher:
        for _ in range(3):
            shutil.rmtree(four_people.folder / "Alice")
            wait_for(lambda: four_people.people == ["Carol", "Dan", "Robert"])
            four_people.put("Alice/1.jpg", "alice1")
            wait_for(lambda: four_people.people == RENAMED)
        assert watcher.warnings == ()


def test_recent_removals_end_with_their_window() -> None:
    now = 0.0
    recent = RecentRemovals({"back"}.__contains__, lambda: now)
    recent.add(["alice", "back"])
    now = RECENT_WINDOW_S - 1
    recent.add(["bob"])
    assert recent.count() == 2
    now = RECENT_WINDOW_S + 1
    assert recent.count() == 1


def test_person_with_a_picture_from_elsewhere_is_not_removed(four_people: FolderEnvironment) -> None:
    for person in ("alice", "carol", "dan"):
        picture = f"{person} at the door"
        four_people.registry.enrol(None, [sample(picture, descriptor_of(picture.encode()))], REST_CALLER, person=person)
    more_than_half(four_people.folder)
    four_people.import_folder()
    assert four_people.stored == ["Alice", "Carol", "Dan"]


def test_new_people_are_imported_while_a_removal_is_held_back(four_people: FolderEnvironment) -> None:
    more_than_half(four_people.folder)
    four_people.put("Eve/1.jpg", "eve1")
    four_people.import_folder()
    assert four_people.stored == ["Alice", "Carol", "Dan", "Eve", "Robert"]


def test_all_folders_may_be_renamed_at_once(env: FolderEnvironment) -> None:
    env.import_folder()
    (env.folder / "Alice").rename(env.folder / "Alicia")
    (env.folder / "Bob_the_Builder").rename(env.folder / "Robert")
    with env.watch_folder() as watcher:
        assert watcher.warnings == ()
        assert env.stored == ["Alicia", "Robert"]


class Unreadable:
    """Stand-in for an operating system that refuses to list a folder or open a file. The tests may run as root."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, error: OSError) -> None:
        self._patch, self._name, self._error = monkeypatch, name, error
        for function in ("scandir", "open"):
            self._refuse(function, getattr(os, function))

    def _refuse(self, function: str, real: Callable[..., Any]) -> None:
        def refuse(path: Any, *more: Any, **named: Any) -> Any:
            if isinstance(path, str | os.PathLike) and os.fspath(path).endswith(self._name):
                raise self._error
            return real(path, *more, **named)

        self._patch.setattr(os, function, refuse)


ERRORS = [PermissionError(13, "Permission denied"), OSError(5, "Input/output error"), OSError(116, "Stale file handle")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.strerror)
@pytest.mark.parametrize("name", ["known_faces", "Bob_the_Builder"])
def test_unreadable_folder_removes_nobody(
    four_people: FolderEnvironment, monkeypatch: pytest.MonkeyPatch, name: str, error: OSError
) -> None:
    with monkeypatch.context() as patch:
        Unreadable(patch, name, error)
        with four_people.watch_folder() as watcher:
            assert str(error.strerror) in watcher.warnings[0]
            assert four_people.people == four_people.stored == RENAMED
    with four_people.watch_folder() as watcher:
        assert watcher.warnings == ()


def test_unreadable_file_removes_nobody(four_people: FolderEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    four_people.put("Bob_the_Builder/1.jpg", "bob in another light")
    with monkeypatch.context() as patch:
        Unreadable(patch, "Bob_the_Builder/1.jpg", ERRORS[1])
        assert four_people.import_folder().skipped == (
            "known_faces/Bob_the_Builder/1.jpg: cannot be read (Input/output error)",
        )
    assert four_people.stored == RENAMED


@pytest.mark.parametrize("link", ["Bob_the_Builder", "Bob_the_Builder/1.jpg"])
def test_broken_link_removes_nobody(four_people: FolderEnvironment, link: str) -> None:
    remove(four_people.folder / link)
    (four_people.folder / link).symlink_to("/not/mounted")
    with four_people.watch_folder() as watcher:
        assert "Bob_the_Builder" in watcher.warnings[0]
        assert four_people.stored == RENAMED


def test_unread_folders_are_named_in_the_warning(four_people: FolderEnvironment) -> None:
    for folder in ("Alice", "Bob_the_Builder"):
        remove(four_people.folder / folder)
        (four_people.folder / folder).symlink_to("/not/mounted")
    with four_people.watch_folder() as watcher:
        assert watcher.warnings[0].startswith("known_faces/Alice, known_faces/Bob_the_Builder were not read: ")
        assert "known_faces/Alice, known_faces/Bob_the_Builder: " in watcher.progress.skipped[0]


def test_damaged_picture_does_not_remove_a_person(four_people: FolderEnvironment) -> None:
    """A full disk, or a copy that is not complete yet, leaves files that cannot be decoded."""
    four_people.put("Bob_the_Builder/1.jpg", "half")
    progress = four_people.import_folder(FakeVision(half=[BadImage("the picture ends too early")]))
    assert progress.skipped == ("known_faces/Bob_the_Builder/1.jpg: the picture ends too early",)
    assert four_people.stored == RENAMED


def test_person_keeps_the_id_when_the_only_picture_is_replaced(four_people: FolderEnvironment) -> None:
    four_people.put("Bob_the_Builder/1.jpg", "bob in another light")
    four_people.import_folder()
    assert four_people.stored == RENAMED
    assert four_people.similarity("bob_the_builder", descriptor_of(b"bob in another light")) > 0.99
    assert four_people.store.faces.find_face(digest_of("bob1"), "dlib") is None


class FakeNotes:
    """Stand-in for the store's notes."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}

    def read_note(self, name: str) -> str | None:
        return self.notes.get(name)

    def write_note(self, name: str, value: str | None) -> None:
        self.notes.pop(name, None)
        if value is not None:
            self.notes[name] = value

    def read_notes(self, prefix: str) -> list[tuple[str, str]]:
        return [each for each in sorted(self.notes.items()) if each[0].startswith(prefix)]

    def take_notes(self, prefix: str) -> list[str]:
        return [self.notes.pop(name) for name in sorted(self.notes) if name.startswith(prefix)]


def loss(removed: int, total: int) -> Loss:
    people = frozenset(range(removed))
    return Loss(people, people, total)


@pytest.mark.parametrize(("removed", "total", "allowed"), [(1, 1, False), (1, 2, True), (2, 3, False), (50, 100, True)])
def test_guard_holds_back_the_removal_of_more_than_half(removed: int, total: int, allowed: bool) -> None:
    assert RemovalGuard(FakeNotes()).allows(loss(removed, total), suspicious=False) is allowed
    assert not RemovalGuard(FakeNotes()).allows(loss(removed, total), suspicious=True)


@pytest.mark.parametrize(
    ("removed", "total", "recent", "allowed"), [(1, 5, 1, True), (1, 4, 2, True), (1, 3, 3, False), (0, 1, 9, True)]
)
def test_guard_counts_recent_removals(removed: int, total: int, recent: int, allowed: bool) -> None:
    assert RemovalGuard(FakeNotes()).allows(loss(removed, total), suspicious=False, recent=recent) is allowed


def test_guard_keeps_holding_back_after_the_window_and_a_restart() -> None:
    notes = FakeNotes()
    for recent in (3, 0):
        assert not RemovalGuard(notes).allows(loss(1, 3), suspicious=False, recent=recent)


def test_confirmation_holds_for_its_people_and_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = FakeNotes()
    guard = RemovalGuard(notes)
    assert not guard.allows(loss(3, 4), suspicious=False)
    confirm_removal(notes, held_removal(notes))
    assert guard.is_confirmed
    assert guard.allows(loss(3, 4), suspicious=False)
    assert not guard.allows(loss(4, 4), suspicious=False)
    monkeypatch.setattr(removal_guard, "CONFIRMATION_LIFETIME_S", -1.0)
    confirm_removal(notes, held_removal(notes))
    assert not guard.allows(loss(3, 4), suspicious=False)
    guard.release()
    assert (notes.notes, guard.held) == ({}, None)
