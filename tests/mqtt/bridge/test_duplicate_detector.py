"""The choice between two gateways, and the messages that prove that another gateway is running."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gateway.errors import AnotherGateway
from gateway.mqtt.bridge import duplicate_detector as module
from gateway.mqtt.bridge import own_challenge
from gateway.mqtt.bridge.challenge import Answer, Challenge, Claim, Serve, read_challenge
from gateway.mqtt.bridge.duplicate_detector import AGE_TIE_MS
from gateway.mqtt.bridge.search_progress import MAX_PRECEDED_SEARCHES
from gateway.mqtt.bridge.search_warnings import MAX_CLAIMED_SEARCHES
from gateway.mqtt.delivery.loopback import LoopbackMessage
from gateway.mqtt.transport.reconnector import NotYet
from tests.mqtt.bridge.fake_gateways import HIGHER, LOWER, OWN, UP_MS, FakeBroker, FakeGateway, SlowBroker
from tests.support import WAIT_S


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture(autouse=True)
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a search last milliseconds: this broker delivers an answer before ``publish`` returns."""
    monkeypatch.setattr(module, "ANSWER_WAIT_S", 0.01)
    monkeypatch.setattr(module, "LOOPBACK_WAIT_S", 0.01)
    monkeypatch.setattr(module, "LOOPBACK_INTERVAL_S", 0.01)
    monkeypatch.setattr(module, "RIVAL_WAIT_S", 0.01)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.mark.parametrize(
    ("instance", "ahead_ms", "displaced"),
    [
        (LOWER, AGE_TIE_MS + 1, True),
        (HIGHER, AGE_TIE_MS + 1, True),
        (LOWER, -AGE_TIE_MS - 1, False),
        (HIGHER, -AGE_TIE_MS - 1, False),
        (LOWER, AGE_TIE_MS, True),
        (HIGHER, AGE_TIE_MS, False),
        (LOWER, -AGE_TIE_MS, True),
        (HIGHER, -AGE_TIE_MS, False),
    ],
)
def test_of_two_serving_gateways_the_one_that_served_first_stays_and_exactly_one_ends(
    broker: FakeBroker, instance: str, ahead_ms: int, displaced: bool
) -> None:
    one = FakeGateway(broker, serving=True)
    other = FakeGateway(broker, instance, UP_MS + ahead_ms, serving=True)
    for _ in range(3):
        other.publish_loopback()
    assert [type(each) for each in one.ended] == [AnotherGateway] * displaced
    assert [type(each) for each in other.ended] == [AnotherGateway] * (not displaced)
    assert (one.detector.displaced, one.detector.take_conflict()) == (displaced, not displaced)
    assert (other.detector.displaced, other.detector.take_conflict()) == (not displaced, displaced)


def test_gateway_that_ends_for_another_may_be_started_again(broker: FakeBroker) -> None:
    """Regression: after the exit code 78 systemd did not start it again. One forged message ended it for good."""
    FakeGateway(broker, HIGHER, serving=True)
    one = FakeGateway(broker)
    with pytest.raises(AnotherGateway) as left:
        one.detector.search(one)
    assert left.value.exit_code == 75


FORGED = [
    LoopbackMessage(1, 9 * UP_MS).write(),
    Challenge(b"0" * 16).write(),
    Answer(b"0" * 16, 9 * UP_MS).write(),
    Claim(b"0" * 16).write(),
    Serve(b"0" * 16).write(),
]


@pytest.mark.parametrize("payload", FORGED)
@pytest.mark.parametrize("retained", [False, True])
def test_forged_message_ends_no_gateway_and_no_start(broker: FakeBroker, payload: bytes, retained: bool) -> None:
    """Regression: one loopback message of a gateway that does not exist ended a gateway, and prevented its start."""
    one = FakeGateway(broker)
    one.receive(HIGHER, payload, retained=retained)
    one.detector.search(one)
    assert one.detector.exclusive
    for _ in range(3):
        one.receive(HIGHER, payload, retained=retained)
    assert (one.ended, one.detector.displaced, one.detector.take_conflict()) == ([], False, False)


def test_replayed_answer_ends_no_gateway(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    one = FakeGateway(broker, serving=True)
    one.receive(HIGHER, LoopbackMessage(1, UP_MS).write())
    (challenge,) = filter(None, map(read_challenge, one.sent()))
    answer = Answer(challenge.nonce, 9 * UP_MS).write()
    monkeypatch.setattr(own_challenge, "CHALLENGE_VALID_S", 0.0)
    one.receive(HIGHER, answer)
    assert one.ended == []
    monkeypatch.setattr(own_challenge, "CHALLENGE_VALID_S", 30.0)
    one.detector._own.renew()
    one.receive(HIGHER, answer)
    assert one.ended == []


def test_answer_to_the_challenge_ends_the_younger_gateway(broker: FakeBroker) -> None:
    one = FakeGateway(broker, serving=True)
    one.receive(HIGHER, LoopbackMessage(1, UP_MS).write())
    (challenge,) = filter(None, map(read_challenge, one.sent()))
    one.receive(HIGHER, Answer(challenge.nonce, 9 * UP_MS).write())
    assert [error.exit_code for error in one.ended] == [75]


@pytest.mark.parametrize("instance", ["", "0", "x" * 12, "0" * 13, "0" * 60_000, "000000000000\n", OWN])
def test_message_of_an_impossible_instance_gets_no_reaction(broker: FakeBroker, instance: str) -> None:
    one = FakeGateway(broker, serving=True)
    for payload in FORGED:
        one.receive(instance, payload)
    assert broker.published == []


@pytest.mark.parametrize(
    "payload",
    [b"", b"x", b"1", b"1 -1", b"1 1 1", b"1 " + b"9" * 5000, b"\xff", b"challenge ", b"challenge 0", b"answer"],
)
def test_message_of_another_form_gets_no_reaction(broker: FakeBroker, payload: bytes) -> None:
    one = FakeGateway(broker, serving=True)
    one.receive(LOWER, payload)
    assert broker.published == []


def test_flood_of_forged_messages_gets_bounded_replies(broker: FakeBroker) -> None:
    one = FakeGateway(broker, serving=True)
    for _ in range(1000):
        for payload in FORGED:
            one.receive(LOWER, payload)
    assert len(broker.published) < 200  # 20 answers and a challenge a second


def forged(number: int) -> Challenge:
    return Challenge(b"%016x" % number)


def test_flood_of_challenges_does_not_use_up_the_answers_to_other_gateways(broker: FakeBroker) -> None:
    """Regression: some challenges a second used up all answers, and a second gateway began to serve as well."""
    one = FakeGateway(broker, serving=True)
    for number in range(1000):
        one.receive(f"{number % 10:012x}", forged(number).write())
    one.receive(HIGHER, forged(1000).write())
    assert one.sent()[-1] == Answer(forged(1000).nonce, UP_MS).write()


class UnderAttack(FakeGateway):
    """A gateway that gets forged messages at the begin and at the end of its search."""

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool) -> None:
        self.receive("000000000000", forged(1).write())
        self.receive("000000000000", Claim(b"0" * 16).write())

    def unsubscribe(self, topics: Sequence[str]) -> None:
        self.receive("000000000000", forged(2).write())


def test_program_that_only_publishes_prevents_no_gateway_from_serving(broker: FakeBroker) -> None:
    """Regression: each search ended without a result and without a warning."""
    one = UnderAttack(broker)
    one.detector.search(one)
    assert one.result == (True, ())


@pytest.mark.parametrize("number", [1, 2])
def test_challenge_during_a_search_is_answered_after_it(broker: FakeBroker, number: int) -> None:
    one = UnderAttack(broker)
    one.detector.search(one)
    assert Answer(forged(number).nonce, UP_MS).write() in one.sent()


class Preceded(FakeGateway):
    """A gateway that gets a forged message, that another gateway begins to serve, in each search."""

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool) -> None:
        self.receive(HIGHER, Serve(b"0" * 16).write())


def test_gateway_gives_way_twice_to_a_gateway_that_seems_to_begin_to_serve(broker: FakeBroker) -> None:
    """Anybody may forge such a message, so it must not prevent the start."""
    one = Preceded(broker)
    for _ in range(MAX_PRECEDED_SEARCHES):
        with pytest.raises(NotYet):
            one.detector.search(one)
    one.detector.search(one)
    assert one.result == (True, ())


def test_gateway_that_serves_answers_a_gateway_that_begins_to_serve(broker: FakeBroker) -> None:
    one = FakeGateway(broker, serving=True)
    one.receive(HIGHER, Serve(b"0" * 16).write())
    assert one.sent()[0] == Answer(b"0" * 16, UP_MS).write()


def test_gateway_gives_way_to_a_lower_name_and_warns_if_that_never_serves(
    broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    there, one = FakeGateway(broker, LOWER), FakeGateway(broker)
    for searches in range(1, 6):
        with pytest.raises(NotYet):
            one.detector.search(one)
        assert len(one.detector.warnings) == len(caplog.records) == (searches >= MAX_CLAIMED_SEARCHES)
    assert f"instance {LOWER}" in one.detector.warnings[0]
    assert "let no other login write home/bridge/canary/#" in one.detector.warnings[0]
    broker.gateways.remove(there)
    one.detector.search(one)
    assert one.result == (True, ())


def test_gateway_gives_way_to_no_gateway_with_a_higher_name(broker: FakeBroker) -> None:
    FakeGateway(broker, HIGHER)
    one = FakeGateway(broker)
    one.detector.search(one)
    assert one.detector.exclusive


def test_search_finds_a_serving_gateway_and_names_it(
    broker: FakeBroker, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOPBACK_TRIES", 10_000)
    there, one = FakeGateway(broker, LOWER), FakeGateway(broker)
    broker.deaf.add(f"home/bridge/canary/{OWN}")
    search = threads.submit(one.detector.search, one)
    assert one.subscribed.wait(WAIT_S)
    one.receive_retained("state", {"state": "online"})
    one.receive_retained("info", {"instance": LOWER, "host": "attic"})
    there.serve()
    broker.deaf.clear()
    error = search.exception(WAIT_S)
    assert isinstance(error, AnotherGateway)
    assert f"instance {LOWER} on attic" in str(error)
    assert not one.detector.exclusive


def test_retained_online_of_a_dead_gateway_prevents_no_start(broker: FakeBroker, threads: ThreadPoolExecutor) -> None:
    one = FakeGateway(broker)
    search = threads.submit(one.detector.search, one)
    assert one.subscribed.wait(WAIT_S)
    one.receive_retained("state", {"state": "online"})
    one.receive_retained("info", {"instance": LOWER, "host": "attic"})
    assert search.exception(WAIT_S) is None
    assert one.detector.exclusive


def test_silence_proves_nothing_to_a_gateway_that_does_not_hear_itself(broker: FakeBroker) -> None:
    """Regression: a broker stood still for a moment, and half a second of silence was taken for a proof."""
    one = FakeGateway(broker)
    broker.deaf.add(f"home/bridge/canary/{OWN}")
    for _ in range(2):
        with pytest.raises(NotYet):
            one.detector.search(one)
    (warning,) = one.detector.warnings
    assert f"home/bridge/canary/{OWN}" in warning
    broker.deaf.clear()
    one.detector.search(one)
    assert one.result == (True, ())


def search_together(broker: FakeBroker, threads: ThreadPoolExecutor) -> tuple[list[FakeGateway], list[Future[None]]]:
    """Start two searches, so that each gateway publishes its challenge before the other one hears any."""
    two = [FakeGateway(broker, instance, 0) for instance in (LOWER, HIGHER)]
    topics = {f"home/bridge/canary/{each.instance}" for each in two}
    broker.deaf |= topics
    searches = [threads.submit(each.detector.search, each) for each in two]
    assert all(each.subscribed.wait(WAIT_S) for each in two)
    broker.deaf -= topics
    return two, searches


def test_of_two_gateways_that_start_at_the_same_time_one_waits(
    broker: FakeBroker, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise the thread of the lower name may stand still for as long as the other one waits for its claim.
    monkeypatch.setattr(module, "ANSWER_WAIT_S", 2.0)
    monkeypatch.setattr(module, "LOOPBACK_WAIT_S", 0.1)
    monkeypatch.setattr(module, "LOOPBACK_TRIES", 100)
    (lower, higher), searches = search_together(broker, threads)
    assert searches[0].exception(WAIT_S) is None
    assert isinstance(searches[1].exception(WAIT_S), NotYet | AnotherGateway)
    assert (lower.detector.exclusive, higher.detector.exclusive) == (True, False)
    with pytest.raises(AnotherGateway):
        higher.detector.search(higher)


def search_until_decided(gateway: FakeGateway) -> bool:
    """Search again and again, as Connections does. Return whether the gateway may serve."""
    while True:
        try:
            gateway.detector.search(gateway)
        except NotYet:
            time.sleep(0.05)
        except AnotherGateway:
            return False
        else:
            return True


@pytest.mark.slow
@pytest.mark.parametrize(("count", "seed"), [(2, 1), (2, 2), (2, 3), (2, 4), (3, 5)])
def test_of_gateways_that_start_together_exactly_one_serves_however_slow_each_of_them_is(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, count: int, seed: int
) -> None:
    """Regression: messages that took longer than half a second let two gateways serve."""
    monkeypatch.setattr(module, "LOOPBACK_WAIT_S", 0.05)
    monkeypatch.setattr(module, "LOOPBACK_TRIES", 400)
    # Of three gateways two may wait for each other as long as that.
    monkeypatch.setattr(module, "RIVAL_WAIT_S", 2 if count == 3 else 20)
    broker = SlowBroker(random.Random(seed))
    gateways = [FakeGateway(broker, instance, 0) for instance in (HIGHER, LOWER, OWN)[:count]]
    served = list(threads.map(search_until_decided, gateways))
    broker.stop()
    assert served.count(True) == 1
    assert [gateway.ended for gateway in gateways] == [[]] * count


def test_search_proves_nothing_if_it_is_stopped_or_its_connection_is_lost(
    broker: FakeBroker, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the gateway took the place of the other one for a moment, and its stop took 14 s."""
    monkeypatch.setattr(module, "ANSWER_WAIT_S", 60)
    one = FakeGateway(broker)
    search = threads.submit(one.detector.search, one)
    assert one.subscribed.wait(WAIT_S)
    one.detector.stop()
    assert isinstance(search.exception(WAIT_S), NotYet)
    monkeypatch.setattr(module, "ANSWER_WAIT_S", 0.01)
    other = FakeGateway(broker, HIGHER, connected=False)
    with pytest.raises(NotYet):
        other.detector.search(other)
    assert not one.detector.exclusive
    assert not other.detector.exclusive
