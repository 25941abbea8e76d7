"""The table of a delivery's states is what the ledger does: each transition happens, and no other one can."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.mqtt.transport.delivery_state import TRANSITIONS, DeliveryEvent, DeliveryState
from gateway.mqtt.transport.ledger import Delivery, Ledger
from gateway.mqtt.transport.packets import Publication, Received

REPLY = Publication("facegate/porch/response/face_rec/1", b"{}", expiry=60)
REPLY_MID = 9

Transition = tuple[DeliveryState, DeliveryEvent, DeliveryState]


class Session:
    def acknowledge(self, mid: int) -> None: ...


class LedgerHarness:
    """A ledger with two deliveries: ``earlier``, and the one that is tested."""

    def __init__(self) -> None:
        self.ledger: Ledger[Session] = Ledger()
        self.session = Session()
        self.ledger.begin(self.session, resumed=False)
        self.earlier, self.delivery = (self._deliver(mid) for mid in (1, 2))

    def _deliver(self, mid: int) -> Delivery[Session]:
        received = Received(f"facegate/porch/request/face_rec/{mid}", b"", retained=False, qos=1)
        delivery = Delivery(received=received, session=self.session, mid=mid)
        self.ledger.add(delivery)
        return delivery

    def reply(self) -> None:
        self.ledger.answer(self.delivery, [REPLY])

    def finish_without_reply(self) -> None:
        self.ledger.answer(self.delivery, [])

    def confirm(self) -> None:
        """Let the broker confirm the reply, which is published first if it is not yet."""
        if self.delivery.replies is None:
            self.reply()
        session = self.delivery.session
        self.ledger.record_sending(session, REPLY_MID, self.delivery)
        self.ledger.record_confirmed(session, REPLY_MID)

    def settle_earlier(self) -> None:
        self.ledger.answer(self.earlier, [])

    def reconnect(self, *, resumed: bool) -> None:
        self.session = Session()
        self.ledger.begin(self.session, resumed=resumed)

    def expire(self) -> None:
        if self.delivery.replies is None:
            self.reply()
        self.delivery.answered_at -= 100
        self.reconnect(resumed=False)


REACH: dict[DeliveryState, Callable[[LedgerHarness], object]] = {
    DeliveryState.RECEIVED: lambda _harness: None,
    DeliveryState.ANSWERED: LedgerHarness.reply,
    DeliveryState.SETTLED: LedgerHarness.finish_without_reply,
    DeliveryState.ORPHANED: lambda harness: harness.reconnect(resumed=False),
    DeliveryState.FORGOTTEN: lambda harness: harness.reconnect(resumed=True),
}
TRIGGERS: dict[DeliveryEvent, Callable[[LedgerHarness], object]] = {
    DeliveryEvent.REPLY: LedgerHarness.reply,
    DeliveryEvent.NO_REPLY: LedgerHarness.finish_without_reply,
    DeliveryEvent.CONFIRMED: LedgerHarness.confirm,
    DeliveryEvent.TURN: LedgerHarness.settle_earlier,
    DeliveryEvent.SESSION_RESUMED: lambda harness: harness.reconnect(resumed=True),
    DeliveryEvent.SESSION_LOST: lambda harness: harness.reconnect(resumed=False),
    DeliveryEvent.EXPIRED: LedgerHarness.expire,
}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Transition]:
    """The transitions of all deliveries, in order."""
    seen: list[Transition] = []
    apply = Delivery.apply

    def record(delivery: Delivery[Session], event: DeliveryEvent) -> None:
        before = delivery.state
        apply(delivery, event)
        seen.append((before, event, delivery.state))

    monkeypatch.setattr(Delivery, "apply", record)
    return seen


@pytest.mark.parametrize(
    ("state", "event", "following"),
    [(state, event, following) for state, row in TRANSITIONS.items() for event, following in row.items()],
)
def test_each_transition_of_the_table_happens(
    seen: list[Transition], state: DeliveryState, event: DeliveryEvent, following: DeliveryState
) -> None:
    harness = LedgerHarness()
    REACH[state](harness)
    assert harness.delivery.state is state
    before = len(seen)
    TRIGGERS[event](harness)
    assert (state, event, following) in seen[before:]
    assert harness.delivery.state is following


def test_table_has_a_row_for_each_state_and_uses_each_event() -> None:
    assert TRANSITIONS.keys() == set(DeliveryState)
    assert {event for row in TRANSITIONS.values() for event in row} == set(DeliveryEvent) == TRIGGERS.keys()


def test_each_state_is_reached_from_a_received_message() -> None:
    reached: set[DeliveryState] = set()
    to_visit = [DeliveryState.RECEIVED]
    while to_visit:
        state = to_visit.pop()
        if state not in reached:
            reached.add(state)
            to_visit += TRANSITIONS[state].values()
    assert reached == set(DeliveryState)


def test_only_settled_delivery_is_acknowledged() -> None:
    """An acknowledgement before the broker has the replies would lose the request with the gateway."""
    before = {state for state, row in TRANSITIONS.items() if DeliveryState.ACKNOWLEDGED in row.values()}
    assert before == {DeliveryState.SETTLED}


@pytest.mark.parametrize("state", [state for state in DeliveryState if state is not DeliveryState.ACKNOWLEDGED])
@pytest.mark.parametrize("event", DeliveryEvent)
def test_every_order_of_calls_stays_within_the_table(state: DeliveryState, event: DeliveryEvent) -> None:
    """A KeyError in the ledger would leave a request without an answer."""
    harness = LedgerHarness()
    REACH[state](harness)
    TRIGGERS[event](harness)
    for later in DeliveryEvent:
        TRIGGERS[later](harness)
    assert harness.delivery.state is not DeliveryState.RECEIVED
