"""The hub of events: the newest states, the last sightings, and positions in them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest

from gateway.contract.base import WireModel
from gateway.contract.events import PeopleEventDocument, write_present_event
from gateway.contract.live import write_event
from gateway.model import Person
from gateway.model.people import Likeness
from gateway.rest.events import hub as module
from gateway.rest.events.hub import Choice, EventHub
from tests.rest.events.examples import ADA, GRACE, presence, sighting_event


def make_hub(*people: Person) -> EventHub:
    return EventHub({each.slug: each.name for each in people or (ADA, GRACE)}.get)


def people(known: int) -> PeopleEventDocument:
    return PeopleEventDocument(known=known, revision=known)


def add_sighting(hub: EventHub, key: str, camera: str = "porch", mark: int | None = None) -> None:
    hub.add("sighting", partial(write_event, sighting_event(key, camera, ADA)), camera, [ADA.slug], mark)


def test_only_the_newest_version_of_a_state_is_read() -> None:
    hub = make_hub()
    for known in range(5):
        hub.set_state("people", partial(people, known))
    (entry,) = hub.news(0).entries
    assert (entry.number, entry.data()) == (5, b'{"schema":1,"known":4,"revision":4}')
    assert hub.news(5).entries == ()


def test_states_and_sightings_are_read_in_their_order() -> None:
    hub = make_hub()
    add_sighting(hub, "s1")
    hub.set_state("people", partial(people, 1))
    add_sighting(hub, "s2")
    news = hub.news(0)
    assert [(each.number, each.kind) for each in news.entries] == [(1, "sighting"), (2, "people"), (3, "sighting")]
    assert (news.position, news.lost) == (3, False)
    # A new client learns the state of now, and no old sightings.
    assert [each.kind for each in hub.states().entries] == ["people"]


def test_document_is_written_when_it_is_first_read_and_only_once() -> None:
    written = []

    def write() -> WireModel:
        written.append(1)
        return people(1)

    hub = make_hub()
    hub.set_state("people", write)
    assert written == []
    (entry,) = hub.news(0).entries
    assert entry.data() == entry.data()
    assert written == [1]


def test_sightings_beyond_the_limit_are_lost_and_a_client_learns_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOGGED", 3)
    hub = make_hub()
    for n in range(5):
        add_sighting(hub, f"s{n}")
    assert [each.number for each in hub.news(2).entries] == [3, 4, 5]
    assert [hub.news(position).lost for position in (1, 2)] == [True, False]


def test_number_of_states_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STATES", 3)
    hub = make_hub()
    for n in range(5):
        hub.set_state("present", partial(write_present_event, presence(f"cam{n}")), f"cam{n}")
    assert [each.camera for each in hub.states().entries] == ["cam2", "cam3", "cam4"]


def test_id_of_another_run_or_of_the_future_is_unknown() -> None:
    hub = make_hub()
    hub.set_state("people", partial(people, 1))
    assert hub.read_id(hub.write_id(1)) == module.LastRead(1, 0)
    for text in (
        make_hub().write_id(1),
        hub.write_id(2),
        "",
        "1",
        f"{hub.run}-",
        f"{hub.run}-x",
        "\N{SNOWMAN}",
        "9" * 99,
    ):
        assert hub.read_id(text) is None


def test_client_of_another_replica_gets_the_events_that_it_missed() -> None:
    here, there = make_hub(), make_hub()
    for number, mark in enumerate((100, 105, 109)):
        for hub in (here, there):
            hub.set_state("people", partial(people, number))
            add_sighting(hub, f"s{mark}", mark=mark)
    second = there.news(0).entries[1]
    last = here.read_id(there.write_id(second.number, second.mark))
    assert last == module.LastRead(None, 105)
    news = here.states_and_news(105)
    assert [(each.kind, each.mark) for each in news.entries] == [("people", 105), ("sighting", 109)]
    assert (news.lost, news.mark) == (False, 109)
    # Nobody knows what was in between.
    here.drop_before(107)
    assert here.states_and_news(105).lost
    # Before the first event of the cluster no number means anything.
    assert make_hub().read_id(there.write_id(second.number, second.mark)) is None


def test_nothing_names_a_person_who_was_removed() -> None:
    names = {each.slug: each.name for each in (ADA, GRACE)}
    hub = EventHub(names.get)
    hub.set_state("present", partial(write_present_event, presence("porch", ADA)), "porch", [ADA.slug])
    hub.set_state("present", partial(write_present_event, presence("yard", GRACE)), "yard", [GRACE.slug])
    add_sighting(hub, "s1")
    hub.forget_person(ADA.slug)
    assert [(each.kind, each.camera) for each in hub.news(0).entries] == [("present", "yard")]
    del names[GRACE.slug]
    hub.forget_removed()
    assert hub.news(0) == module.News((), 3)


def test_event_that_names_a_removed_person_is_not_written_before_it_is_dropped() -> None:
    """Regression: for up to a second after an erasure, a client that continued got the name."""
    names = {each.slug: each.name for each in (ADA, GRACE)}
    hub = EventHub(names.get)
    add_sighting(hub, "s1")
    (entry,) = hub.news(0).entries
    assert entry.data() is not None
    del names[ADA.slug]
    assert entry.data() is None


def test_stored_events_have_the_present_names() -> None:
    """Regression: a client that continued got the name of before a rename."""
    names = {each.slug: each.name for each in (ADA, GRACE)}
    hub = EventHub(names.get)
    event = sighting_event("s1", "porch", ADA)
    sighting = replace(event.sighting, candidates=(Likeness(GRACE, 0.5, 0.5), Likeness(ADA, 0.4, 0.4)))
    changed = replace(event, sighting=sighting, previous=GRACE)
    hub.add("sighting", partial(write_event, changed), "porch", [ADA.slug, GRACE.slug])
    hub.set_state("present", partial(write_present_event, presence("porch", GRACE)), "porch", [GRACE.slug])
    news, before = hub.news(0).entries, [ADA.name, GRACE.name]
    assert [[name.encode() in (each.data() or b"") for name in before] for each in news] == [[True] * 2, [False, True]]
    names.update({ADA.slug: "Augusta", GRACE.slug: "Amazing Grace"})
    written, present = (json.loads(each.data() or b"") for each in news)
    assert (written["name"], written["previous"]["name"]) == ("Augusta", "Amazing Grace")
    assert [each["name"] for each in written["candidates"]] == ["Amazing Grace", "Augusta"]
    assert [each["name"] for each in present["people"]] == ["Amazing Grace"]
    assert (written["camera"], written["sighting"]) == ("porch", "s1")


def test_states_that_nobody_updates_are_dropped_with_the_last_listener() -> None:
    hub = make_hub()
    hub.set_listening(True)
    hub.set_state("people", partial(people, 1))
    hub.set_state("present", partial(write_present_event, presence("porch")), "porch")
    hub.set_listening(False)
    assert [each.kind for each in hub.states().entries] == ["present"]
    assert not hub.has_state("people")


def test_camera_that_was_forgotten_has_no_state() -> None:
    hub = make_hub()
    for camera in ("porch", "yard"):
        hub.set_state("present", partial(write_present_event, presence(camera)), camera)
    hub.forget_camera("porch")
    assert [each.camera for each in hub.states().entries] == ["yard"]


def test_choice_by_kind_and_by_camera() -> None:
    hub = make_hub()
    hub.set_state("people", partial(people, 1))
    add_sighting(hub, "s1", "porch")
    add_sighting(hub, "s2", "yard")
    hub.set_state("present", partial(write_present_event, presence("porch")), "porch")
    entries = hub.news(0).entries

    def chosen(choice: Choice) -> list[int]:
        return [each.number for each in entries if choice.includes(each)]

    assert chosen(Choice()) == [1, 2, 3, 4]
    assert chosen(Choice(kinds=frozenset({"sighting"}))) == [2, 3]
    # An event about no camera is for everybody.
    assert chosen(Choice(cameras=frozenset({"yard"}))) == [1, 3]
    assert chosen(Choice(frozenset({"sighting", "present"}), frozenset({"porch"}))) == [2, 4]
