"""The MQTT door: a message in, a reply out on the topic beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

from gateway.administration import changes
from gateway.config import LimitSettings, MqttSettings
from gateway.documents import Document, dump
from gateway.errors import BadRequest, GatewayError, TooLarge, going_down
from gateway.metrics import Metrics
from gateway.model import RESERVED_CAMERAS, Reply, Request
from gateway.mqtt import wire
from gateway.mqtt.connection import Connection
from gateway.mqtt.messages import Publication, Received
from gateway.mqtt.topics import Address, Topics, correlated

log = logging.getLogger(__name__)


class MqttDoor:
    """``info``: what ``bridge/info`` tells about the gateway."""

    def __init__(
        self,
        settings: MqttSettings,
        limits: LimitSettings,
        submit: Callable[[Request], Future[Reply]],
        administer: Callable[[str, Mapping[str, Any], str, float], Future[Document]],
        info: Mapping[str, Any],
        metrics: Metrics,
        *,
        client_id: str,
    ) -> None:
        self._limits = limits
        self._submit = submit
        self._administer = administer
        self._info = info
        self._metrics = metrics
        self._topics = Topics(settings.base, settings.response_topics)
        self._connection = Connection(
            settings,
            client_id,
            subscriptions=[(self._topics.requests, 1), (self._topics.frames, 0)],
            greeting=self._greeting,
            will=self._state("offline"),
            on_message=self.message,
            metrics=metrics,
        )

    @property
    def connected(self) -> bool:
        return self._connection.connected

    def start(self) -> None:
        """Returns when connected. Raises StartError."""
        self._connection.start()

    def quiet(self) -> None:
        """Takes no more messages; replies still go out."""
        self._connection.unsubscribe()

    def stop(self) -> None:
        self._connection.stop(self._state("offline"))

    def message(self, received: Received) -> None:
        """Reads it, hands it on, and returns at once; whatever is wrong with it is answered."""
        address = None if received.retained else self._topics.read(received.topic)
        if address is None:
            self._metrics.count("messages_ignored")
            log.info("ignored a message on %.200r", received.topic)
            return
        if address.origin.camera in RESERVED_CAMERAS and not address.live:
            self.command(address, received)
            return
        try:
            address = correlated(address, received.correlation)  # first, for an error carries it too
            address = self._topics.redirected(address, received.response_topic)
            request = wire.read(address, received.payload, self._limits, received.properties, received.expiry)
        except GatewayError as error:
            self._metrics.count("errors")
            self._fail(address, error)
        else:
            self._submit(request).add_done_callback(partial(self._answer, address, request))

    def command(self, address: Address, received: Received) -> None:
        """What an administrator asks the bridge for."""
        transaction = None
        try:
            address = correlated(address, received.correlation)
            address = self._topics.redirected(address, received.response_topic)
            fields, transaction = wire.read_command(address, received.payload, self._limits)
            if transaction is None and changes(address.operation):
                raise BadRequest(f"{address.operation} needs a transaction, by which its answer is known again")
        except GatewayError as error:
            self._metrics.count("errors")
            self._refuse(address, transaction, error)
        else:
            good_for = self._limits.request_s if received.expiry is None else received.expiry
            done = self._administer(address.operation, fields, "mqtt:bridge", good_for)
            done.add_done_callback(partial(self._tell, address, transaction))

    def _tell(self, address: Address, transaction: str | None, done: Future[Document]) -> None:
        error = going_down() if done.cancelled() else done.exception()
        if error is not None:
            self._refuse(address, transaction, _ours(error))
            return
        outbound = wire.write_done(done.result(), transaction)
        if len(outbound.document) > self._limits.message_bytes:  # the broker would throw us out, again and again
            self._refuse(address, transaction, TooLarge("the answer is too large for MQTT: ask over REST"))
        else:
            self.publish(address, outbound, self._limits.request_s)

    def _refuse(self, address: Address, transaction: str | None, error: GatewayError) -> None:
        log.info("%s to %s: %s", error.code, address.reply_topic, error)
        self.publish(address, wire.write_refusal(error, transaction), self._limits.request_s)

    def publish(self, address: Address, outbound: wire.Outbound, good_for: float) -> None:
        """The JSON on the reply topic, and the verdict beside it where there is a topic for one."""
        qos, expiry = 0 if address.live else 1, max(1, int(good_for))
        if address.verdict_topic:
            verdict = outbound.verdict.encode()
            self._connection.publish(
                Publication(address.verdict_topic, verdict, qos, content_type="text/plain", expiry=expiry)
            )
        self._connection.publish(
            Publication(
                address.reply_topic,
                outbound.document,
                qos,
                content_type="application/json",
                correlation=address.correlation,
                expiry=expiry,
            )
        )

    def _answer(self, address: Address, request: Request, reply: Future[Reply]) -> None:
        if reply.cancelled():  # a newer frame came
            return
        error = reply.exception()
        if error is None:
            self.publish(address, wire.write(request, reply.result()), request.good_for - request.origin.age())
        else:
            self._fail(address, _ours(error))

    def _fail(self, address: Address, error: GatewayError) -> None:
        log.info("%s to %s: %s", error.code, address.reply_topic, error)
        self.publish(address, wire.write_failure(address, error), self._limits.request_s)

    def _state(self, state: str) -> Publication:
        return Publication(self._topics.state, dump({"state": state}), qos=1, retain=True)

    def _greeting(self) -> list[Publication]:
        return [self._state("online"), Publication(self._topics.info, dump(self._info), qos=1, retain=True)]


def _ours(error: BaseException) -> GatewayError:
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, CancelledError):
        return going_down()
    log.error("a request failed", exc_info=error)
    return GatewayError("a fault of the gateway; its log tells more")
