"""A connection on which requests come in, with the checks that it still works."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from gateway.errors import GatewayError
from gateway.mqtt.delivery.watchdog import Watchdog
from gateway.mqtt.router import Router
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.reconnector import Reconnector
from gateway.mqtt.transport.session import Session
from gateway.mqtt.upkeep import Upkeep

log = logging.getLogger(__name__)

MAX_SILENCE_S = 300.0
"""Without a message, loopback messages included, the connection is replaced. The largest message takes less time over a
slow network."""


class MakeReconnector(Protocol):
    """The constructor of Reconnector, with the broker and its settings given."""

    def __call__(
        self,
        make_spec: Callable[[], ConnectionSpec],
        *,
        on_up: Callable[[Session], None],
        on_message: Callable[[Delivery[Session]], None],
        on_tick: Callable[[Session], None],
        on_down: Callable[[], bool],
    ) -> Reconnector: ...


class RequestConnection:
    """A reconnector with its upkeep and its watchdog.

    ``answer_s``: the setting mqtt.answer_s. ``on_tick``: further tasks, twice a second. ``on_fatal`` gets the error
    that ends the gateway. ``explains_end``: returns whether there is another reason for the end of a session.
    """

    def __init__(
        self,
        make_reconnector: MakeReconnector,
        make_spec: Callable[[], ConnectionSpec],
        router: Router,
        upkeep: Upkeep,
        answer_s: float,
        on_fatal: Callable[[GatewayError], None],
        on_tick: Callable[[Session], None],
        explains_end: Callable[[], bool] = lambda: False,
    ) -> None:
        self._dispatch = partial(router.dispatch, upkeep.connection)
        self._upkeep = upkeep
        self._on_tick = on_tick
        self._explains_end = explains_end
        self._last_request_at = -math.inf
        self.reconnector = make_reconnector(
            make_spec, on_up=upkeep.start, on_message=self._receive, on_tick=self._tick, on_down=self._end
        )
        self._watchdog = Watchdog(self.reconnector.ledger, answer_s, self.reconnector.reconnect, on_fatal)

    def _receive(self, delivery: Delivery[Session]) -> None:
        self._last_request_at = time.monotonic()
        self._dispatch(delivery)

    def _tick(self, session: Session) -> None:
        if self._upkeep.caught_up and time.monotonic() > self._last_request_at + MAX_SILENCE_S:
            log.warning("no message comes in any more, though the connection is open; connecting again")
            self.reconnector.reconnect()
            return
        self._upkeep.tick(session)
        self._on_tick(session)
        self._watchdog.tick()

    def _end(self) -> bool:
        session = self.reconnector.session
        is_own = session is not None and bool(session.cut_reason)
        unconfirmed = self.reconnector.ledger.oldest_unconfirmed()
        return self._upkeep.end(unconfirmed, is_own=is_own) or self._explains_end()
