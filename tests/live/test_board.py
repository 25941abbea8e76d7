"""The board of the cameras of all replicas: written by their owners, and announced by the leader."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from gateway.live.board_reader import BoardReader
from gateway.live.board_writer import BoardWriter
from gateway.model import Person
from gateway.model.sightings import CameraState, PersonPresence, Presence, PresentPerson
from gateway.store.protocols.live_board import Board
from tests.live.boards import MemoryBoard
from tests.live.harness import RecordedAnnouncer
from tests.support import wait_for

ADA, BOB = Person("ada", "Ada"), Person("bob", "Bob")


class Replica:
    """The writer of one replica, told what a test says."""

    def __init__(self, board: MemoryBoard) -> None:
        self.writer = BoardWriter(board)

    def show(self, camera: str, *people: Person, since: float = 100.0, strangers: int = 0) -> None:
        present = tuple(PresentPerson(each, since) for each in people)
        self.writer.announce_presence(Presence(camera=camera, people=present, strangers=strangers))
        self.writer.write()

    def see_last(self, camera: str, person: Person, *, present: bool, last_seen: float, since: float = 100.0) -> None:
        self.writer.announce_person(
            PersonPresence(person=person, present=present, camera=camera, since=since, last_seen=last_seen)
        )
        self.writer.write()


class Leader:
    def __init__(self, board: MemoryBoard, *people: Person) -> None:
        self.people = {each.slug: each for each in people}
        self.enabled = True
        self.announcer = RecordedAnnouncer()
        self.reader = BoardReader(board, lambda: self.people, lambda: self.enabled, [self.announcer])

    def places(self) -> list[tuple[str, bool, str | None]]:
        """Announce what has changed, and return the new announcements of people."""
        self.announcer.people.clear()
        self.reader.announce()
        return [(each.person.slug, each.present, each.camera) for each in self.announcer.people]


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard()


def test_person_is_where_they_came_last_on_the_cameras_of_all_replicas(board: MemoryBoard) -> None:
    first, second, leader = Replica(board), Replica(board), Leader(board, ADA, BOB)
    assert leader.places() == [("ada", False, None), ("bob", False, None)]
    first.show("porch", ADA)
    assert leader.places() == [("ada", True, "porch")]
    second.show("yard", ADA, since=200.0)
    assert leader.places() == [("ada", True, "yard")]
    second.show("yard")
    second.see_last("yard", ADA, present=False, last_seen=220.0, since=200.0)
    assert leader.places() == [("ada", True, "porch")]
    first.show("porch")
    first.see_last("porch", ADA, present=False, last_seen=150.0)
    assert leader.places() == [("ada", False, "yard")]
    assert leader.places() == []


def test_only_changes_are_written(board: MemoryBoard) -> None:
    replica = Replica(board)
    replica.show("porch", ADA)
    replica.show("porch", ADA)
    assert board.writes == 1
    replica.writer.announce_camera(CameraState(camera="porch", connected=True, last_frame=5.0))
    replica.writer.write()
    assert board.writes == 2
    assert board.notes["porch"].state.connected


def test_camera_of_another_replica_is_not_written_any_more(board: MemoryBoard) -> None:
    first, second = Replica(board), Replica(board)
    first.show("porch", ADA)
    first.writer.announce_presence(Presence(camera="porch"))
    first.writer.release("porch")
    second.show("porch", BOB)
    first.writer.write()
    assert [each.person for each in board.notes["porch"].people] == [BOB]


def test_camera_is_known_from_its_first_announcement_until_it_is_removed(board: MemoryBoard) -> None:
    calls: list[tuple[str, str]] = []
    added, removed = (lambda each: calls.append(("added", each))), (lambda each: calls.append(("removed", each)))
    writer = BoardWriter(board, added, removed)
    for _ in range(2):
        writer.announce_presence(Presence(camera="porch"))
        writer.announce_camera(CameraState(camera="porch"))
        writer.write()
        writer.remove_camera("porch")
        assert board.notes == {}
    assert calls == [("added", "porch"), ("removed", "porch")] * 2


def test_replica_that_has_noted_nothing_leaves_the_note_of_the_owner(board: MemoryBoard) -> None:
    Replica(board).show("porch", ADA)
    Replica(board).writer.remove_camera("porch")
    assert [each.person for each in board.notes["porch"].people] == [ADA]


def test_removed_person_is_withdrawn_and_not_written_again(board: MemoryBoard) -> None:
    replica, leader = Replica(board), Leader(board, ADA)
    replica.show("porch", ADA)
    leader.reader.announce()
    leader.people.clear()
    leader.reader.follow_people()
    assert leader.announcer.removed == ["ada"]
    replica.writer.remove_person("ada")
    replica.show("porch", strangers=1)
    assert board.notes["porch"].people == ()
    assert leader.places() == []


def test_renamed_person_is_announced_with_the_new_name(board: MemoryBoard) -> None:
    replica, leader = Replica(board), Leader(board, ADA)
    replica.show("porch", ADA)
    leader.reader.announce()
    leader.people["ada"] = replace(ADA, name="Ada Lovelace")
    leader.reader.announce()
    assert [each.person.name for each in leader.announcer.people] == ["Ada", "Ada Lovelace"]


def test_time_of_a_present_person_is_announced_once_a_minute(board: MemoryBoard) -> None:
    replica, leader = Replica(board), Leader(board, ADA)
    replica.show("porch", ADA)
    leader.reader.announce()
    replica.see_last("porch", ADA, present=True, last_seen=130.0)
    assert leader.places() == []
    replica.see_last("porch", ADA, present=True, last_seen=170.0)
    assert leader.places() == [("ada", True, "porch")]


def test_new_leader_announces_everything_again(board: MemoryBoard) -> None:
    Replica(board).show("porch", ADA)
    leader = Leader(board, ADA)
    for _ in range(2):
        leader.announcer.all.clear()
        leader.reader.start()
        leader.reader.stop()
        assert [kind for kind, _ in leader.announcer.all] == ["person", "camera", "switch"]
    leader.reader.close()


class SlowBoard(MemoryBoard):
    """A board whose reader waits while ``may_read`` is not set. ``is_waiting``: set when it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.may_read, self.is_waiting = threading.Event(), threading.Event()

    def read(self) -> Board:
        if not self.may_read.is_set():
            self.is_waiting.set()
        self.may_read.wait()
        return super().read()


def test_reader_that_waits_for_the_store_stops_immediately_and_announces_nothing() -> None:
    board = SlowBoard()
    leader = Leader(board, ADA)
    board.may_read.set()
    leader.reader.start()
    leader.announcer.all.clear()
    board.may_read.clear()
    try:
        wait_for(board.is_waiting.is_set)
        Replica(board).show("porch", ADA)
        leader.reader.stop()
    finally:
        board.may_read.set()
        leader.reader.close()
    assert leader.announcer.all == []


def test_threads_carry_a_change_to_the_leader(board: MemoryBoard) -> None:
    writer, leader = BoardWriter(board), Leader(board, ADA)
    writer.start()
    leader.reader.start()
    try:
        writer.announce_presence(Presence(camera="porch", people=(PresentPerson(ADA, 1.0),)))
        wait_for(lambda: any(each.present for each in leader.announcer.people))
        leader.enabled = False
        wait_for(lambda: ("switch", False) in leader.announcer.all)
    finally:
        writer.stop()
        leader.reader.close()
