"""What an administrator asks the bridge for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from gateway.config import LimitSettings
from gateway.errors import BadRequest, GatewayError, Timeout, shutting_down_error
from gateway.metrics import Metrics
from gateway.model import Effect
from gateway.model.caller import BRIDGE_CALLER
from gateway.mqtt.codec import wire
from gateway.mqtt.codec.topics import Address
from gateway.mqtt.delivery.watchdog import claim_before_giving_up
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session
from gateway.service.administration import Administer, changes
from gateway.service.futures import then


class Answer(Protocol):
    """With the error, if it is one: some are not told (MqttDoor.answer)."""

    def __call__(
        self,
        delivery: Delivery[Session],
        address: Address,
        outbound: wire.Outbound,
        good_for: float,
        error: GatewayError | None = None,
    ) -> None: ...


class Bridge:
    """``ours`` makes an error of ours of whatever went wrong."""

    def __init__(
        self,
        limits: LimitSettings,
        administer: Administer,
        answer: Answer,
        small_enough: Callable[[wire.Outbound], wire.Outbound],
        ours: Callable[[BaseException], GatewayError],
        metrics: Metrics,
    ) -> None:
        self._limits = limits
        self._administer = administer
        self._answer = answer
        self._small_enough = small_enough
        self._ours = ours
        self._metrics = metrics

    def command(self, delivery: Delivery[Session], address: Address, good_for: Callable[[], float]) -> None:
        """``address`` with what the message says of where its answer goes; ``good_for`` raises GatewayError."""
        transaction, effect = None, None
        try:
            fields = wire.read_command(address, delivery.received.payload, self._limits)
            transaction = wire.read_transaction(fields)
            seconds = good_for()
            if changes(address.operation):
                if transaction is None:
                    raise BadRequest(f"{address.operation} needs a transaction, by which its answer is known again")
                digest = wire.digest(address, delivery.received.payload, {})
                effect = Effect(f"bridge/{transaction}", digest, delivery.received_at + seconds)
        except Exception as error:
            self._metrics.count("errors")
            self._refuse(delivery, address, transaction, self._ours(error))
            return
        slow = Timeout("it takes longer than MQTT waits for (mqtt.answer_s): ask over REST")
        delivery.give_up = claim_before_giving_up(effect, partial(self._refuse, delivery, address, transaction, slow))
        done = self._administer(address.operation, fields, BRIDGE_CALLER, seconds, effect)
        written = then(done, lambda document: self._small_enough(wire.write_done(document, transaction)))
        written.add_done_callback(partial(self._tell, delivery, address, transaction))

    def _tell(
        self, delivery: Delivery[Session], address: Address, transaction: str | None, written: Future[wire.Outbound]
    ) -> None:
        error = shutting_down_error() if written.cancelled() else written.exception()
        if error is None:
            self._answer(delivery, address, written.result(), self._limits.request_s)
        else:
            self._refuse(delivery, address, transaction, self._ours(error))

    def _refuse(
        self, delivery: Delivery[Session], address: Address, transaction: str | None, error: GatewayError
    ) -> None:
        self._answer(delivery, address, wire.write_refusal(error, transaction), self._limits.request_s, error)
