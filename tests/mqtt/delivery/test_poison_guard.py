from __future__ import annotations

import pytest

from gateway.mqtt.delivery import poison_guard as module
from gateway.mqtt.delivery.poison_guard import BLAME_S, MAX_FAILED_CONNECTIONS, PoisonGuard
from gateway.mqtt.transport.ledger import KEPT_PAYLOAD_BYTES, Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session
from tests.mqtt.offline import OfflineSession


def answered(topic: str = "facegate/porch/request/face_rec/1", payload: bytes = b"picture") -> Delivery[Session]:
    """As the ledger keeps it, with the beginning of its payload."""
    return Delivery(
        received=Received(topic, payload[:KEPT_PAYLOAD_BYTES], retained=False, qos=1), session=OfflineSession(), mid=1
    )


def asked(payload: bytes = b"picture", topic: str = "facegate/porch/request/face_rec/1") -> Received:
    return Received(topic, payload, retained=False, qos=1)


def test_an_answer_that_ends_every_connection_is_given_up() -> None:
    """A broker threw out who published it, the request came again with the next connection, and so for ever."""
    poison_guard = PoisonGuard()
    for n in range(MAX_FAILED_CONNECTIONS):
        assert not poison_guard.is_suspect(asked()), n
        assert poison_guard.connection_ended(answered())
    assert poison_guard.is_suspect(asked())
    assert not poison_guard.is_hopeless(asked())


def test_only_that_one_is() -> None:
    poison_guard = PoisonGuard()
    for _ in range(MAX_FAILED_CONNECTIONS):
        poison_guard.connection_ended(answered())
    assert not poison_guard.is_suspect(asked(b"another picture"))
    assert not poison_guard.is_suspect(asked(topic="facegate/yard/request/face_rec/1"))


@pytest.mark.parametrize("between", [None, answered(payload=b"another picture")])
def test_connections_that_end_with_something_else_speak_for_it(between: Delivery[Session] | None) -> None:
    poison_guard = PoisonGuard()
    for each in (answered(), answered(), between, answered(), answered()):
        poison_guard.connection_ended(each)
    assert not poison_guard.is_suspect(asked())
    poison_guard.connection_ended(answered())
    assert poison_guard.is_suspect(asked())


def test_connections_that_end_with_nothing_under_way_are_no_strikes() -> None:
    poison_guard = PoisonGuard()
    for _ in range(3 * MAX_FAILED_CONNECTIONS):
        assert not poison_guard.connection_ended(None)
    assert not poison_guard.is_suspect(asked())
    assert not poison_guard.is_suspect(Received("", b"", retained=False))
    assert not poison_guard.is_hopeless(asked())


def test_when_a_short_answer_is_not_taken_either_there_is_none() -> None:
    poison_guard = PoisonGuard()
    for _ in range(MAX_FAILED_CONNECTIONS + 1):
        poison_guard.connection_ended(answered())
    assert poison_guard.is_suspect(asked())
    assert poison_guard.is_hopeless(asked())


def test_a_large_one_is_known_again_by_its_beginning() -> None:
    """The ledger keeps only that of what is answered."""
    poison_guard, payload = PoisonGuard(), bytes(range(256)) * 1000
    for _ in range(MAX_FAILED_CONNECTIONS):
        poison_guard.connection_ended(answered(payload=payload))
    assert poison_guard.is_suspect(asked(payload))


def test_it_lapses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera's requests without an id begin alike, and a connection may stand for weeks: none was answered."""
    poison_guard = PoisonGuard()
    for _ in range(MAX_FAILED_CONNECTIONS + 1):
        poison_guard.connection_ended(answered())
    assert poison_guard.is_hopeless(asked())
    monkeypatch.setattr(module, "SUSPICION_S", 0.0)
    assert not poison_guard.is_suspect(asked())
    assert not poison_guard.is_hopeless(asked())
    for _ in range(MAX_FAILED_CONNECTIONS):
        poison_guard.connection_ended(answered())  # each long after the last
    monkeypatch.setattr(module, "SUSPICION_S", 60.0)
    assert not poison_guard.is_suspect(asked())


def test_what_ended_long_after_an_answer_is_not_put_down_to_it() -> None:
    """The network was cut three times, weeks apart: from then on that camera's requests got errors."""
    poison_guard = PoisonGuard()
    for _ in range(2 * MAX_FAILED_CONNECTIONS):
        old = answered()
        old.received_at -= BLAME_S
        poison_guard.connection_ended(old)
    assert not poison_guard.is_suspect(asked())
