"""Who is owed what: an acknowledgement too early loses a request, one on the wrong link loses somebody else's."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace

import pytest

from gateway.mqtt.transport.ledger import MAX_EXTRA_SESSIONS, Delivery, Ledger
from gateway.mqtt.transport.packets import Publication, Received
from gateway.mqtt.transport.reconnector import MAX_SHORT_CONNECTIONS

REPLY = Publication("facegate/porch/response/face_rec/1", b"{}")
VERDICT = Publication("facegate/porch/verdict/1", b"match")


class Wire:
    """A connection that writes down what it acknowledges."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []

    def acknowledge(self, mid: int) -> None:
        self.acknowledged.append(mid)


@pytest.fixture
def ledger() -> Ledger[Wire]:
    return Ledger()


@pytest.fixture
def wire(ledger: Ledger[Wire]) -> Wire:
    wire = Wire()
    assert ledger.begin(wire, resumed=False) == []
    return wire


def deliver(ledger: Ledger[Wire], wire: Wire, mid: int, payload: bytes = b"") -> Delivery[Wire]:
    delivery = Delivery(received=Received(f"t/{mid}", payload, retained=False, qos=1), session=wire, mid=mid)
    ledger.add(delivery)
    return delivery


def test_it_is_acknowledged_once_the_broker_has_every_reply_to_it(ledger: Ledger[Wire], wire: Wire) -> None:
    """On receipt, 45 of 4,135 requests were lost when the gateway was killed; after the replies none."""
    delivery = deliver(ledger, wire, 7)
    assert ledger.answer(delivery, [VERDICT, REPLY]) is wire
    ledger.record_sent(wire, 1, delivery)
    ledger.record_confirmed(wire, 1)
    ledger.record_sent(wire, 2, delivery)
    assert wire.acknowledged == []
    assert (len(ledger), ledger.in_flight) == (1, 1)
    ledger.record_confirmed(wire, 2)
    assert wire.acknowledged == [7]
    assert (len(ledger), ledger.in_flight) == (0, 0)


def test_what_needs_no_reply_is_acknowledged_at_once(ledger: Ledger[Wire], wire: Wire) -> None:
    assert ledger.answer(deliver(ledger, wire, 7), []) is wire
    assert wire.acknowledged == [7]


def test_it_is_acknowledged_in_the_order_of_receipt_whatever_is_answered_first(
    ledger: Ledger[Wire], wire: Wire
) -> None:
    deliveries = [deliver(ledger, wire, mid) for mid in (5, 3, 9)]
    for out, at in ((11, 2), (12, 1)):
        ledger.answer(deliveries[at], [REPLY])
        ledger.record_sent(wire, out, deliveries[at])
        ledger.record_confirmed(wire, out)
    assert wire.acknowledged == []
    ledger.answer(deliveries[0], [REPLY])
    ledger.record_sent(wire, 13, deliveries[0])
    assert wire.acknowledged == []
    ledger.record_confirmed(wire, 13)
    assert wire.acknowledged == [5, 3, 9]


def test_only_the_front_that_is_settled_is_acknowledged(ledger: Ledger[Wire], wire: Wire) -> None:
    first, second, third = (deliver(ledger, wire, mid) for mid in (1, 2, 3))
    ledger.answer(third, [])
    ledger.answer(first, [])
    assert wire.acknowledged == [1]
    assert ledger.oldest_received_at() == second.received_at
    ledger.answer(second, [])
    assert wire.acknowledged == [1, 2, 3]
    assert ledger.oldest_received_at() is None


def test_the_brokers_word_may_come_before_publish_returns(ledger: Ledger[Wire], wire: Wire) -> None:
    """paho calls on_publish from its own thread: the request then stayed unacknowledged for ever."""
    delivery = deliver(ledger, wire, 7)
    ledger.answer(delivery, [VERDICT, REPLY])
    ledger.record_confirmed(wire, 2)
    ledger.record_confirmed(wire, 1)
    assert wire.acknowledged == []
    ledger.record_sent(wire, 1, delivery)
    ledger.record_sent(wire, 2, delivery)
    assert wire.acknowledged == [7]
    assert ledger.in_flight == 0


def test_a_number_that_is_used_again_is_not_taken_for_the_one_that_came_early(ledger: Ledger[Wire], wire: Wire) -> None:
    one, other = deliver(ledger, wire, 7), deliver(ledger, wire, 8)
    ledger.answer(one, [REPLY])
    ledger.answer(other, [REPLY])
    ledger.record_confirmed(wire, 1)
    ledger.record_sent(wire, 1, one)
    ledger.record_sent(wire, 1, other)
    assert wire.acknowledged == [7]
    ledger.record_confirmed(wire, 1)
    assert wire.acknowledged == [7, 8]


def test_what_is_no_answer_is_counted_and_acknowledges_nothing(ledger: Ledger[Wire], wire: Wire) -> None:
    deliver(ledger, wire, 7)
    ledger.record_sent(wire, 1, None)
    assert ledger.in_flight == 1
    ledger.record_confirmed(wire, 1)
    assert (ledger.in_flight, wire.acknowledged) == (0, [])


@pytest.mark.parametrize("resumed", [True, False])
def test_an_older_link_has_no_part_in_the_new_one(ledger: Ledger[Wire], wire: Wire, resumed: bool) -> None:
    """The broker's numbers begin anew with each connection: a stale one acknowledged another message, and lost it."""
    old = deliver(ledger, wire, 7)
    ledger.answer(old, [REPLY])
    ledger.record_sent(wire, 1, old)
    new = Wire()
    ledger.begin(new, resumed=resumed)
    again = deliver(ledger, new, 7)
    ledger.answer(again, [REPLY])
    ledger.record_sent(new, 1, again)
    ledger.record_confirmed(wire, 1)
    ledger.record_sent(wire, 1, old)
    late = deliver(ledger, wire, 8)
    assert (wire.acknowledged, new.acknowledged, len(ledger), ledger.in_flight) == ([], [], 1, 1)
    ledger.answer(late, [])
    assert (wire.acknowledged, new.acknowledged) == ([], [])
    ledger.record_confirmed(new, 1)
    assert (wire.acknowledged, new.acknowledged) == ([], [7])


def test_an_early_word_on_the_old_link_settles_nothing_on_the_new_one(ledger: Ledger[Wire], wire: Wire) -> None:
    ledger.record_confirmed(wire, 1)
    new = Wire()
    ledger.begin(new, resumed=True)
    delivery = deliver(ledger, new, 7)
    ledger.answer(delivery, [REPLY])
    ledger.record_sent(new, 1, delivery)
    assert new.acknowledged == []
    assert ledger.in_flight == 1


def test_what_a_resumed_session_delivers_again_is_forgotten(ledger: Ledger[Wire], wire: Wire) -> None:
    """Its answer would come twice, and the older one acknowledge whatever has its number by then."""
    under_way, answered = deliver(ledger, wire, 7), deliver(ledger, wire, 8)
    ledger.answer(answered, [REPLY])
    new = Wire()
    assert ledger.begin(new, resumed=True) == []
    assert (len(ledger), ledger.oldest_received_at()) == (0, None)
    assert ledger.answer(under_way, [REPLY]) is wire  # which does not stand any more, and publishes nothing
    assert (wire.acknowledged, new.acknowledged) == ([], [])


def test_what_a_new_session_will_not_deliver_again_is_answered_on_it(ledger: Ledger[Wire], wire: Wire) -> None:
    """The broker forgot it, as one that was killed does: nobody but us can answer it."""
    settled, answered, under_way = (deliver(ledger, wire, mid) for mid in (9, 7, 8))
    ledger.answer(settled, [])
    ledger.answer(answered, [REPLY])
    new = Wire()
    assert ledger.begin(new, resumed=False) == [answered]
    assert ledger.answer(under_way, [REPLY]) is new
    for mid, delivery in ((1, answered), (2, under_way)):
        ledger.record_sent(new, mid, delivery)
        ledger.record_confirmed(new, mid)
    assert (wire.acknowledged, new.acknowledged) == ([9], [])
    assert len(ledger) == 0


def test_an_answer_that_is_owed_outlives_several_links(ledger: Ledger[Wire], wire: Wire) -> None:
    """The broker was killed twice: the answer went to the second connection, which did not stand any more."""
    delivery = deliver(ledger, wire, 7)
    second, third = Wire(), Wire()
    ledger.begin(second, resumed=False)
    ledger.begin(third, resumed=False)
    assert ledger.answer(delivery, [REPLY]) is third
    ledger.record_sent(third, 1, delivery)
    fourth = Wire()
    assert ledger.begin(fourth, resumed=True) == [delivery]
    ledger.record_sent(fourth, 1, delivery)
    ledger.record_confirmed(fourth, 1)
    assert ledger.begin(Wire(), resumed=False) == []
    assert wire.acknowledged == second.acknowledged == third.acknowledged == fourth.acknowledged == []


def test_an_answer_that_ends_every_connection_is_owed_on_a_few_only(ledger: Ledger[Wire], wire: Wire) -> None:
    """The broker hung up on it, of a session that it had not kept: five times, and the gateway ended for good."""
    ledger.answer(deliver(ledger, wire, 7), [REPLY])
    assert [len(ledger.begin(Wire(), resumed=False)) for _ in range(MAX_EXTRA_SESSIONS + 1)] == [
        1
    ] * MAX_EXTRA_SESSIONS + [0]
    assert MAX_EXTRA_SESSIONS < MAX_SHORT_CONNECTIONS


def test_an_answer_is_not_owed_for_longer_than_it_is_good_for(ledger: Ledger[Wire], wire: Wire) -> None:
    """The broker was away for hours: who came home in the morning opened the door at noon."""
    old, new = deliver(ledger, wire, 7), deliver(ledger, wire, 8)
    for each in (old, new):
        each.received_at -= 59  # it took so long, and is good for as long as it says, from then on
        ledger.answer(each, [replace(REPLY, expiry=60)])
    old.answered_at -= 61
    assert ledger.begin(Wire(), resumed=False) == [new]


def test_the_first_answer_counts(ledger: Ledger[Wire], wire: Wire) -> None:
    """A timeout was told; what comes after it must not be told too."""
    delivery = deliver(ledger, wire, 7)
    assert ledger.answer(delivery, [REPLY]) is wire
    assert ledger.answer(delivery, [VERDICT, REPLY]) is None
    assert (delivery.replies, delivery.unconfirmed_replies) == ([REPLY], 1)
    assert ledger.answer(delivery, []) is None
    assert wire.acknowledged == []


def test_what_came_at_qos_0_waits_for_nothing(ledger: Ledger[Wire], wire: Wire) -> None:
    delivery = deliver(ledger, wire, 0)
    assert len(ledger) == 0
    assert ledger.answer(delivery, [REPLY]) is wire
    ledger.record_sent(wire, 1, delivery)
    ledger.record_confirmed(wire, 1)
    assert wire.acknowledged == []


def test_only_what_may_be_given_up_is_unanswered(ledger: Ledger[Wire], wire: Wire) -> None:
    """An enrolment whose `timeout` was told could still happen: it is answered by what it does, and by that alone."""
    effect, slow, answered, new = (deliver(ledger, wire, mid) for mid in (1, 2, 3, 4))
    for each in (slow, answered, new):
        each.give_up = lambda: None
    for each in (effect, slow, answered):
        each.received_at -= 20
    ledger.answer(answered, [REPLY])
    assert ledger.unanswered(time.monotonic() - 10) == [slow]


def test_the_oldest_answer_that_the_broker_does_not_have_is_unconfirmed(ledger: Ledger[Wire], wire: Wire) -> None:
    waiting, first, second = (deliver(ledger, wire, mid) for mid in (1, 2, 3))
    assert ledger.oldest_unconfirmed() is None
    for mid, delivery in ((11, second), (12, first)):
        ledger.answer(delivery, [REPLY])
        ledger.record_sent(wire, mid, delivery)
    assert ledger.oldest_unconfirmed() is first
    ledger.record_confirmed(wire, 12)
    assert ledger.oldest_unconfirmed() is second
    assert waiting.replies is None


def test_many_threads_at_once_acknowledge_each_once_and_in_order(ledger: Ledger[Wire], wire: Wire) -> None:
    """As it is: paho's thread brings and confirms, workers answer."""
    count = 2000
    deliveries: deque[Delivery[Wire]] = deque()
    out: deque[int] = deque()
    came, answered = threading.Event(), threading.Barrier(5)
    numbers = iter(range(1, 10 * count))
    lock = threading.Lock()

    def answers() -> None:
        while not came.is_set() or deliveries:
            try:
                delivery = deliveries.popleft()
            except IndexError:
                time.sleep(0.0005)
                continue
            session = ledger.answer(delivery, [VERDICT, REPLY])
            assert session is wire
            for _ in range(2):
                with lock:
                    mid = next(numbers)
                if random.random() < 0.5:
                    ledger.record_confirmed(wire, mid)
                else:
                    out.append(mid)
                ledger.record_sent(wire, mid, delivery)
        answered.wait(20)

    threads = [threading.Thread(target=answers) for _ in range(4)]
    for thread in threads:
        thread.start()
    for mid in range(1, count + 1):
        deliveries.append(deliver(ledger, wire, mid))
    came.set()
    answered.wait(20)
    for thread in threads:
        thread.join()

    def confirms() -> None:
        with suppress(IndexError):
            while True:
                ledger.record_confirmed(wire, out.pop())

    threads = [threading.Thread(target=confirms) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wire.acknowledged == list(range(1, count + 1))
    assert (len(ledger), ledger.in_flight) == (0, 0)
