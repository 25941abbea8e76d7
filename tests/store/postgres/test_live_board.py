"""The board of the live cameras: names go with the person."""

from __future__ import annotations

import time
from collections.abc import Mapping

from gateway.model import Person
from gateway.model.sightings import CameraState, PersonPresence, Presence, PresentPerson
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.postgres.live_board import PostgresLiveBoard
from gateway.store.protocols.live_board import CameraNote

ADA, BOB = Person("ada", "Ada"), Person("bob", "Bob")


def enrol(database: PostgresDatabase, *people: Person) -> None:
    with database.transaction() as db:
        db.executemany(
            "INSERT INTO people (uid, slug, name, name_key, created, changed, revision) VALUES (?, ?, ?, ?, 0, 0, 0)",
            [(each.slug, each.slug, each.name, each.slug) for each in people],
        )


class OwnBoard(PostgresLiveBoard):
    """The board of a replica, which owns cameras."""

    def __init__(self, database: PostgresDatabase, epochs: Mapping[str, int]) -> None:
        super().__init__(database)
        self._epochs = epochs

    def note(self, *notes: CameraNote) -> None:
        """Write notes, as the owner of these epochs."""
        self.write(notes, self._epochs)


def open_board(database: PostgresDatabase, *cameras: str, replica: str = "a") -> OwnBoard:
    """Return the board of a replica that becomes the owner of cameras."""
    return OwnBoard(database, give_cameras(database, replica, *cameras or ("porch", "yard")))


def give_cameras(database: PostgresDatabase, owner: str, *cameras: str) -> dict[str, int]:
    """Make a replica the owner of cameras. Return their epochs."""
    with database.transaction() as db:
        db.execute(
            "INSERT INTO cluster_replicas"
            " (id, process, lease_until, names_until, revision, serving, version, connected)"
            " VALUES (?, 'one', clock_timestamp(), clock_timestamp(), 0, TRUE, '1', TRUE) ON CONFLICT DO NOTHING",
            (owner,),
        )
        db.executemany(
            "INSERT INTO cluster_cameras (name, owner) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = cluster_cameras.epoch + 1",
            [(each, owner) for each in cameras],
        )
        return dict(db.execute("SELECT name, epoch FROM cluster_cameras").fetchall())


def place(person: Person, camera: str, *, present: bool = True, since: float = 1.0) -> PersonPresence:
    return PersonPresence(person=person, present=present, camera=camera, since=since, last_seen=since + 1)


def note(camera: str, *places: PersonPresence, strangers: int = 0) -> CameraNote:
    people = tuple(PresentPerson(each.person, each.since or 0.0) for each in places if each.present)
    state = CameraState(camera=camera, connected=True, last_frame=5.0)
    return CameraNote(state, Presence(camera=camera, people=people, strangers=strangers), places)


def test_board_is_the_same_for_all_replicas(database: PostgresDatabase, other: PostgresDatabase) -> None:
    enrol(database, ADA, BOB)
    notes = [note("porch", place(ADA, "porch"), strangers=2), note("yard", place(BOB, "yard", present=False))]
    open_board(database).note(*notes)
    board = PostgresLiveBoard(other).read()
    assert list(board.cameras) == notes
    assert {each.person.slug: each.camera for each in board.people} == {"ada": "porch", "bob": "yard"}


def test_person_is_on_the_camera_that_they_came_to_last(database: PostgresDatabase) -> None:
    enrol(database, ADA)
    board = open_board(database)
    board.note(note("porch", place(ADA, "porch", since=10.0)), note("yard", place(ADA, "yard", since=20.0)))
    assert [each.camera for each in board.read().people] == ["yard"]
    board.note(note("yard", place(ADA, "yard", since=20.0, present=False)))
    assert [each.camera for each in board.read().people] == ["porch"]


def test_only_the_last_place_of_a_person_stays(database: PostgresDatabase) -> None:
    enrol(database, ADA)
    board = open_board(database)
    board.note(note("porch", place(ADA, "porch", present=False, since=10.0)))
    board.note(note("yard", place(ADA, "yard", present=False, since=20.0)))
    assert database.rows("SELECT camera FROM live_people") == [("yard",)]


def test_removed_person_is_on_no_camera_any_more(database: PostgresDatabase) -> None:
    enrol(database, ADA, BOB)
    board = open_board(database)
    shown = note("porch", place(ADA, "porch"), place(BOB, "porch"))
    board.note(shown)
    database.rows("DELETE FROM people WHERE slug = ? RETURNING id", ("ada",))
    assert [each.person for each in board.read().people] == [BOB]
    # Another replica that has not followed the removal yet names nobody either.
    board.note(shown)
    assert [each.person for each in board.read().people] == [BOB]
    assert [each.person for each in board.read().cameras[0].presence.people] == [BOB]


def test_forgotten_camera_is_gone(database: PostgresDatabase) -> None:
    enrol(database, ADA)
    board = open_board(database)
    board.note(note("porch", place(ADA, "porch")))
    board.forget("porch")
    found = board.read()
    assert (found.cameras, found.people) == ((), ())


def test_note_of_a_camera_that_the_cluster_forgot_while_it_was_written_is_not_read(database: PostgresDatabase) -> None:
    enrol(database, ADA)
    board = open_board(database)
    board.note(note("porch", place(ADA, "porch")), note("yard"))
    database.rows("DELETE FROM cluster_cameras WHERE name = ? RETURNING name", ("porch",))
    found = board.read()
    assert [each.state.camera for each in found.cameras] == ["yard"]
    assert found.people == ()


def test_silent_cameras_without_sightings_are_found(database: PostgresDatabase) -> None:
    now, day = time.time(), 86_400.0
    ages = {"new": (0.0, None), "sends": (30 * day, 60.0), "quiet": (30 * day, day), "silent": (30 * day, 8 * day)}
    ages |= {
        "never": (8 * day, None),
        "seen": (30 * day, 8 * day),
        "other": (30 * day, 8 * day),
        "off": (30 * day, 8 * day),
    }
    board = open_board(database, *ages)
    with database.transaction() as db:
        for name, (added, last) in ages.items():
            db.execute("UPDATE cluster_cameras SET added = to_timestamp(?) WHERE name = ?", (now - added, name))
            if last is not None:
                state = CameraState(camera=name, connected=False, last_frame=now - last)
                board.note(CameraNote(state, Presence(camera=name)))
        db.execute(
            "INSERT INTO sightings (id, visit, camera, since, last, outcome, frames, ignored, zones, recipe)"
            " VALUES ('s', 'v', 'seen', 1, 2, 'unknown', 1, FALSE, '[]', 'recipe')"
        )
        # Forgotten, it would be on again when it comes back.
        db.execute("INSERT INTO cameras_off (name) VALUES ('off')")
    own = ages.keys() - {"other"}
    assert board.find_silent(own, 2_000) == ["never", "silent"]
    # Without room for others, a camera that sent nothing for ten minutes is displaced.
    assert board.find_silent(own, len(ages)) == ["never", "quiet", "silent"]


def test_late_note_of_a_former_owner_is_dropped(database: PostgresDatabase) -> None:
    board = open_board(database)
    board.note(note("porch", strangers=1))
    open_board(database, "porch", replica="b").note(note("porch", strangers=2))
    board.note(note("porch", strangers=1))
    assert [each.presence.strangers for each in board.read().cameras] == [2]
    # The replica owns the camera again, but the note has the earlier epoch.
    open_board(database, "porch")
    board.note(note("porch", strangers=1))
    assert [each.presence.strangers for each in board.read().cameras] == [2]
