from __future__ import annotations

import pytest

from gateway.mqtt.delivery import poison_guard as module
from gateway.mqtt.delivery.poison_guard import SOON_S, STRIKES, Breaker
from gateway.mqtt.transport.ledger import HEAD, Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Link
from tests.mqtt.offline import Offline


def answered(topic: str = "facegate/porch/request/face_rec/1", payload: bytes = b"picture") -> Delivery[Link]:
    """As the ledger keeps it, with the beginning of its payload."""
    return Delivery(received=Received(topic, payload[:HEAD], retained=False, qos=1), link=Offline(), mid=1)


def asked(payload: bytes = b"picture", topic: str = "facegate/porch/request/face_rec/1") -> Received:
    return Received(topic, payload, retained=False, qos=1)


def test_an_answer_that_ends_every_connection_is_given_up() -> None:
    """A broker threw out who published it, the request came again with the next connection, and so for ever."""
    breaker = Breaker()
    for n in range(STRIKES):
        assert not breaker.trips(asked()), n
        assert breaker.ended(answered())
    assert breaker.trips(asked())
    assert not breaker.spent(asked())


def test_only_that_one_is() -> None:
    breaker = Breaker()
    for _ in range(STRIKES):
        breaker.ended(answered())
    assert not breaker.trips(asked(b"another picture"))
    assert not breaker.trips(asked(topic="facegate/yard/request/face_rec/1"))


@pytest.mark.parametrize("between", [None, answered(payload=b"another picture")])
def test_connections_that_end_with_something_else_speak_for_it(between: Delivery[Link] | None) -> None:
    breaker = Breaker()
    for each in (answered(), answered(), between, answered(), answered()):
        breaker.ended(each)
    assert not breaker.trips(asked())
    breaker.ended(answered())
    assert breaker.trips(asked())


def test_connections_that_end_with_nothing_under_way_are_no_strikes() -> None:
    breaker = Breaker()
    for _ in range(3 * STRIKES):
        assert not breaker.ended(None)
    assert not breaker.trips(asked())
    assert not breaker.trips(Received("", b"", retained=False))
    assert not breaker.spent(asked())


def test_when_a_short_answer_is_not_taken_either_there_is_none() -> None:
    breaker = Breaker()
    for _ in range(STRIKES + 1):
        breaker.ended(answered())
    assert breaker.trips(asked())
    assert breaker.spent(asked())


def test_a_large_one_is_known_again_by_its_beginning() -> None:
    """The ledger keeps only that of what is answered."""
    breaker, payload = Breaker(), bytes(range(256)) * 1000
    for _ in range(STRIKES):
        breaker.ended(answered(payload=payload))
    assert breaker.trips(asked(payload))


def test_it_lapses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera's requests without an id begin alike, and a connection may stand for weeks: none was answered."""
    breaker = Breaker()
    for _ in range(STRIKES + 1):
        breaker.ended(answered())
    assert breaker.spent(asked())
    monkeypatch.setattr(module, "LAPSE_S", 0.0)
    assert not breaker.trips(asked())
    assert not breaker.spent(asked())
    for _ in range(STRIKES):
        breaker.ended(answered())  # each long after the last
    monkeypatch.setattr(module, "LAPSE_S", 60.0)
    assert not breaker.trips(asked())


def test_what_ended_long_after_an_answer_is_not_put_down_to_it() -> None:
    """The network was cut three times, weeks apart: from then on that camera's requests got errors."""
    breaker = Breaker()
    for _ in range(2 * STRIKES):
        old = answered()
        old.at -= SOON_S
        breaker.ended(old)
    assert not breaker.trips(asked())
