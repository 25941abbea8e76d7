"""The outbox: the last step of every reply to a delivery, and of every announcement."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError
from functools import partial

from gateway.config import LimitSettings
from gateway.errors import Busy, GatewayError, SwitchedOff, TooLarge, shutting_down_error
from gateway.mqtt.codec.outbound import Outbound, write_failure
from gateway.mqtt.codec.topics import Address
from gateway.mqtt.transport.connection_spec import ConnectionName
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)

MAX_HEADER_BYTES = 1024
"""The longest part of a packet beside its payload: topic, properties, lengths."""


class Outbox:
    """The publisher of replies, and of messages that need no repetition. Safe to use from any thread."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._sessions: dict[ConnectionName, Session] = {}
        self._shutting_down = False

    def use_session(self, connection: ConnectionName, session: Session) -> None:
        """Publish announcements on this session from now on."""
        self._sessions[connection] = session

    def begin_shutdown(self) -> None:
        """Stop to report `busy`: a request that is refused from now on is answered after the next start."""
        self._shutting_down = True

    def reply(
        self,
        delivery: Delivery[Session],
        address: Address,
        outbound: Outbound,
        valid_for_s: float | None = None,
        *,
        transaction: str | None = None,
    ) -> None:
        """Publish the document, and the verdict where the address has a topic for one.

        ``valid_for_s``: seconds after which the broker drops the reply, usually limits.request_s.
        """
        max_bytes = min(self._limits.message_bytes, delivery.session.broker_limits.max_packet_bytes - MAX_HEADER_BYTES)
        if len(outbound.document) > max_bytes:
            # A broker closes the connection of a client that publishes a larger packet, again and again.
            error = TooLarge(f"the answer has more than {max_bytes} bytes, which is too large for MQTT: ask over REST")
            self.fail(delivery, address, error, transaction)
        else:
            valid_for_s = self._limits.request_s if valid_for_s is None else valid_for_s
            qos = 0 if address.live else 1
            self._publish(delivery, address, outbound, valid_for_s, qos=qos)

    def fail(
        self, delivery: Delivery[Session], address: Address, error: BaseException, transaction: str | None = None
    ) -> None:
        """Answer with the error, and log it. ``transaction``: of an administrator's command."""
        error = as_gateway_error(error)
        is_busy = isinstance(error, Busy)
        if is_busy and self._shutting_down and delivery.mid:
            return
        # At DEBUG: refused requests come in floods, and a log line for each would add to the load. A camera that is
        # switched off may send for years.
        level = logging.DEBUG if is_busy or isinstance(error, SwitchedOff) else logging.INFO
        log.log(level, "%s to %s: %s", error.code, address.reply_topic, error, extra={"kind": error.code})
        # `busy` goes out at QoS 0: it is true for a moment only, and costs less in a flood. On a topic that the camera
        # chose it has QoS 1: the broker may disconnect for that topic, and the poison guard sees only QoS 1.
        qos = 0 if address.live or (is_busy and not address.chosen) else 1
        outbound = write_failure(address, error, transaction)
        self._publish(delivery, address, outbound, self._limits.request_s, qos=qos)

    def acknowledge(self, delivery: Delivery[Session]) -> None:
        """Acknowledge a message that gets no reply."""
        delivery.session.answer(delivery)

    def announce(self, publication: Publication) -> None:
        """Publish a message that answers nothing and is not retained. Without a session it is dropped.

        Raises ValueError for a retained message: RetainedDocuments publishes it, and can clear it after a restart.
        """
        if publication.retain:
            raise ValueError("a retained message is published by RetainedDocuments")
        # Messages at QoS 0 need no place among the replies that the broker has to acknowledge.
        if (session := self._sessions.get("requests" if publication.qos else "frames")) is not None:
            session.publish(publication)

    def _publish(
        self, delivery: Delivery[Session], address: Address, outbound: Outbound, valid_for_s: float, *, qos: int
    ) -> None:
        publication = partial(Publication, qos=qos, expiry=max(1, int(valid_for_s)))
        document = publication(
            address.reply_topic,
            outbound.document,
            content_type="application/json",
            correlation=address.correlation,
        )
        if address.verdict_topic is None:
            delivery.session.answer(delivery, document)
        else:
            verdict = publication(address.verdict_topic, outbound.verdict.encode(), content_type="text/plain")
            delivery.session.answer(delivery, verdict, document)


def as_gateway_error(error: BaseException) -> GatewayError:
    """Return the error for the wire, and log a bug."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, CancelledError):
        return shutting_down_error()
    log.error("a request failed", exc_info=error)
    return GatewayError("a bug in the gateway: its log has the details")
