"""Sightings after a restart of the gateway."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.live.moment import Moment
from gateway.store.records import SightingRecord
from tests.examples import descriptor
from tests.live.conftest import ADAS
from tests.live.harness import START, LiveHarness, face
from tests.live.test_sightings import looks, show

MakeLive = Callable[..., LiveHarness]


def restart(make_live: MakeLive, live: LiveHarness, after_s: float, **options: object) -> LiveHarness:
    """Start again on the same store, some seconds later. Monotonic clocks begin anywhere."""
    return make_live(again=True, start=Moment(5.0, live.now.timestamp + after_s), **options)


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


def test_last_presence_and_last_frame_of_a_camera_are_known_after_a_restart(make_live: MakeLive) -> None:
    """Regression: they were unknown after each restart, until the next frame."""
    before = make_live()
    show(before, ADAS)
    left = before.now.timestamp
    show(before, descriptor(3), camera="hall")
    before.wait(130)
    after = restart(make_live, before, 20)
    last = {each.camera: (each.text, each.last_text) for each in after.announcer.presences}
    assert last == {"porch": ("nobody", "Ada Lovelace"), "hall": ("nobody", "1 stranger")}
    states = {each.camera: (each.connected, each.last_frame) for each in after.announcer.cameras}
    (seen,) = [each.last_seen for each in after.people.sightings.list_sightings(camera="porch")]
    assert states["porch"] == (False, seen)
    assert START.timestamp < seen <= left
    assert after.state.presences()[1].last_at == seen


def test_last_frame_after_a_restart_is_replaced_by_the_next_one(make_live: MakeLive) -> None:
    before = make_live()
    show(before, ADAS)
    before.wait(130)
    after = restart(make_live, before, 20)
    after.frame()
    assert after.announcer.cameras[-1].connected
    assert after.announcer.cameras[-1].last_frame == after.now.timestamp


def test_person_who_was_removed_before_a_restart_is_not_named_after_it(make_live: MakeLive) -> None:
    before = make_live()
    show(before, ADAS)
    before.wait(130)
    before.people.registry.remove("ada_lovelace", before.caller)
    after = restart(make_live, before, 20)
    assert [each for each in after.announcer.presences if each.last_text] == []
    assert [each.person.slug for each in after.announcer.people] == ["bob"]


def test_person_who_is_removed_after_a_restart_leaves_no_name_of_before(make_live: MakeLive) -> None:
    before = make_live()
    show(before, ADAS)
    before.wait(130)
    after = restart(make_live, before, 20)
    assert after.announcer.presences[-1].last_text == "Ada Lovelace"
    after.people.registry.remove("ada_lovelace", after.caller)
    after.wait(0.25)
    assert (after.announcer.presences[-1].last_text, after.announcer.presences[-1].last_at) == ("", None)


@pytest.mark.parametrize(("stay_s", "told"), [(130, []), (0, [("ended", "ada_lovelace")])])
def test_nothing_comes_back_from_sightings_that_are_not_kept(
    make_live: MakeLive, stay_s: float, told: list[tuple[str, str]]
) -> None:
    """An open sighting still gets its end, although the start deletes what is stored of it."""
    # In the past, by the clock of the computer.
    before = make_live(start=Moment(1000.0, 1_600_000_000.0))
    show(before, ADAS)
    before.wait(stay_s)
    after = restart(make_live, before, 20, keep_days=0)
    assert [each for each in after.announcer.presences if each.last_text] == []
    assert [each for each in after.announcer.people if each.camera or each.last_seen] == []
    after.wait(130)
    assert after.announcer.told() == told


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
