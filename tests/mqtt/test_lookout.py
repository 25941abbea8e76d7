"""Who stays of two gateways, and who can say that there is another."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

import pytest

from gateway.errors import AnotherGateway, GatewayError, Unavailable
from gateway.mqtt import lookout as module
from gateway.mqtt.canary import Canary, Flight
from gateway.mqtt.connection import NotYet
from gateway.mqtt.lookout import TIE_MS, Lookout
from gateway.mqtt.messages import Received
from gateway.mqtt.topics import Topics

OWN, LOWER, HIGHER = "888888888888", "777777777777", "999999999999"
UP_MS = 1_000_000


class Here(Canary):
    @property
    def up_ms(self) -> int:
        return UP_MS


class Standing:
    """A connection."""

    connected = True

    def __init__(self) -> None:
        self.asked = threading.Event()

    def subscribe(self, filters: object, *, retained: bool) -> None:
        self.asked.set()

    def unsubscribe(self, topics: object) -> None:
        pass


@dataclass
class Post:
    ended: list[GatewayError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lookout = Lookout(Topics("home"), OWN, Here("home/bridge/canary/" + OWN), self.ended.append)

    def sees(self, instance: str, up_ms: int = UP_MS, *, payload: bytes | None = None, retained: bool = False) -> None:
        flight = Flight(1, up_ms).write() if payload is None else payload
        self.lookout.message(Received(f"home/bridge/canary/{instance}", flight, retained=retained))

    def is_told(self, topic: str, document: dict[str, str]) -> None:
        self.lookout.message(Received(f"home/bridge/{topic}", json.dumps(document).encode(), retained=True))


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.mark.parametrize(
    ("instance", "ahead_ms", "goes"),
    [
        (LOWER, TIE_MS + 1, True),
        (HIGHER, TIE_MS + 1, True),
        (LOWER, -TIE_MS - 1, False),
        (HIGHER, -TIE_MS - 1, False),
        (LOWER, TIE_MS, True),
        (HIGHER, TIE_MS, False),
        (LOWER, -TIE_MS, True),
        (HIGHER, -TIE_MS, False),
    ],
)
def test_who_was_there_first_stays_and_only_one_goes(post: Post, instance: str, ahead_ms: int, goes: bool) -> None:
    post.lookout.alone = True
    for _ in range(3):
        post.sees(instance, UP_MS + ahead_ms)
    assert [type(each) for each in post.ended] == [Unavailable] * goes
    assert (post.lookout.displaced, post.lookout.disputed) == (goes, not goes)


@pytest.mark.parametrize("instance", ["", "0", "x" * 12, "0" * 13, "0" * 60_000, "000000000000\n", OWN])
def test_a_name_that_no_gateway_has_says_nothing(post: Post, instance: str) -> None:
    post.lookout.alone = True
    post.sees(instance, 9 * UP_MS)
    assert post.ended == []


@pytest.mark.parametrize("payload", [b"", b"x", b"1", b"1 -1", b"1 1 1", b"1 " + b"9" * 5000, b"\xff"])
def test_what_is_no_canary_says_nothing(post: Post, payload: bytes) -> None:
    post.lookout.alone = True
    post.sees(LOWER, payload=payload)
    assert post.ended == []


def test_what_is_retained_says_nothing(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """One such message refused every start, until a person found it."""
    monkeypatch.setattr(module, "RETAINED_S", 0.05)
    post.sees(LOWER, 9 * UP_MS, retained=True)
    post.lookout.look(Standing())
    assert post.lookout.alone
    post.sees(LOWER, 9 * UP_MS, retained=True)
    assert post.ended == []


def while_looking(post: Post, happens: list[str]) -> Exception | None:
    """What ``look`` raises where that happens meanwhile, and another stands as online."""
    caught: list[Exception] = []

    def look() -> None:
        try:
            post.lookout.look(standing)
        except (AnotherGateway, NotYet) as error:
            caught.append(error)

    standing = Standing()
    looking = threading.Thread(target=look)
    looking.start()
    assert standing.asked.wait(20)
    post.is_told("state", {"state": "online"})
    post.is_told("info", {"instance": LOWER, "host": "attic"})
    for each in happens:
        if each == "canary":
            post.sees(LOWER)
        elif each == "stop":
            post.lookout.stop()
        else:
            standing.connected = False
    looking.join(20)
    assert not looking.is_alive()
    return caught[0] if caught else None


def test_the_one_that_is_there_is_named(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETAINED_S", 20)  # ends with the canary
    error = while_looking(post, ["canary"])
    assert isinstance(error, AnotherGateway)
    assert f"instance {LOWER} on attic" in str(error)
    assert not post.lookout.alone


def test_one_that_only_stands_there_is_dead(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.5)
    assert while_looking(post, []) is None
    assert post.lookout.alone


def test_who_is_stopped_or_cut_off_while_it_looks_has_seen_nothing(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """It took the place of the one that was there for a moment, and the stop took 14 s."""
    monkeypatch.setattr(module, "RETAINED_S", 60)
    assert isinstance(while_looking(post, ["stop"]), NotYet)
    assert not post.lookout.alone
    monkeypatch.setattr(module, "RETAINED_S", 0.5)
    monkeypatch.setattr(module, "EVERY_S", 0.5)
    other = Post()
    assert isinstance(while_looking(other, ["cut"]), NotYet)
    assert not other.lookout.alone
