"""The path of a frame or a query: from the typed message to the service, and from its result to the outbox."""

from __future__ import annotations

import time
from concurrent.futures import Future
from functools import partial

from gateway.errors import Expired, Timeout
from gateway.live.unchanged_answers import UnchangedAnswers
from gateway.metrics import Metrics
from gateway.model import Operation, Recognition, Reply
from gateway.mqtt.codec.inbound import Frame, Query, Reader
from gateway.mqtt.codec.outbound import write_result
from gateway.mqtt.codec.topics import Address
from gateway.mqtt.delivery.reply_cache import ReplyCache
from gateway.mqtt.delivery.validity import Validity
from gateway.mqtt.delivery.watchdog import claim_before_giving_up
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.services import Services
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session

MAX_PENDING_RESULTS = 100
"""Results of frames that the broker has not taken yet. A slower broker gets only some of the results."""


class Queries:
    """The handler of frames and queries. ``answer_s``: the setting mqtt.answer_s."""

    def __init__(
        self,
        services: Services,
        reader: Reader,
        validity: Validity,
        outbox: Outbox,
        metrics: Metrics,
        unchanged: UnchangedAnswers,
        *,
        answer_s: float,
    ) -> None:
        self._services = services
        self._reader = reader
        self._validity = validity
        self._outbox = outbox
        self._metrics = metrics
        self._unchanged = unchanged
        self._answer_s = answer_s
        self._cache = ReplyCache(services.count_removals)

    def ask(self, delivery: Delivery[Session], message: Frame | Query) -> None:
        """Answer when the service has the result. Raises GatewayError."""
        address = message.address
        is_change = address.operation == Operation.ENROLL.value and address.key is not None
        valid_for_s, too_old = self._validity.judge(delivery, suspect=message.suspect, changes=is_change)
        delivery.set_give_up(partial(self._give_up, delivery, address, pictures=1))
        submit = partial(self._submit, delivery, message, valid_for_s)
        # The store recognises a repeated enrolment by itself.
        if address.key is None or address.operation == Operation.ENROLL.value:
            reply = submit()
        else:
            content = (address.operation, address.person, tuple(message.properties.items()), message.payload)
            reply = self._cache.get_or_submit(address.key, content, submit)
        reply.add_done_callback(partial(self._answer, delivery, address, valid_for_s, too_old))

    def _submit(self, delivery: Delivery[Session], message: Frame | Query, valid_for_s: float) -> Future[Reply]:
        address = message.address
        if not address.live:
            # This check comes before the payload is read: in a flood a refusal has to be cheap.
            self._services.check_capacity(str(address.origin.camera))
        request = self._reader.read_request(message, min(valid_for_s, self._answer_s))
        give_up = partial(self._give_up, delivery, address, pictures=len(request.pictures))
        delivery.set_give_up(claim_before_giving_up(request.effect, give_up))
        return self._services.submit(request)

    def _answer(
        self,
        delivery: Delivery[Session],
        address: Address,
        valid_for_s: float,
        too_old: Expired | None,
        reply: Future[Reply],
    ) -> None:
        if address.live and reply.cancelled():
            # A newer frame has replaced this one.
            return
        if address.live and delivery.session.pending > MAX_PENDING_RESULTS:
            self._metrics.count("results_dropped")
            return
        try:
            result = reply.result()
            if address.live and not self._needs_answer(address, result):
                return
            outbound = write_result(address, result)
        # Any exception, or the device would never get an answer.
        except Exception as error:
            self._fail(delivery, address, valid_for_s, too_old if too_old and isinstance(error, Expired) else error)
        else:
            left = None if too_old else valid_for_s - (time.monotonic() - delivery.received_at)
            self._outbox.reply(delivery, address, outbound, left)

    def _needs_answer(self, address: Address, reply: Reply) -> bool:
        assert isinstance(reply, Recognition)
        if self._unchanged.needs_answer(str(address.origin.camera), reply):
            return True
        self._metrics.count("results_unchanged")
        return False

    def _fail(self, delivery: Delivery[Session], address: Address, valid_for_s: float, error: Exception) -> None:
        if address.live:
            self._unchanged.forget(str(address.origin.camera))
        if isinstance(error, Expired) and valid_for_s > self._answer_s:
            # The request itself is still valid: another try may succeed.
            error = Timeout(str(error))
        self._outbox.fail(delivery, address, error)

    def _give_up(self, delivery: Delivery[Session], address: Address, *, pictures: int) -> None:
        # The pictures of one request are analysed one after the other.
        advice = f": send the {pictures} pictures in several requests, or raise mqtt.answer_s" if pictures > 1 else ""
        self._outbox.fail(delivery, address, Timeout(f"the request was not answered within mqtt.answer_s{advice}"))
