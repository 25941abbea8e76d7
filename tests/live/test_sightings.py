"""Sightings: their events, and what each face and each pause means for them."""

from __future__ import annotations

from gateway.model import Person
from tests.examples import ALICE, BOB, descriptor, near
from tests.live.harness import CROP, LiveHarness, face

ADAS, BOBS, STRANGERS = descriptor(1), descriptor(2), descriptor(3)
ADA = Person("alice", ALICE.name)


def harness() -> LiveHarness:
    return LiveHarness((ALICE, [ADAS]), (BOB, [BOBS]))


def test_known_person_is_recognised_once_and_ends_after_the_last_face() -> None:
    live = harness()
    for n in range(30):
        live.frame(face(near(ADAS, 0.98, n), x=100 + n))
        live.wait(0.2)
    assert live.announcer.told() == [("recognised", "alice")]
    live.wait(130)
    assert live.announcer.told() == [("recognised", "alice"), ("ended", "alice")]
    assert live.announcer.events[-1].sighting.reason == "camera_lost"


def test_snapshot_comes_before_its_event_and_presence_after() -> None:
    live = harness()
    live.frame(face(ADAS))
    kinds = [kind for kind, _ in live.announcer.all if kind in ("snapshot", "recognised", "presence")]
    assert kinds[-3:] == ["snapshot", "recognised", "presence"]
    assert live.announcer.snapshots == [("porch", CROP)]


def test_stranger_is_announced_after_two_faces_and_a_second() -> None:
    live = harness()
    live.frame(face(STRANGERS))
    live.wait(2)
    assert live.announcer.told() == []
    live.frame(face(near(STRANGERS, 0.99)))
    live.wait(0.25)
    (event,) = live.announcer.events
    assert (event.event_type, event.sighting.unknown, event.sighting.seen) == ("stranger", 1, 1)
