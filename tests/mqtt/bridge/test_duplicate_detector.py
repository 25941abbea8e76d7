"""Which of two gateways stays, and which messages prove that there is another one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from gateway.errors import AnotherGateway, GatewayError
from gateway.mqtt.bridge import duplicate_detector as module
from gateway.mqtt.bridge.challenge import (
    Answer,
    Challenge,
    Claim,
    RateLimit,
    RateLimitByName,
    read_answer,
    read_challenge,
    read_claim,
)
from gateway.mqtt.bridge.duplicate_detector import AGE_TIE_MS, MAX_CLAIMED_SEARCHES, DuplicateDetector
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.loopback import Loopback, LoopbackMessage
from gateway.mqtt.transport.packets import Publication, Received
from gateway.mqtt.transport.reconnector import NotYet

OWN, LOWER, HIGHER = "888888888888", "777777777777", "999999999999"
UP_MS = 1_000_000


class StandingCanary(Loopback):
    def __init__(self, topic: str, up_ms: int) -> None:
        super().__init__(topic)
        self._up_ms = up_ms

    @property
    def up_ms(self) -> int:
        return self._up_ms


class Bus:
    """A broker between gateways. A topic in ``deaf`` comes back to nobody."""

    def __init__(self) -> None:
        self.gateways: list[Neighbour] = []
        self.published: list[Publication] = []
        self.deaf: set[str] = set()

    def publish(self, publication: Publication) -> None:
        self.published.append(publication)
        if publication.topic not in self.deaf:
            for each in self.gateways:
                each.detector.message(Received(publication.topic, publication.payload, retained=False))


@dataclass
class Neighbour:
    """A gateway on the bus, and its link to it."""

    bus: Bus
    instance: str = OWN
    up_ms: int = UP_MS
    serving: bool = False
    ended: list[GatewayError] = field(default_factory=list)
    connected: bool = True

    def __post_init__(self) -> None:
        self.asked = threading.Event()
        loopback = StandingCanary(f"home/bridge/canary/{self.instance}", self.up_ms)
        self.detector = DuplicateDetector(Topics("home"), self.instance, loopback, self.bus.publish, self.ended.append)
        self.detector.exclusive = self.serving
        self.bus.gateways.append(self)

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool) -> None:
        self.asked.set()

    def unsubscribe(self, topics: Sequence[str]) -> None:
        pass

    def flies(self) -> None:
        """Its canary."""
        self.bus.publish(Publication(f"home/bridge/canary/{self.instance}", LoopbackMessage(1, self.up_ms).write()))

    def sees(self, instance: str, payload: bytes, *, retained: bool = False) -> None:
        self.detector.message(Received(f"home/bridge/canary/{instance}", payload, retained=retained))

    def is_told(self, topic: str, document: dict[str, str]) -> None:
        self.detector.message(Received(f"home/bridge/{topic}", json.dumps(document).encode(), retained=True))

    def said(self) -> list[bytes]:
        return [each.payload for each in self.bus.published if each.topic.endswith(self.instance)]


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that lasts milliseconds, since on this bus an answer is there before ``publish`` returns."""
    monkeypatch.setattr(module, "ANSWER_WAIT_S", 0.01)
    monkeypatch.setattr(module, "LOOPBACK_WAIT_S", 0.01)
    monkeypatch.setattr(module, "LOOPBACK_INTERVAL_S", 0.01)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.mark.parametrize(
    ("instance", "ahead_ms", "goes"),
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
def test_of_two_gateways_that_meet_the_first_stays_and_exactly_one_goes(
    bus: Bus, instance: str, ahead_ms: int, goes: bool
) -> None:
    one = Neighbour(bus, serving=True)
    other = Neighbour(bus, instance, UP_MS + ahead_ms, serving=True)
    for _ in range(3):
        other.flies()
    assert [type(each) for each in one.ended] == [AnotherGateway] * goes
    assert [type(each) for each in other.ended] == [AnotherGateway] * (not goes)
    assert (one.detector.displaced, one.detector.conflict) == (goes, not goes)
    assert (other.detector.displaced, other.detector.conflict) == (not goes, goes)


def test_gateway_that_leaves_for_another_may_be_started_again(bus: Bus) -> None:
    """Regression: code 78, after which systemd starts it no more: one forged message ended the service for good."""
    Neighbour(bus, HIGHER, serving=True)
    one = Neighbour(bus)
    with pytest.raises(AnotherGateway) as left:
        one.detector.search(one)
    assert left.value.exit_code == 75


FORGED = [
    LoopbackMessage(1, 9 * UP_MS).write(),
    Challenge(b"0" * 16).write(),
    Answer(b"0" * 16, 9 * UP_MS).write(),
    Claim(b"0" * 16).write(),
]


@pytest.mark.parametrize("payload", FORGED)
@pytest.mark.parametrize("retained", [False, True])
def test_forged_message_ends_no_gateway_and_refuses_no_start(bus: Bus, payload: bytes, retained: bool) -> None:
    """Regression: one canary of a gateway that does not exist ended the gateway, and then refused its start."""
    one = Neighbour(bus)
    one.sees(HIGHER, payload, retained=retained)
    one.detector.search(one)
    assert one.detector.exclusive
    for _ in range(3):
        one.sees(HIGHER, payload, retained=retained)
    assert (one.ended, one.detector.displaced, one.detector.conflict) == ([], False, False)


def test_replayed_answer_ends_no_gateway(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Neighbour(bus, serving=True)
    one.sees(HIGHER, LoopbackMessage(1, UP_MS).write())
    (challenge,) = filter(None, map(read_challenge, one.said()))
    answer = Answer(challenge.nonce, 9 * UP_MS).write()
    monkeypatch.setattr(module, "CHALLENGE_VALID_S", 0.0)
    one.sees(HIGHER, answer)
    assert one.ended == []
    monkeypatch.setattr(module, "CHALLENGE_VALID_S", 20.0)
    one.detector._renew_challenge()
    one.sees(HIGHER, answer)
    assert one.ended == []


def test_answer_to_the_challenge_ends_the_younger_gateway(bus: Bus) -> None:
    one = Neighbour(bus, serving=True)
    one.sees(HIGHER, LoopbackMessage(1, UP_MS).write())
    (challenge,) = filter(None, map(read_challenge, one.said()))
    one.sees(HIGHER, Answer(challenge.nonce, 9 * UP_MS).write())
    assert [error.exit_code for error in one.ended] == [75]


@pytest.mark.parametrize("instance", ["", "0", "x" * 12, "0" * 13, "0" * 60_000, "000000000000\n", OWN])
def test_name_that_no_gateway_has_gets_no_reaction(bus: Bus, instance: str) -> None:
    one = Neighbour(bus, serving=True)
    for payload in FORGED:
        one.sees(instance, payload)
    assert bus.published == []


@pytest.mark.parametrize(
    "payload",
    [b"", b"x", b"1", b"1 -1", b"1 1 1", b"1 " + b"9" * 5000, b"\xff", b"challenge ", b"challenge 0", b"answer"],
)
def test_message_that_is_none_of_a_gateway_gets_no_reaction(bus: Bus, payload: bytes) -> None:
    one = Neighbour(bus, serving=True)
    one.sees(LOWER, payload)
    assert bus.published == []


def test_flood_of_forged_messages_gets_bounded_replies(bus: Bus) -> None:
    one = Neighbour(bus, serving=True)
    for _ in range(1000):
        for payload in FORGED:
            one.sees(LOWER, payload)
    assert len(bus.published) < 200  # 5 answers and a challenge a second


def forged(number: int) -> Challenge:
    return Challenge(b"%016x" % number)


def test_flood_of_challenges_leaves_the_answers_to_other_gateways(bus: Bus) -> None:
    """Regression: 20 challenges a second used up all answers, and a second gateway began to serve beside the first."""
    one = Neighbour(bus, serving=True)
    for number in range(1000):
        one.sees(f"{number % 10:012x}", forged(number).write())
    one.sees(HIGHER, forged(1000).write())
    assert one.said()[-1] == Answer(forged(1000).nonce, UP_MS).write()


class UnderAttack(Neighbour):
    """A gateway whose look meets challenges of a gateway that does not run, at its begin and at its end."""

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool) -> None:
        self.sees("000000000000", forged(1).write())
        self.sees("000000000000", Claim(b"0" * 16).write())

    def unsubscribe(self, topics: Sequence[str]) -> None:
        self.sees("000000000000", forged(2).write())


def test_program_that_only_publishes_keeps_no_gateway_from_serving(bus: Bus) -> None:
    """Regression: each look ended without a result, and nobody learned why."""
    one = UnderAttack(bus)
    one.detector.search(one)
    assert (one.detector.exclusive, one.detector.warnings) == (True, ())


def test_challenge_at_the_end_of_a_look_is_answered_when_it_has_ended(bus: Bus) -> None:
    one = UnderAttack(bus)
    one.detector.search(one)
    assert one.said()[-1] == Answer(forged(2).nonce, UP_MS).write()


def test_gateway_gives_way_to_a_lower_one_that_runs_and_warns_if_it_never_serves(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    there, one = Neighbour(bus, LOWER), Neighbour(bus)
    for looks in range(1, 6):
        with pytest.raises(NotYet):
            one.detector.search(one)
        assert len(one.detector.warnings) == len(caplog.records) == (looks >= MAX_CLAIMED_SEARCHES)
    assert f"instance {LOWER}" in one.detector.warnings[0]
    assert "let no other login write home/bridge/canary/#" in one.detector.warnings[0]
    bus.gateways.remove(there)
    one.detector.search(one)
    assert (one.detector.exclusive, one.detector.warnings) == (True, ())


def test_gateway_gives_way_to_no_higher_one(bus: Bus) -> None:
    Neighbour(bus, HIGHER)
    one = Neighbour(bus)
    one.detector.search(one)
    assert one.detector.exclusive


def test_limit_by_name_bounds_each_name_and_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limit = RateLimitByName(2, 3)
    assert [limit.allows(name) for name in "aaabcd"] == [True, True, False, True, True, False]
    now += 1.0
    assert limit.allows("d")
    assert limit.allows("a")


def test_challenge_and_answer_are_read_as_they_are_written() -> None:
    challenge, answer = Challenge(b"0123456789abcdef"), Answer(b"0123456789abcdef", 12)
    assert (read_challenge(challenge.write()), read_answer(challenge.write())) == (challenge, None)
    assert (read_challenge(answer.write()), read_answer(answer.write())) == (None, answer)
    claim = Claim(b"0123456789abcdef")
    assert (read_claim(claim.write()), read_answer(claim.write()), read_challenge(claim.write())) == (claim, None, None)
    assert (read_claim(challenge.write()), read_claim(answer.write())) == (None, None)


def test_rate_limit_lets_further_events_pass_after_a_while() -> None:
    limit = RateLimit(2, 1000.0)
    assert [limit.allows() for _ in range(4)] == [True, True, False, False]
    assert [RateLimit(1, 0.0).allows() for _ in range(2)] == [True, True]


def test_look_finds_the_gateway_that_is_there_and_names_it(
    bus: Bus, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOPBACK_TRIES", 10_000)
    there, one = Neighbour(bus, LOWER), Neighbour(bus)
    bus.deaf.add(f"home/bridge/canary/{OWN}")
    looking = threads.submit(one.detector.search, one)
    assert one.asked.wait(20)
    one.is_told("state", {"state": "online"})
    one.is_told("info", {"instance": LOWER, "host": "attic"})
    there.detector.exclusive = True
    bus.deaf.clear()
    error = looking.exception(20)
    assert isinstance(error, AnotherGateway)
    assert f"instance {LOWER} on attic" in str(error)
    assert not one.detector.exclusive


def test_retained_online_of_a_dead_gateway_refuses_no_start(bus: Bus, threads: ThreadPoolExecutor) -> None:
    one = Neighbour(bus)
    looking = threads.submit(one.detector.search, one)
    assert one.asked.wait(20)
    one.is_told("state", {"state": "online"})
    one.is_told("info", {"instance": LOWER, "host": "attic"})
    assert looking.exception(20) is None
    assert one.detector.exclusive


def test_gateway_that_does_not_hear_itself_does_not_take_silence_for_a_proof(bus: Bus) -> None:
    """A broker that stands still for a moment: half a second of silence said that nobody was there."""
    one = Neighbour(bus)
    bus.deaf.add(f"home/bridge/canary/{OWN}")
    for _ in range(2):
        with pytest.raises(NotYet):
            one.detector.search(one)
    (warning,) = one.detector.warnings
    assert f"home/bridge/canary/{OWN}" in warning
    bus.deaf.clear()
    one.detector.search(one)
    assert (one.detector.exclusive, one.detector.warnings) == (True, ())


def both_look(bus: Bus, threads: ThreadPoolExecutor) -> tuple[list[Neighbour], list[Future[None]]]:
    """Two that start in the same moment: each has published its challenge before the other hears any."""
    two = [Neighbour(bus, instance, 0) for instance in (LOWER, HIGHER)]
    topics = {f"home/bridge/canary/{each.instance}" for each in two}
    bus.deaf |= topics
    looks = [threads.submit(each.detector.search, each) for each in two]
    assert all(each.asked.wait(20) for each in two)
    bus.deaf -= topics
    return two, looks


def test_of_two_gateways_that_start_at_the_same_time_one_waits(
    bus: Bus, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_WAIT_S", 0.3)
    monkeypatch.setattr(module, "LOOPBACK_WAIT_S", 0.1)
    monkeypatch.setattr(module, "LOOPBACK_TRIES", 100)
    (lower, higher), looks = both_look(bus, threads)
    assert looks[0].exception(20) is None
    assert isinstance(looks[1].exception(20), NotYet | AnotherGateway)
    assert (lower.detector.exclusive, higher.detector.exclusive) == (True, False)
    with pytest.raises(AnotherGateway):
        higher.detector.search(higher)


def test_stop_or_a_cut_during_the_look_proves_nothing(
    bus: Bus, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: it took the place of the one that was there for a moment, and the stop took 14 s."""
    monkeypatch.setattr(module, "ANSWER_WAIT_S", 60)
    one = Neighbour(bus)
    looking = threads.submit(one.detector.search, one)
    assert one.asked.wait(20)
    one.detector.stop()
    assert isinstance(looking.exception(20), NotYet)
    monkeypatch.setattr(module, "ANSWER_WAIT_S", 0.01)
    other = Neighbour(bus, HIGHER, connected=False)
    with pytest.raises(NotYet):
        other.detector.search(other)
    assert not one.detector.exclusive
    assert not other.detector.exclusive
