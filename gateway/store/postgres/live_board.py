"""The board on which the replicas of a cluster note what their live cameras show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from gateway.model import Person
from gateway.model.sightings import CameraState, PersonPresence, Presence, PresentPerson
from gateway.store.protocols.live_board import Board, CameraNote
from gateway.store.relational.camera_owners import find_owned_cameras
from gateway.store.relational.database import Connection, Database

_WRITE_CAMERA = """
INSERT INTO live_cameras (camera, connected, last_frame, strangers) VALUES (?, ?, ?, ?)
ON CONFLICT (camera) DO UPDATE
SET connected = excluded.connected, last_frame = excluded.last_frame, strangers = excluded.strangers
"""
# By the id in the store: the rows go with the person.
_WRITE_PERSON = """
INSERT INTO live_people (camera, person, present, since, last_seen) SELECT ?, id, ?, ?, ? FROM people WHERE slug = ?
"""
# Of the places where a person is not any more, only the last one is of interest.
_FORGET_EARLIER = """
DELETE FROM live_people WHERE person = (SELECT id FROM people WHERE slug = ?) AND camera <> ? AND present = FALSE
AND last_seen <= ?
"""
# A camera that was forgotten while a note of it was being written has no row in the cluster.
_CAMERAS = """
SELECT camera, connected, last_frame, strangers FROM live_cameras
JOIN cluster_cameras ON cluster_cameras.name = camera ORDER BY camera
"""
_PEOPLE = """
SELECT camera, slug, people.name, present, since, last_seen FROM live_people
JOIN people ON people.id = live_people.person JOIN cluster_cameras ON cluster_cameras.name = camera
ORDER BY since, slug
"""

# A camera that was added a moment ago may not be on the board yet. One that is switched off stays: it would be on again
# when it comes back.
_SILENT = """
SELECT cluster_cameras.name FROM cluster_cameras LEFT JOIN live_cameras ON live_cameras.camera = cluster_cameras.name
WHERE cluster_cameras.name = ANY (?)
AND NOT EXISTS (SELECT FROM sightings WHERE sightings.camera = cluster_cameras.name)
AND NOT EXISTS (SELECT FROM cameras_off WHERE cameras_off.name = cluster_cameras.name)
AND greatest(added, to_timestamp(coalesce(last_frame, 0))) < clock_timestamp() - CASE
    WHEN (SELECT count(*) FROM cluster_cameras) < ? THEN interval '7 days' ELSE interval '10 minutes' END
ORDER BY cluster_cameras.name
"""


class PostgresLiveBoard:
    """The tables of the board, as store.protocols.LiveBoard describes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, notes: Sequence[CameraNote], epochs: Mapping[str, int]) -> None:
        with self._database.transaction() as db:
            owned = find_owned_cameras(db, epochs)
            for note in notes:
                if note.state.camera in owned:
                    _write(db, note)

    def forget(self, camera: str) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM live_cameras WHERE camera = ?", (camera,))

    def find_silent(self, names: Collection[str], most: int) -> Sequence[str]:
        return [name for (name,) in self._database.rows(_SILENT, (sorted(names), most))]

    def read(self) -> Board:
        with self._database.reading() as db:
            cameras = db.execute(_CAMERAS).fetchall()
            places = [_read_place(*row) for row in db.execute(_PEOPLE).fetchall()]
        notes = [_read_camera(row, [each for each in places if each.camera == row[0]]) for row in cameras]
        return Board(tuple(notes), tuple(choose_places(places)))


def _write(db: Connection, note: CameraNote) -> None:
    state, camera = note.state, note.state.camera
    db.execute(_WRITE_CAMERA, (camera, state.connected, state.last_frame, note.presence.strangers))
    db.execute("DELETE FROM live_people WHERE camera = ?", (camera,))
    for each in note.people:
        slug = each.person.slug
        db.execute(_WRITE_PERSON, (camera, each.present, each.since, each.last_seen, slug))
        db.execute(_FORGET_EARLIER, (slug, camera, each.last_seen))


def _read_place(
    camera: str, slug: str, name: str, present: bool, since: float | None, last_seen: float | None
) -> PersonPresence:
    return PersonPresence(
        person=Person(slug, name), present=bool(present), camera=camera, since=since, last_seen=last_seen
    )


def _read_camera(row: Sequence[object], places: Sequence[PersonPresence]) -> CameraNote:
    camera, connected, last_frame, strangers = row
    assert isinstance(camera, str)
    assert isinstance(strangers, int)
    present = tuple(PresentPerson(each.person, each.since or 0.0) for each in places if each.present)
    return CameraNote(
        CameraState(camera=camera, connected=bool(connected), last_frame=last_frame),  # type: ignore[arg-type]
        Presence(camera=camera, people=present, strangers=strangers),
        tuple(places),
    )


def choose_places(places: Iterable[PersonPresence]) -> Iterable[PersonPresence]:
    """Return one place for each person: where the person came last, or was last."""
    found: dict[str, PersonPresence] = {}
    for each in places:
        before = found.get(each.person.slug)
        if before is None or _rank(each) > _rank(before):
            found[each.person.slug] = each
    return found.values()


def _rank(place: PersonPresence) -> tuple[bool, float]:
    return place.present, (place.since if place.present else place.last_seen) or 0.0
