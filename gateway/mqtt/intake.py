"""The checks that every message of a device passes before its handler gets it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from gateway.errors import code_of
from gateway.metrics import Metrics
from gateway.model import RESERVED_CAMERAS
from gateway.mqtt.codec.inbound import Command, Frame, Ignored, Piece, Query, Rejected
from gateway.mqtt.delivery.ignored_messages import IgnoredMessages
from gateway.mqtt.delivery.poison_guard import PoisonGuard
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.router import Handler
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session

M = TypeVar("M", bound=Frame | Query | Command | Piece)


class Intake:
    """The reader of each message, which calls its handler. An exception of the handler becomes the answer."""

    def __init__(self, ignored: IgnoredMessages, poison_guard: PoisonGuard, outbox: Outbox, metrics: Metrics) -> None:
        self._ignored = ignored
        self._poison_guard = poison_guard
        self._outbox = outbox
        self._metrics = metrics
        self._accepting = True

    def handler(
        self,
        read: Callable[[Received, bool], M | Rejected | Ignored],
        handle: Callable[[Delivery[Session], M], None],
    ) -> Handler:
        """Return the handler of a route: ``read`` makes a typed message, and ``handle`` gets it."""
        return partial(self._receive, read, handle)

    def stop_accepting(self) -> None:
        """Leave further messages unacknowledged: the broker delivers them after the next start."""
        self._accepting = False

    def ignore(self, delivery: Delivery[Session]) -> None:
        """Acknowledge a message on a topic of no camera, and warn about it."""
        self._metrics.count("messages_ignored")
        self._ignored.report_name(delivery.received.topic)
        self._outbox.acknowledge(delivery)

    def _receive(
        self,
        read: Callable[[Received, bool], M | Rejected | Ignored],
        handle: Callable[[Delivery[Session], M], None],
        delivery: Delivery[Session],
    ) -> None:
        received = delivery.received
        if self._poison_guard.is_hopeless(received):
            self._outbox.acknowledge(delivery)
            return
        message = read(received, self._poison_guard.is_suspect(received))
        if isinstance(message, Ignored):
            self._report_ignored(delivery, message)
            return
        if isinstance(message, Rejected) and message.address.live and message.address.origin.camera in RESERVED_CAMERAS:
            self._ignored.report_name(received.topic)
        if self._accepting:
            self.hand_on(delivery, message, handle)

    def hand_on(
        self, delivery: Delivery[Session], message: M | Rejected, handle: Callable[[Delivery[Session], M], None]
    ) -> None:
        """Call ``handle`` with the message. Answer a rejected message, and a message at which ``handle`` fails."""
        try:
            if isinstance(message, Rejected):
                raise message.error
            handle(delivery, message)
        except Exception as error:
            # Any exception is answered: a message without an answer would be delivered again for ever.
            self._metrics.count_error(code_of(error))
            self._outbox.fail(delivery, message.address, error)

    def _report_ignored(self, delivery: Delivery[Session], message: Ignored) -> None:
        if message.reason == "name":
            self.ignore(delivery)
            return
        self._metrics.count("messages_ignored")
        self._ignored.report_retained(delivery.received.topic)
        self._outbox.acknowledge(delivery)
