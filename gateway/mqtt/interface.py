"""The MQTT door: a message in, a reply out on the topic beside it, and only then is the message acknowledged."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from functools import partial
from pathlib import Path

from gateway.config import LimitSettings, MqttSettings, UploadSettings
from gateway.contract.health import BridgeInfoDocument
from gateway.errors import BadRequest, Busy, Expired, GatewayError, Timeout, TooLarge, shutting_down_error
from gateway.metrics import Metrics
from gateway.model import RESERVED_CAMERAS, Operation, Reply, Request
from gateway.model.health import Health, MqttHealth
from gateway.mqtt.bridge.bridge_status import BridgeStatus
from gateway.mqtt.bridge.commands import BridgeCommands
from gateway.mqtt.bridge.duplicate_detector import DuplicateDetector
from gateway.mqtt.bridge.retained import RetainedTopics
from gateway.mqtt.codec import wire
from gateway.mqtt.codec.topics import Address, Topics, correlated
from gateway.mqtt.delivery.downtime import Downtime
from gateway.mqtt.delivery.ignored_messages import IgnoredMessages
from gateway.mqtt.delivery.loopback import Loopback
from gateway.mqtt.delivery.poison_guard import PoisonGuard
from gateway.mqtt.delivery.reply_cache import ReplyCache
from gateway.mqtt.delivery.uploads import Uploads
from gateway.mqtt.delivery.watchdog import Watchdog, claim_before_giving_up
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.identity import Identity
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.reconnector import NotYet, Reconnector
from gateway.mqtt.transport.session import Session
from gateway.service.administration import Administer
from gateway.service.futures import then

log = logging.getLogger(__name__)

MAX_HEADER_BYTES = 1024
"""Bytes of a message beside its payload at most: topic, properties, lengths."""

MAX_WAITING_RESULTS = 100
"""Results of live frames on their way at most; a broker that is slower gets only some of them."""

MAX_SILENCE_S = 300.0
"""Without a message, canaries included, after which nothing comes in any more, whatever the connection looks like. The
largest one takes less, by a slow link.
"""


class MqttInterface:
    """``check_room``: raises Busy if nothing more may wait of a camera. ``info``: what ``bridge/info`` tells.
    ``on_fatal`` is told what ends the gateway.

    Requests have a connection whose session outlasts it, frames of streams another: they cannot fill the first one.
    """

    def __init__(
        self,
        settings: MqttSettings,
        limits: LimitSettings,
        uploads: UploadSettings,
        data: Path,
        submit: Callable[[Request], Future[Reply]],
        check_room: Callable[[str], None],
        administer: Administer,
        health: Callable[[], Health],
        info: BridgeInfoDocument,
        metrics: Metrics,
        *,
        identity: Identity,
        on_fatal: Callable[[GatewayError], None],
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._submit = submit
        self._check_room = check_room
        self._metrics = metrics
        self._on_fatal = on_fatal
        self._identity = identity
        self._topics = topics = Topics(settings.base, settings.response_topics)
        self._retained = RetainedTopics(data / "retained.json")
        self._bridge_status = BridgeStatus(topics, self._retained, info, health, metrics)
        self._downtime = Downtime(data / "alive")
        self._loopback = Loopback(topics.loopback(identity.instance))
        self._duplicates = DuplicateDetector(topics, identity.instance, self._loopback, self._say, self._leave)
        self._uploads = Uploads(data / "uploads", uploads, limits.message_bytes, topics.read)
        self._ignored = IgnoredMessages(settings.base)
        self._reply_cache = ReplyCache()
        self._poison_guard = PoisonGuard()
        self._commands = BridgeCommands(limits, administer, self.answer, self._small_enough, _ours, metrics)
        self._away = 0.0
        self._last_message_at = -math.inf  # when the last message came by the connection for requests
        self._open = True
        connection = partial(Reconnector, settings, metrics=metrics, on_fatal=on_fatal)
        self._live = connection(
            self._for_frames, on_up=self._subscribe_frames, on_message=self.frame, on_tick=self._tell_health
        )
        self._requests = connection(
            self._for_requests, on_up=self._begin, on_message=self.message, on_tick=self._tick, on_down=self._end
        )
        self._watchdog = Watchdog(self._requests.ledger, settings.answer_s, self._requests.reconnect, on_fatal)

    @property
    def connected(self) -> bool:
        return self._requests.connected and self._live.connected

    @property
    def health(self) -> MqttHealth:
        return MqttHealth(self._live.alive and self._requests.alive, self.connected, self._loopback.fresh)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what works but needs a person's attention."""
        kept = (*self._identity.warnings, *self._retained.warnings, *self._downtime.warnings, *self._uploads.warnings)
        return (*self._duplicates.warnings, *kept, *self._ignored.warnings)

    def start(self) -> None:
        """Returns when connected, or when no broker can be reached: it is waited for. Raises StartError."""
        self._live.start()  # first: the other one has to know whether we are alone, and how much the broker takes
        self._requests.start()

    def stop_accepting(self) -> None:
        """Takes no more messages; replies still go out. What is not acknowledged comes again at the next start."""
        self._open = False

    def stop(self) -> None:
        """Whoever was displaced by another gateway says no farewell, which would be taken for that one's."""
        self._duplicates.stop()
        self._live.stop()
        self._requests.stop(None if self._duplicates.displaced else self._bridge_status.state_message("offline"))

    def frame(self, delivery: Delivery[Session]) -> None:
        """A frame of a stream: if anything becomes of it, the next one comes."""
        received = delivery.received
        if received.topic.endswith("/frame"):
            if (address := self._address(delivery)) is not None and self._open:
                self._ask(delivery, address, received.payload)
        else:
            self._duplicates.receive(received)

    def message(self, delivery: Delivery[Session]) -> None:
        """Reads it, hands it on, and returns at once; whatever is wrong with it is answered."""
        received = delivery.received
        self._last_message_at = time.monotonic()
        if received.topic == self._loopback.topic:
            self._loopback.receive(received.payload)
            if self._loopback.caught_up:  # if it ends before that, the rest of what waited is as old as it was
                self._downtime.mark_alive()
            self._requests.answer(delivery)
        elif (address := self._address(delivery)) is None or self._poison_guard.is_hopeless(received):
            self._requests.answer(delivery)
        elif self._open and address.piece is not None:
            self._piece(delivery, address)
        elif self._open:
            self._ask(delivery, address, received.payload)

    def answer(
        self,
        delivery: Delivery[Session],
        address: Address,
        outbound: wire.Outbound,
        good_for: float,
        error: GatewayError | None = None,
    ) -> None:
        """Publishes the verdict where there is a topic for one, and the JSON; never retained.

        What cannot be done since the gateway goes down is not told: it is done when it comes again at the next start.
        That we are busy is told at QoS 0: it is true for now only, and costs less, when there is no time; but not where
        the camera chose the topic, which the broker may not like: the breaker knows of what it acknowledges alone.
        """
        busy = isinstance(error, Busy)
        if error is not None:
            if busy and delivery.mid and not self._open:
                return
            log.log(_level(error), "%s to %s: %s", error.code, address.reply_topic, error, extra={"kind": error.code})
        by = self._live if address.live else self._requests
        qos, expiry = 0 if address.live or (busy and not address.chosen) else 1, max(1, int(good_for))
        reply = partial(Publication, qos=qos, expiry=expiry)
        document = reply(
            address.reply_topic,
            outbound.document,
            content_type="application/json",
            correlation=address.correlation,
        )
        if address.verdict_topic is None:
            by.answer(delivery, document)
        else:
            verdict = outbound.verdict.encode()
            by.answer(delivery, reply(address.verdict_topic, verdict, content_type="text/plain"), document)

    def _address(self, delivery: Delivery[Session]) -> Address | None:
        """Return None for a message that nobody can be answered for."""
        received = delivery.received
        if received.retained:
            self._metrics.count("messages_ignored")
            self._ignored.report_retained(received.topic)
            return None
        address = self._topics.read(received.topic)
        if address is None:
            self._metrics.count("messages_ignored")
            self._ignored.report_name(received.topic)
            return None
        if address.live and address.origin.camera in RESERVED_CAMERAS:
            self._ignored.report_name(received.topic)
        return address if received.fault is None else replace(address, fault=received.fault)

    def _ask(self, delivery: Delivery[Session], address: Address, payload: bytes) -> None:
        received = delivery.received
        try:
            address = correlated(address, received.correlation)  # first, for an error carries it too
            if not self._poison_guard.is_suspect(received):  # it may be that very topic for which the broker hangs up
                address = self._topics.redirected(address, received.response_topic)
            if address.origin.camera in RESERVED_CAMERAS and not address.live:
                self._commands.handle(delivery, address, lambda: min(self._good_for(delivery), self._settings.answer_s))
                return
            good_for = self._good_for(delivery)
            reply = self._reply(delivery, address, payload, good_for)
        except Exception as error:  # whatever it is: what is not answered is delivered again, for ever
            self._metrics.count("errors")
            self._fail(delivery, address, _ours(error))
            return
        written = then(reply, lambda done: self._small_enough(wire.write(address, done)))
        written.add_done_callback(partial(self._settle, delivery, address, good_for))

    def _reply(self, delivery: Delivery[Session], address: Address, payload: bytes, good_for: float) -> Future[Reply]:
        """To what was asked by that id before, or is asked now. Raises GatewayError."""
        give_up = partial(self._fail, delivery, address)
        delivery.give_up = partial(give_up, _too_late())
        properties = delivery.received.properties

        def submit() -> Future[Reply]:
            if not address.live:
                self._check_room(str(address.origin.camera))  # before it is read, for a flood costs less then
            within = min(good_for, self._settings.answer_s)
            request = wire.read(address, payload, self._limits, properties, within)
            delivery.give_up = claim_before_giving_up(
                request.effect, partial(give_up, _too_late(len(request.pictures)))
            )
            return self._submit(request)

        if address.key is None or address.operation == Operation.ENROLL.value:  # the store knows that again
            return submit()
        asked = (address.operation, address.person, tuple(properties.items()), payload)
        return self._reply_cache.get_or_submit(address.key, asked, submit)

    def _small_enough(self, outbound: wire.Outbound) -> wire.Outbound:
        """Raises TooLarge: a broker would hang up on us, again and again."""
        most = min(self._limits.message_bytes, self._requests.max_packet_bytes - MAX_HEADER_BYTES)
        if len(outbound.document) > most:
            raise TooLarge(f"the answer has more than {most} bytes, which is too large for MQTT: ask over REST")
        return outbound

    def _good_for(self, delivery: Delivery[Session]) -> float:
        """Seconds. What waited at the broker while we were away may be as old as that. Raises Expired, and GatewayError
        where the answer is what ends every connection.
        """
        if self._poison_guard.is_suspect(delivery.received):
            self._metrics.count("requests_given_up")
            log.error("the broker hung up on the answer to %.200r, again and again", delivery.received.topic)
            raise GatewayError("the broker does not take the answer")
        if delivery.received.expiry is not None:  # MQTT 5: the broker has taken off how long it held it
            return delivery.received.expiry
        waited = self._away if delivery.mid and delivery.session.resumed and not self._loopback.caught_up else 0.0
        if waited >= self._limits.request_s:
            self._metrics.count("requests_expired_unseen")
            for_long = f"{waited:.0f} s" if math.isfinite(waited) else "nobody knows how long"
            raise Expired(f"it may have waited for {for_long} while the gateway was away: ask again")
        return self._limits.request_s - waited

    def _settle(
        self, delivery: Delivery[Session], address: Address, good_for: float, written: Future[wire.Outbound]
    ) -> None:
        error = shutting_down_error() if written.cancelled() else written.exception()
        if address.live and written.cancelled():  # a newer frame came
            return
        if address.live and self._live.pending > MAX_WAITING_RESULTS:
            self._metrics.count("results_dropped")
        elif isinstance(error, Expired) and good_for > self._settings.answer_s:  # not by its own fault: ask again
            self._fail(delivery, address, Timeout(str(error)))
        elif error is None:
            left = good_for - (time.monotonic() - delivery.received_at)
            self.answer(delivery, address, written.result(), left)
        else:
            self._fail(delivery, address, _ours(error))

    def _fail(self, delivery: Delivery[Session], address: Address, error: GatewayError) -> None:
        self.answer(delivery, address, wire.write_failure(address, error), self._limits.request_s, error)

    def _piece(self, delivery: Delivery[Session], address: Address) -> None:
        try:
            if address.fault:
                raise BadRequest(address.fault)
            whole = self._uploads.add_piece(delivery, address)
        except Exception as error:
            self._metrics.count("errors")
            self._fail(delivery, address, _ours(error))
            return
        if whole is None:
            self._requests.answer(delivery)
        else:
            self._ask(delivery, address, whole)

    def _for_frames(self) -> ConnectionSpec:
        """First only to see other gateways. Frames are subscribed to by a gateway that knows that it is alone."""
        client_id = f"{self._identity.client_id}-live-{secrets.token_hex(3)}"
        return ConnectionSpec(client_id, [(self._duplicates.loopback_filter, 0)])

    def _subscribe_frames(self, session: Session) -> None:
        """Called for each new link, and for the one that stands when the look ends: so whichever comes last does it."""
        if self._duplicates.exclusive:
            session.subscribe([(self._topics.frames, 0)])

    def _for_requests(self) -> ConnectionSpec:
        """With a window of what the broker lets us answer: two replies a request. Raises AnotherGateway, NotYet."""
        if not self._duplicates.exclusive:
            if (session := self._live.session) is None or not session.connected:
                raise NotYet
            self._duplicates.search(session)
            self._subscribe_frames(self._live.session or session)
        most = self._live.receive_maximum
        return ConnectionSpec(
            self._identity.client_id,
            [(self._topics.requests, 1), (self._topics.pieces, 1), (self._loopback.topic, 1)],
            persistent=True,
            inflight=most,
            window=max(1, min(self._settings.window, most // 2)),
            will=self._bridge_status.state_message("offline"),
        )

    def _say(self, publication: Publication) -> None:
        """To other gateways, on the connection that hears them."""
        if (session := self._live.session) is not None:
            session.publish(publication)

    def _leave(self, error: GatewayError) -> None:
        """Another gateway was here first: it answers from now on."""
        self.stop_accepting()
        self._on_fatal(error)

    def _tell_health(self, session: Session) -> None:
        if self._duplicates.exclusive:
            self._bridge_status.announce_health(session)

    def _begin(self, session: Session) -> None:
        self._away = self._downtime.seconds()
        self._bridge_status.start_session(session)
        self._loopback.start_session(session)

    def _tick(self, session: Session) -> None:
        self._loopback.tick(session)
        if self._loopback.caught_up:  # the broker has what was said before that flew
            self._bridge_status.confirm_cleared()
            if time.monotonic() > self._last_message_at + MAX_SILENCE_S:
                log.warning("nothing comes in any more, though the connection stands; connecting anew")
                self._requests.reconnect()
                return
        if self._duplicates.take_conflict():
            self._bridge_status.announce_online(session)
        for address, error in self._uploads.tick():
            self._fail(Delivery(session=session), address, error)
        self._watchdog.tick()

    def _end(self) -> bool:
        self._loopback.end_session()
        return self._poison_guard.connection_ended(self._requests.ledger.oldest_unconfirmed())


def _too_late(pictures: int = 1) -> Timeout:
    """Say how to help a slow machine: several pictures of one request are analysed one after the other."""
    advice = f": send the {pictures} pictures in several requests, or raise mqtt.answer_s" if pictures > 1 else ""
    return Timeout(f"the request was not answered within mqtt.answer_s{advice}")


def _level(error: GatewayError) -> int:
    """Many are refused when one is, and to write that down would make it worse."""
    return logging.DEBUG if isinstance(error, Busy) else logging.INFO


def _ours(error: BaseException) -> GatewayError:
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, CancelledError):
        return shutting_down_error()
    log.error("a request failed", exc_info=error)
    return GatewayError("a fault of the gateway; its log tells more")
