"""The table of the search for other gateways is what the code does: each transition happens, and no other one can."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from gateway.errors import AnotherGateway
from gateway.mqtt.bridge import duplicate_detector as module
from gateway.mqtt.bridge.search_progress import SearchProgress
from gateway.mqtt.bridge.search_state import TRANSITIONS, SearchEvent, SearchState
from gateway.mqtt.transport.reconnector import NotYet
from tests.mqtt.bridge.fake_gateways import HIGHER, LOWER, OWN, UP_MS, FakeBroker, FakeGateway

Transition = tuple[SearchState, SearchEvent, SearchState]


@pytest.fixture(autouse=True)
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    for wait in ("ANSWER_WAIT_S", "LOOPBACK_WAIT_S", "LOOPBACK_INTERVAL_S"):
        monkeypatch.setattr(module, wait, 0.01)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Transition]:
    """The transitions of all gateways, in order."""
    seen: list[Transition] = []
    apply = SearchProgress.apply

    def record(progress: SearchProgress, event: SearchEvent) -> None:
        before = progress._state
        apply(progress, event)
        seen.append((before, event, progress._state))

    monkeypatch.setattr(SearchProgress, "apply", record)
    return seen


def search(gateway: FakeGateway) -> None:
    with suppress(NotYet, AnotherGateway):
        gateway.detector.search(gateway)


def search_on_a_lost_connection(gateway: FakeGateway) -> None:
    gateway.connected = False
    search(gateway)


def search_unheard(gateway: FakeGateway) -> None:
    gateway.broker.deaf.add(f"home/bridge/canary/{OWN}")
    search(gateway)


def search_beside(gateway: FakeGateway, instance: str, *, serving: bool) -> None:
    FakeGateway(gateway.broker, instance, serving=serving)
    search(gateway)


def find(gateway: FakeGateway, up_ms: int) -> None:
    FakeGateway(gateway.broker, HIGHER, up_ms, serving=True).publish_loopback()


TRIGGERS: dict[SearchEvent, Callable[[FakeGateway], object]] = {
    SearchEvent.INTERRUPTED: search_on_a_lost_connection,
    SearchEvent.UNHEARD: search_unheard,
    SearchEvent.ANSWERED: lambda gateway: search_beside(gateway, HIGHER, serving=True),
    SearchEvent.CLAIMED: lambda gateway: search_beside(gateway, LOWER, serving=False),
    SearchEvent.SILENT: search,
    SearchEvent.OLDER_FOUND: lambda gateway: find(gateway, 9 * UP_MS),
    SearchEvent.YOUNGER_FOUND: lambda gateway: find(gateway, 0),
}


@pytest.mark.parametrize(
    ("state", "event", "following"),
    [(state, event, following) for state, row in TRANSITIONS.items() for event, following in row.items()],
)
def test_each_transition_of_the_table_happens(
    seen: list[Transition], state: SearchState, event: SearchEvent, following: SearchState
) -> None:
    gateway = FakeGateway(FakeBroker(), serving=state is SearchState.EXCLUSIVE)
    assert gateway.detector._progress._state is state
    TRIGGERS[event](gateway)
    assert (state, event, following) in seen
    assert gateway.detector._progress._state is following


def test_table_has_a_row_for_each_state_and_uses_each_event() -> None:
    assert TRANSITIONS.keys() == set(SearchState)
    assert {event for row in TRANSITIONS.values() for event in row} == set(SearchEvent) == TRIGGERS.keys()
    assert {following for row in TRANSITIONS.values() for following in row.values()} == set(SearchState)


def test_only_silence_lets_a_gateway_serve() -> None:
    leading_to_exclusive = {
        event for row in (TRANSITIONS[SearchState.SEARCHING],) for event in row if row[event] is SearchState.EXCLUSIVE
    }
    assert leading_to_exclusive == {SearchEvent.SILENT}


def test_displaced_gateway_reacts_to_no_other_gateway(seen: list[Transition]) -> None:
    """Its own status must not overwrite that of the gateway that stays."""
    gateway = FakeGateway(FakeBroker(), serving=True)
    find(gateway, 9 * UP_MS)
    assert gateway.detector.displaced
    gateway.detector._challenges._times.clear()
    FakeGateway(gateway.broker, LOWER, 0, serving=True).publish_loopback()
    assert gateway.detector.displaced
    assert not gateway.detector.take_conflict()
    assert len(gateway.ended) == 1
