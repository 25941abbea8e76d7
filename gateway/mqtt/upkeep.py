"""The tasks at the start of a session, twice a second during it, and at its end."""

from __future__ import annotations

from gateway.mqtt.announcements.sender import Sender
from gateway.mqtt.bridge.bridge_status import BridgeStatus
from gateway.mqtt.bridge.duplicate_detector import DuplicateDetector
from gateway.mqtt.delivery.loopback import Loopback
from gateway.mqtt.delivery.poison_guard import PoisonGuard
from gateway.mqtt.delivery.validity import Validity
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.pieces import Pieces
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session


class Upkeep:
    """The tasks of all parts of the interface, in their order. ``Connections`` calls the methods, and decides when."""

    def __init__(
        self,
        bridge_status: BridgeStatus,
        duplicates: DuplicateDetector,
        loopback: Loopback,
        validity: Validity,
        poison_guard: PoisonGuard,
        pieces: Pieces,
        outbox: Outbox,
        announcements: Sender,
    ) -> None:
        self._bridge_status = bridge_status
        self._duplicates = duplicates
        self._loopback = loopback
        self._validity = validity
        self._poison_guard = poison_guard
        self._pieces = pieces
        self._outbox = outbox
        self._announcements = announcements

    @property
    def is_exclusive(self) -> bool:
        """True if a search has found no other gateway on the same topics."""
        return self._duplicates.exclusive

    @property
    def caught_up(self) -> bool:
        """True if a loopback message of this session came back."""
        return self._loopback.caught_up

    @property
    def will(self) -> Publication:
        """The last will of the connection for requests."""
        return self._bridge_status.state_message("offline")

    @property
    def farewell(self) -> Publication | None:
        """The last message, if any: a displaced gateway leaves no `offline`, because another gateway serves."""
        return None if self._duplicates.displaced else self.will

    def search(self, session: Session) -> None:
        """Search for another gateway on the same topics. Raises AnotherGateway and NotYet."""
        # The session may be connected, and its ``start_frames`` not called yet.
        self._outbox.use_session("frames", session)
        self._duplicates.search(session)

    def start_frames(self, session: Session) -> None:
        self._outbox.use_session("frames", session)

    def tick_frames(self, _session: Session) -> None:
        if self.is_exclusive:
            self._bridge_status.announce_health()

    def start_requests(self, session: Session) -> None:
        self._outbox.use_session("requests", session)
        self._validity.start_session()
        self._bridge_status.start_session(session)
        # The gateway's own state comes last: nobody may see a name of an earlier run beside `online`.
        self._announcements.start_session(session)
        self._loopback.start_session(session)

    def tick_requests(self, session: Session) -> None:
        self._loopback.tick(session)
        if self._duplicates.take_conflict():
            # Another gateway, which has to end, has published its own state.
            self._announcements.start_session(session)
        self._announcements.tick()
        self._pieces.tick(session)

    def end_requests(self, unconfirmed: Delivery[Session] | None) -> bool:
        """Return whether it is known why the session ended.

        ``unconfirmed``: the oldest delivery whose replies the broker had not acknowledged at its end.
        """
        self._loopback.end_session()
        is_announcement = self._announcements.end_session()
        return self._poison_guard.connection_ended(unconfirmed) or is_announcement
