"""The requests that are taken for the cause when connections end again and again."""

from __future__ import annotations

import pytest

from gateway.mqtt.delivery import poison_guard as module
from gateway.mqtt.delivery.poison_guard import BLAME_S, MAX_FAILED_CONNECTIONS, PoisonGuard
from gateway.mqtt.transport.ledger import KEPT_PAYLOAD_BYTES, Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session
from tests.mqtt.offline import OfflineSession

TOPIC = "facegate/porch/request/face_rec/1"


def answered(topic: str = TOPIC, payload: bytes = b"picture") -> Delivery[Session]:
    """A delivery as the ledger keeps it, with the beginning of its payload."""
    received = Received(topic, payload[:KEPT_PAYLOAD_BYTES], retained=False, qos=1)
    return Delivery(received=received, session=OfflineSession(), mid=1)


def request(payload: bytes = b"picture", topic: str = TOPIC) -> Received:
    return Received(topic, payload, retained=False, qos=1)


def guard_after(ends: int, payload: bytes = b"picture") -> PoisonGuard:
    """A guard that has seen so many connections end with the same answer."""
    guard = PoisonGuard()
    for _ in range(ends):
        guard.connection_ended(answered(payload=payload))
    return guard


def test_guard_suspects_a_message_whose_answer_ends_every_connection() -> None:
    """Regression: the request came again with each connection, and its answer ended that connection too, for ever."""
    guard = PoisonGuard()
    for n in range(MAX_FAILED_CONNECTIONS):
        assert not guard.is_suspect(request()), n
        assert guard.connection_ended(answered())
    assert guard.is_suspect(request())
    assert not guard.is_hopeless(request())


def test_guard_suspects_no_other_message() -> None:
    guard = guard_after(MAX_FAILED_CONNECTIONS)
    assert not guard.is_suspect(request(b"another picture"))
    assert not guard.is_suspect(request(topic="facegate/yard/request/face_rec/1"))


@pytest.mark.parametrize("between", [None, answered(payload=b"another picture")])
def test_guard_counts_only_ends_in_a_row(between: Delivery[Session] | None) -> None:
    guard = PoisonGuard()
    for each in (answered(), answered(), between, answered(), answered()):
        guard.connection_ended(each)
    assert not guard.is_suspect(request())
    guard.connection_ended(answered())
    assert guard.is_suspect(request())


def test_guard_suspects_nothing_if_no_answer_was_unconfirmed() -> None:
    guard = PoisonGuard()
    for _ in range(3 * MAX_FAILED_CONNECTIONS):
        assert not guard.connection_ended(None)
    assert not guard.is_suspect(request())
    assert not guard.is_suspect(Received("", b"", retained=False))
    assert not guard.is_hopeless(request())


def test_message_is_hopeless_when_its_short_error_ends_a_connection_too() -> None:
    guard = guard_after(MAX_FAILED_CONNECTIONS + 1)
    assert guard.is_suspect(request())
    assert guard.is_hopeless(request())


def test_guard_identifies_a_large_message_by_its_beginning() -> None:
    """The ledger keeps no more of an answered message."""
    payload = bytes(range(256)) * 1000
    assert guard_after(MAX_FAILED_CONNECTIONS, payload).is_suspect(request(payload))


def test_suspicion_lapses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a camera's requests without an id begin alike, and none was answered any more."""
    guard = guard_after(MAX_FAILED_CONNECTIONS + 1)
    assert guard.is_hopeless(request())
    monkeypatch.setattr(module, "SUSPICION_S", 0.0)
    assert not guard.is_suspect(request())
    assert not guard.is_hopeless(request())
    for _ in range(MAX_FAILED_CONNECTIONS):
        guard.connection_ended(answered())  # each long after the last
    monkeypatch.setattr(module, "SUSPICION_S", 60.0)
    assert not guard.is_suspect(request())


def test_guard_does_not_blame_an_old_answer() -> None:
    """Regression: the network was cut three times, weeks apart, and that camera's requests got errors from then on."""
    guard = PoisonGuard()
    for _ in range(2 * MAX_FAILED_CONNECTIONS):
        old = answered()
        old.received_at -= BLAME_S
        guard.connection_ended(old)
    assert not guard.is_suspect(request())
