"""Commands of administrators on ``bridge/request``."""

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
    """Publisher of an answer. ``error``: the error that the answer reports; some errors are not published."""

    def __call__(
        self,
        delivery: Delivery[Session],
        address: Address,
        outbound: wire.Outbound,
        good_for: float,
        error: GatewayError | None = None,
    ) -> None: ...


class BridgeCommands:
    """Reader of the commands, which hands them to the administration and answers them.

    ``check_size`` raises TooLarge for an answer that the broker does not take. ``as_gateway_error`` turns any exception
    into an error with a code.
    """

    def __init__(
        self,
        limits: LimitSettings,
        administer: Administer,
        answer: Answer,
        check_size: Callable[[wire.Outbound], wire.Outbound],
        as_gateway_error: Callable[[BaseException], GatewayError],
        metrics: Metrics,
    ) -> None:
        self._limits = limits
        self._administer = administer
        self._answer = answer
        self._check_size = check_size
        self._as_gateway_error = as_gateway_error
        self._metrics = metrics

    def handle(self, delivery: Delivery[Session], address: Address, good_for: Callable[[], float]) -> None:
        """Carry out the command and answer it.

        ``address``: already with the message's Response Topic and Correlation Data. ``good_for`` returns the seconds
        for which the command is valid, or raises GatewayError.
        """
        transaction, effect = None, None
        try:
            fields = wire.read_command(address, delivery.received.payload, self._limits)
            transaction = wire.read_transaction(fields)
            seconds = good_for()
            if changes(address.operation):
                if transaction is None:
                    raise BadRequest(
                        f"{address.operation} needs the field transaction, which identifies a repeated command"
                    )
                digest = wire.digest(address, delivery.received.payload, {})
                effect = Effect(f"bridge/{transaction}", digest, delivery.received_at + seconds)
        except Exception as error:
            self._metrics.count("errors")
            self._refuse(delivery, address, transaction, self._as_gateway_error(error))
            return
        slow = Timeout("the command takes longer than mqtt.answer_s: send it over REST")
        delivery.give_up = claim_before_giving_up(effect, partial(self._refuse, delivery, address, transaction, slow))
        done = self._administer(address.operation, fields, BRIDGE_CALLER, seconds, effect)
        written = then(done, lambda document: self._check_size(wire.write_done(document, transaction)))
        written.add_done_callback(partial(self._publish_result, delivery, address, transaction))

    def _publish_result(
        self, delivery: Delivery[Session], address: Address, transaction: str | None, written: Future[wire.Outbound]
    ) -> None:
        error = shutting_down_error() if written.cancelled() else written.exception()
        if error is None:
            self._answer(delivery, address, written.result(), self._limits.request_s)
        else:
            self._refuse(delivery, address, transaction, self._as_gateway_error(error))

    def _refuse(
        self, delivery: Delivery[Session], address: Address, transaction: str | None, error: GatewayError
    ) -> None:
        self._answer(delivery, address, wire.write_refusal(error, transaction), self._limits.request_s, error)
