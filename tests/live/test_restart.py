"""Sightings after a restart of the gateway."""

from __future__ import annotations

from collections.abc import Callable

from gateway.live.moment import Moment
from gateway.store.records import SightingRecord
from tests.examples import descriptor
from tests.live.conftest import ADAS
from tests.live.harness import START, LiveHarness, face
from tests.live.test_sightings import looks, show

MakeLive = Callable[..., LiveHarness]


def restart(make_live: MakeLive, live: LiveHarness, after_s: float) -> LiveHarness:
    """Start again on the same store, some seconds later. Monotonic clocks begin anywhere."""
    return make_live(again=True, start=Moment(5.0, live.now.timestamp + after_s))


def test_person_who_is_there_before_and_after_a_restart_is_announced_once(make_live: MakeLive) -> None:
    before = make_live()
    show(before, ADAS)
    after = restart(make_live, before, 20)
    assert [each.text for each in after.announcer.presences] == ["nobody"]
    show(after, ADAS)
    assert after.announcer.told() == []
    assert after.announcer.presences[-1].text == "Ada Lovelace"
    after.wait(130)
    (ended,) = after.announcer.events
    assert (ended.event_type, ended.sighting.id) == ("ended", before.announcer.events[0].sighting.id)
    assert ended.sighting.since == START.timestamp
    assert ended.sighting.reason != "restart"


def test_stranger_who_is_there_before_and_after_a_restart_is_announced_once(make_live: MakeLive) -> None:
    before = make_live()
    show(before, descriptor(3))
    after = restart(make_live, before, 20)
    show(after, descriptor(3))
    assert after.announcer.told() == []


def test_sighting_whose_person_does_not_come_back_ends_by_the_restart(make_live: MakeLive) -> None:
    before = make_live()
    show(before, ADAS)
    after = restart(make_live, before, 20)
    after.wait(130)
    (ended,) = after.announcer.events
    assert (ended.event_type, ended.sighting.reason) == ("ended", "restart")


def test_sighting_that_ended_long_ago_ends_at_once(make_live: MakeLive) -> None:
    before = make_live()
    show(before, ADAS)
    after = restart(make_live, before, 10_000)
    after.wait(0.25)
    assert after.announcer.told() == [("ended", "ada_lovelace")]
    show(after, ADAS)
    assert after.announcer.told()[1:] == [("recognised", "ada_lovelace")]


def test_spent_looks_outlive_a_restart(make_live: MakeLive) -> None:
    before = make_live()
    show(before, descriptor(3), frames=30)
    (sighting,) = before.book.open.on_camera("porch")
    after = restart(make_live, before, 20)
    (restored,) = after.book.open.on_camera("porch")
    assert restored.evidence.spent == sighting.evidence.spent > 0.5
    assert restored.evidence.looks == sighting.evidence.looks


def test_last_place_of_a_person_is_known_after_a_restart(make_live: MakeLive) -> None:
    before = make_live()
    show(before, ADAS)
    before.wait(130)
    after = restart(make_live, before, 20)
    ada = next(each for each in after.announcer.people if each.person.slug == "ada_lovelace")
    assert (ada.present, ada.camera) == (False, "porch")
    assert ada.last_seen is not None
    assert [each.camera for each in after.announcer.cameras] == ["porch"]
    assert not after.announcer.cameras[0].connected


def test_camera_that_is_off_stays_off(make_live: MakeLive) -> None:
    before = make_live()
    before.switches.turn("porch", False)
    before.state.note_switch("porch", before.now)
    before.switches.turn(None, False)
    before.state.note_switch(None, before.now)
    after = restart(make_live, before, 1)
    assert after.announcer.all[0] == ("switch", False)
    assert not after.switches.is_on("porch")
    after.switches.turn(None, True)
    after.state.note_switch(None, after.now)
    assert after.frame(face(looks(ADAS, 1))) is None
    assert after.frame(face(looks(ADAS, 1)), camera="hall") is not None


def test_visit_goes_on_over_a_restart(make_live: MakeLive) -> None:
    before = make_live()
    show(before, ADAS)
    after = restart(make_live, before, 20)
    show(after, ADAS, camera="hall")
    (event,) = after.announcer.events
    assert event.sighting.visit == before.announcer.events[0].sighting.visit


def test_sighting_whose_evidence_cannot_be_read_gets_its_end(make_live: MakeLive) -> None:
    before = make_live()
    show(before, ADAS)
    (record,) = before.people.sightings.read_open()
    before.people.sightings.save([SightingRecord(record.sighting, None, b"\x01damaged")])
    after = restart(make_live, before, 20)
    after.wait(130)
    (ended,) = after.announcer.events
    assert (ended.event_type, ended.sighting.id) == ("ended", record.sighting.id)
