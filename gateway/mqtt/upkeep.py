"""The tasks of a connection on which requests come in: at the start of a session, during it, and at its end."""

from __future__ import annotations

from typing import Protocol

from gateway.mqtt.announcements.sender import Sender
from gateway.mqtt.delivery.loopback import Loopback
from gateway.mqtt.delivery.poison_guard import PoisonGuard
from gateway.mqtt.delivery.validity import Validity
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.transport.connection_spec import ConnectionName
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session


class Status(Protocol):
    """The description of the gateway at the broker."""

    @property
    def will(self) -> Publication:
        """The last will of the connection."""

    def start_session(self, session: Session) -> None:
        """Announce the gateway on a new session."""


class Upkeep:
    """The tasks of all parts that use one connection, in their order. RequestConnection calls the methods."""

    def __init__(
        self,
        connection: ConnectionName,
        outbox: Outbox,
        validity: Validity,
        loopback: Loopback,
        status: Status,
        announcements: Sender,
        poison_guard: PoisonGuard,
    ) -> None:
        self.connection: ConnectionName = connection
        self._outbox = outbox
        self._validity = validity
        self._loopback = loopback
        self._status = status
        self._announcements = announcements
        self._poison_guard = poison_guard

    @property
    def caught_up(self) -> bool:
        """True if a loopback message of this session came back."""
        return self._loopback.caught_up

    @property
    def will(self) -> Publication:
        """The last will of the connection."""
        return self._status.will

    def start(self, session: Session) -> None:
        """Begin a session."""
        self._outbox.use_session(self.connection, session)
        self._validity.start_session()
        self._status.start_session(session)
        # The gateway's own state comes last: nobody may see a name of an earlier run beside `online`.
        self._announcements.start_session(session)
        self._loopback.start_session(session)

    def publish_again(self, session: Session) -> None:
        """Publish all announcements again: another gateway has published its own on the same topics."""
        self._announcements.start_session(session)

    def tick(self, session: Session) -> None:
        """Do what is due twice a second."""
        self._loopback.tick(session)
        self._announcements.tick()

    def end(self, unconfirmed: Delivery[Session] | None, *, is_own: bool) -> bool:
        """Return whether it is known which message ended the session.

        ``unconfirmed``: the oldest delivery whose replies the broker had not acknowledged at its end. ``is_own``: this
        gateway ended the session on purpose, so no message is to blame.
        """
        self._loopback.end_session()
        if is_own:
            return False
        is_announcement = self._announcements.end_session()
        return self._poison_guard.connection_ended(unconfirmed) or is_announcement
