"""Sightings that end early: what they spent of the allowed rate holds for ``again_s``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.live.evidence import Evidence
from tests.examples import descriptor
from tests.live.conftest import ADAS
from tests.live.harness import LiveHarness, face
from tests.live.test_sightings import STRANGERS, show


def switch_off_and_on(live: LiveHarness) -> None:
    for on in (False, True):
        live.switches.turn("porch", on)
        live.state.note_switch("porch", live.now)


def forget_the_camera(live: LiveHarness) -> None:
    live.state.forget_camera("porch", live.now)


def show_many_others(live: LiveHarness) -> None:
    """Show more people than a camera has open sightings."""
    before = {each.now.id for each in live.book.open}
    for n in range(0, 36, 3):
        # Nobody stands where somebody else stood just before.
        live.frame(*(face(descriptor(1000 * len(live.announcer.events) + n + k), x=150 * k) for k in range(3)))
        live.wait(3)
    assert not before & {each.now.id for each in live.book.open}


INTERRUPTIONS = [switch_off_and_on, forget_the_camera, show_many_others]


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The shares of the rate that are spent, of all sightings together."""
    shares: list[float] = []
    spend = Evidence.spend

    def record(evidence: Evidence, share: float, person: str | None) -> None:
        shares.append(share)
        spend(evidence, share, person)

    monkeypatch.setattr(Evidence, "spend", record)
    return shares


@pytest.mark.parametrize("interrupt", INTERRUPTIONS)
def test_stranger_has_no_new_rate_after_an_early_end(
    live: LiveHarness, shares: list[float], interrupt: Callable[[LiveHarness], None]
) -> None:
    """Regression: each early end gave the stranger the whole allowed rate again."""
    spent = 0.0
    for _ in range(4):
        shares.clear()
        show(live, STRANGERS)
        spent += sum(shares)
        interrupt(live)
    assert 0 < spent <= 1 + 1e-6


@pytest.mark.parametrize("interrupt", INTERRUPTIONS)
def test_known_person_is_recognised_again_after_an_early_end(
    live: LiveHarness, interrupt: Callable[[LiveHarness], None]
) -> None:
    for _ in range(5):
        show(live, ADAS)
        interrupt(live)
    live.wait(130)
    of_ada = [each.event_type for each in live.announcer.events if each.sighting.person is not None]
    assert of_ada == 5 * ["recognised", "ended"]


def test_stranger_has_the_whole_rate_after_again_s(live: LiveHarness, shares: list[float]) -> None:
    show(live, STRANGERS)
    switch_off_and_on(live)
    live.wait(121)
    first = list(shares)
    show(live, STRANGERS)
    assert shares == 2 * first


def test_removed_person_is_not_recognised_by_an_ended_sighting(live: LiveHarness) -> None:
    """Somebody else may get the id of a removed person."""
    show(live, ADAS)
    switch_off_and_on(live)
    live.people.registry.remove("ada_lovelace", live.caller)
    live.enrol("Ada Lovelace", descriptor(77))
    live.wait(0.25)
    show(live, ADAS)
    assert live.announcer.told()[2:] == [("stranger", None)]
