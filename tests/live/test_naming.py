"""Strangers who get a name after they were seen."""

from __future__ import annotations

from tests.examples import descriptor
from tests.live.conftest import ADAS
from tests.live.harness import LiveHarness
from tests.live.test_sightings import show


def group_of(live: LiveHarness) -> int:
    """Return the unknown group of the stranger who was seen."""
    (group,) = {each.sighting.unknown for each in live.announcer.events if each.sighting.unknown is not None}
    return group


def test_person_who_is_named_after_a_visit_was_seen_on_that_camera(live: LiveHarness) -> None:
    """Regression: the topic of the person told nothing of it until the next visit, or a restart."""
    show(live, descriptor(3))
    live.wait(130)
    group = group_of(live)
    live.people.registry.enrol_unknown(group, "Cem", live.caller)
    live.wait(5)
    (ended,) = live.people.sightings.list_sightings(person="cem")
    cem = live.announcer.people[-1]
    assert (cem.person.slug, cem.present, cem.camera, cem.last_seen) == ("cem", False, "porch", ended.last_seen)


def test_sightings_that_get_their_name_after_the_person_was_noticed_count(live: LiveHarness) -> None:
    """Another process enrols the person first, and names the sightings then."""
    show(live, descriptor(3))
    live.wait(130)
    group = group_of(live)
    cem = live.enrol("Cem", descriptor(3))
    live.wait(3)
    assert [each.camera for each in live.announcer.people if each.person == cem] == [None]
    live.people.sightings.relabel(group, cem)
    live.wait(3)
    assert live.announcer.people[-1].camera == "porch"


def test_older_visit_that_gets_a_name_leaves_the_last_place_of_the_person(live: LiveHarness) -> None:
    show(live, descriptor(3), camera="hall")
    live.wait(130)
    show(live, ADAS)
    live.wait(130)
    group = group_of(live)
    told = len(live.announcer.people)
    live.people.registry.enrol_unknown(group, "Ada Lovelace", live.caller)
    live.wait(15)
    assert len(live.announcer.people) == told
