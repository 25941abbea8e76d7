"""The parts that have messages to announce, as the sender uses them."""

from __future__ import annotations

from typing import Protocol

from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session


class Source(Protocol):
    """A part that has messages to announce. Safe to use from any thread.

    ``title``: of its messages, a plural for the beginning of a sentence.
    """

    @property
    def title(self) -> str: ...

    def oldest_unconfirmed(self) -> tuple[str, float] | None:
        """Return the topic of the oldest message that the broker has not confirmed, and when it was published.

        The time is that of ``time.monotonic``.
        """

    def start_session(self) -> None:
        """Note that the broker may have lost the messages that it has not confirmed."""

    def send(self, session: Session, count: int) -> int:
        """Publish up to ``count`` messages, and return their number."""

    def tick(self) -> None:
        """Look at the messages that the broker has confirmed. Called twice a second during a session."""


def publish(session: Session, publication: Publication, delivery: Delivery[Session] | None = None) -> None:
    """Publish a message. ``delivery``: settled when the broker has confirmed the message."""
    session.answer(delivery or Delivery(session=session), publication)
