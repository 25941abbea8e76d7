"""The ledger of deliveries. An acknowledgement that is too early, or on the wrong session, loses a request."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace

import pytest

from gateway.mqtt.transport.backoff import MAX_SHORT_CONNECTIONS
from gateway.mqtt.transport.ledger import MAX_EXTRA_SESSIONS, Delivery, Ledger
from gateway.mqtt.transport.packets import Publication, Received
from tests.support import WAIT_S

REPLY = Publication("facegate/porch/response/face_rec/1", b"{}")
VERDICT = Publication("facegate/porch/verdict/1", b"match")


class RecordingSession:
    """Records the message ids that it acknowledges."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []

    def acknowledge(self, mid: int) -> None:
        self.acknowledged.append(mid)


@pytest.fixture
def ledger() -> Ledger[RecordingSession]:
    return Ledger()


@pytest.fixture
def session(ledger: Ledger[RecordingSession]) -> RecordingSession:
    session = RecordingSession()
    assert ledger.begin(session, resumed=False) == []
    return session


def deliver(
    ledger: Ledger[RecordingSession], session: RecordingSession, mid: int, payload: bytes = b""
) -> Delivery[RecordingSession]:
    delivery = Delivery(received=Received(f"t/{mid}", payload, retained=False, qos=1), session=session, mid=mid)
    ledger.add(delivery)
    return delivery


def test_delivery_is_acknowledged_once_the_broker_has_all_replies(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    """Regression: acknowledged on receipt, 45 of 4,135 requests were lost when the gateway was killed; now none."""
    delivery = deliver(ledger, session, 7)
    assert ledger.answer(delivery, [VERDICT, REPLY]) is session
    ledger.record_sending(session, 1, delivery)
    ledger.record_confirmed(session, 1)
    ledger.record_sending(session, 2, delivery)
    assert session.acknowledged == []
    assert (len(ledger), ledger.in_flight) == (1, 1)
    ledger.record_confirmed(session, 2)
    assert session.acknowledged == [7]
    assert (len(ledger), ledger.in_flight) == (0, 0)


def test_delivery_without_replies_is_acknowledged_immediately(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    assert ledger.answer(deliver(ledger, session, 7), []) is session
    assert session.acknowledged == [7]


def test_deliveries_are_acknowledged_in_the_order_of_receipt_not_of_replies(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    deliveries = [deliver(ledger, session, mid) for mid in (5, 3, 9)]
    for out, at in ((11, 2), (12, 1)):
        ledger.answer(deliveries[at], [REPLY])
        ledger.record_sending(session, out, deliveries[at])
        ledger.record_confirmed(session, out)
    assert session.acknowledged == []
    ledger.answer(deliveries[0], [REPLY])
    ledger.record_sending(session, 13, deliveries[0])
    assert session.acknowledged == []
    ledger.record_confirmed(session, 13)
    assert session.acknowledged == [5, 3, 9]


def test_settled_delivery_waits_for_the_unsettled_one_before_it(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    first, second, third = (deliver(ledger, session, mid) for mid in (1, 2, 3))
    ledger.answer(third, [])
    ledger.answer(first, [])
    assert session.acknowledged == [1]
    assert ledger.oldest_received_at() == second.received_at
    ledger.answer(second, [])
    assert session.acknowledged == [1, 2, 3]
    assert ledger.oldest_received_at() is None


def test_reply_at_qos_0_is_confirmed_once_it_is_sent(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    delivery = deliver(ledger, session, 7)
    ledger.answer(delivery, [VERDICT, REPLY])
    ledger.record_sent(session, delivery)
    assert session.acknowledged == []
    ledger.record_sent(session, delivery)
    assert session.acknowledged == [7]
    assert ledger.in_flight == 0


def test_unknown_or_repeated_confirmation_settles_nothing(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    delivery = deliver(ledger, session, 7)
    ledger.answer(delivery, [VERDICT, REPLY])
    ledger.record_sending(session, 1, delivery)
    ledger.record_sending(session, 2, delivery)
    for mid in (3, 1, 1):
        ledger.record_confirmed(session, mid)
    assert (session.acknowledged, ledger.in_flight) == ([], 1)


def test_message_that_answers_nothing_is_counted_and_acknowledges_nothing(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    deliver(ledger, session, 7)
    ledger.record_sending(session, 1, None)
    assert ledger.in_flight == 1
    ledger.record_confirmed(session, 1)
    assert (ledger.in_flight, session.acknowledged) == (0, [])


@pytest.mark.parametrize("resumed", [True, False])
def test_older_session_does_not_affect_the_new_one(
    ledger: Ledger[RecordingSession], session: RecordingSession, resumed: bool
) -> None:
    """Regression: message ids start again with each session. An old one acknowledged, and lost, another message."""
    old = deliver(ledger, session, 7)
    ledger.answer(old, [REPLY])
    ledger.record_sending(session, 1, old)
    new = RecordingSession()
    ledger.begin(new, resumed=resumed)
    again = deliver(ledger, new, 7)
    ledger.answer(again, [REPLY])
    ledger.record_sending(new, 1, again)
    ledger.record_confirmed(session, 1)
    ledger.record_sending(session, 1, old)
    ledger.record_sent(session, again)
    late = deliver(ledger, session, 8)
    assert (session.acknowledged, new.acknowledged, len(ledger), ledger.in_flight) == ([], [], 1, 1)
    ledger.answer(late, [])
    assert (session.acknowledged, new.acknowledged) == ([], [])
    ledger.record_confirmed(new, 1)
    assert (session.acknowledged, new.acknowledged) == ([], [7])


def test_deliveries_of_a_resumed_session_are_forgotten(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    """The broker delivers them again. Kept, each would be answered twice, and acknowledge whatever has its id now."""
    under_way, answered = deliver(ledger, session, 7), deliver(ledger, session, 8)
    ledger.answer(answered, [REPLY])
    new = RecordingSession()
    assert ledger.begin(new, resumed=True) == []
    assert (len(ledger), ledger.oldest_received_at()) == (0, None)
    assert ledger.answer(under_way, [REPLY]) is session  # it has ended, and publishes nothing
    assert (session.acknowledged, new.acknowledged) == ([], [])


def test_deliveries_of_a_lost_session_are_answered_on_the_new_one(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    """A broker that was killed has forgotten them, so only the gateway can answer."""
    settled, answered, under_way = (deliver(ledger, session, mid) for mid in (9, 7, 8))
    ledger.answer(settled, [])
    ledger.answer(answered, [REPLY])
    new = RecordingSession()
    assert ledger.begin(new, resumed=False) == [answered]
    assert ledger.answer(under_way, [REPLY]) is new
    for mid, delivery in ((1, answered), (2, under_way)):
        ledger.record_sending(new, mid, delivery)
        ledger.record_confirmed(new, mid)
    assert (session.acknowledged, new.acknowledged) == ([9], [])
    assert len(ledger) == 0


def test_owed_reply_outlives_several_sessions(ledger: Ledger[RecordingSession], session: RecordingSession) -> None:
    """Regression: the broker was killed twice, and the reply went to the second session, which had ended."""
    delivery = deliver(ledger, session, 7)
    second, third = RecordingSession(), RecordingSession()
    ledger.begin(second, resumed=False)
    ledger.begin(third, resumed=False)
    assert ledger.answer(delivery, [REPLY]) is third
    ledger.record_sending(third, 1, delivery)
    fourth = RecordingSession()
    assert ledger.begin(fourth, resumed=True) == [delivery]
    ledger.record_sending(fourth, 1, delivery)
    ledger.record_confirmed(fourth, 1)
    assert ledger.begin(RecordingSession(), resumed=False) == []
    assert session.acknowledged == second.acknowledged == third.acknowledged == fourth.acknowledged == []


def test_reply_that_ends_every_session_is_repeated_on_a_few_only(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    """Regression: the broker closed the connection at that reply five times, and the gateway ended."""
    ledger.answer(deliver(ledger, session, 7), [REPLY])
    assert [len(ledger.begin(RecordingSession(), resumed=False)) for _ in range(MAX_EXTRA_SESSIONS + 1)] == [
        1
    ] * MAX_EXTRA_SESSIONS + [0]
    assert MAX_EXTRA_SESSIONS < MAX_SHORT_CONNECTIONS


def test_expired_reply_is_not_repeated(ledger: Ledger[RecordingSession], session: RecordingSession) -> None:
    """Regression: the broker was down for hours, and the reply of the morning opened the door at noon."""
    old, new = deliver(ledger, session, 7), deliver(ledger, session, 8)
    for each in (old, new):
        each.received_at -= 59  # the expiry counts from the answer, not from the receipt
        ledger.answer(each, [replace(REPLY, expiry=60)])
    old.answered_at -= 61
    assert ledger.begin(RecordingSession(), resumed=False) == [new]


def test_first_answer_counts(ledger: Ledger[RecordingSession], session: RecordingSession) -> None:
    """After a timeout was reported no result may follow."""
    delivery = deliver(ledger, session, 7)
    assert ledger.answer(delivery, [REPLY]) is session
    assert ledger.answer(delivery, [VERDICT, REPLY]) is None
    assert (delivery.replies, delivery.unconfirmed_replies) == ([REPLY], 1)
    assert ledger.answer(delivery, []) is None
    assert session.acknowledged == []


def test_delivery_at_qos_0_waits_for_nothing(ledger: Ledger[RecordingSession], session: RecordingSession) -> None:
    delivery = deliver(ledger, session, 0)
    assert len(ledger) == 0
    assert ledger.answer(delivery, [REPLY]) is session
    ledger.record_sending(session, 1, delivery)
    ledger.record_confirmed(session, 1)
    assert session.acknowledged == []


def test_unanswered_lists_only_deliveries_that_can_be_given_up(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    """Regression: an enrolment that had been reported as `timeout` could still happen."""
    enrolment, slow, answered, new = (deliver(ledger, session, mid) for mid in (1, 2, 3, 4))
    for each in (slow, answered, new):
        each.give_up = lambda: None
    for each in (enrolment, slow, answered):
        each.received_at -= 20
    ledger.answer(answered, [REPLY])
    assert ledger.unanswered(time.monotonic() - 10) == [slow]


def test_oldest_unconfirmed_is_the_oldest_answered_delivery(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    waiting, first, second = (deliver(ledger, session, mid) for mid in (1, 2, 3))
    assert ledger.oldest_unconfirmed() is None
    for mid, delivery in ((11, second), (12, first)):
        ledger.answer(delivery, [REPLY])
        ledger.record_sending(session, mid, delivery)
    assert ledger.oldest_unconfirmed() is first
    ledger.record_confirmed(session, 12)
    assert ledger.oldest_unconfirmed() is second
    assert waiting.replies is None


def test_concurrent_threads_acknowledge_each_delivery_once_and_in_order(
    ledger: Ledger[RecordingSession], session: RecordingSession
) -> None:
    """As in the gateway: paho's thread delivers and confirms, other threads answer."""
    count = 2000
    deliveries: deque[Delivery[RecordingSession]] = deque()
    out: deque[int] = deque()
    came, answered = threading.Event(), threading.Barrier(5)
    numbers = iter(range(1, 10 * count))
    lock = threading.Lock()

    def answer_deliveries() -> None:
        while not came.is_set() or deliveries:
            try:
                delivery = deliveries.popleft()
            except IndexError:
                time.sleep(0.0005)
                continue
            assert ledger.answer(delivery, [VERDICT, REPLY]) is session
            for _ in range(2):
                with lock:
                    mid = next(numbers)
                ledger.record_sending(session, mid, delivery)
                if random.random() < 0.5:
                    ledger.record_confirmed(session, mid)
                else:
                    out.append(mid)
        answered.wait(WAIT_S)

    threads = [threading.Thread(target=answer_deliveries) for _ in range(4)]
    for thread in threads:
        thread.start()
    for mid in range(1, count + 1):
        deliveries.append(deliver(ledger, session, mid))
    came.set()
    answered.wait(WAIT_S)
    for thread in threads:
        thread.join()

    def confirm_replies() -> None:
        with suppress(IndexError):
            while True:
                ledger.record_confirmed(session, out.pop())

    threads = [threading.Thread(target=confirm_replies) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session.acknowledged == list(range(1, count + 1))
    assert (len(ledger), ledger.in_flight) == (0, 0)
