"""The two connections of the gateway to its broker: one for requests, and one for frames of streams.

The broker keeps the session for requests while their connection is down, so no request is lost. Frames have a
connection of their own, so that they cannot fill the window for requests.

This module decides when a connection begins, what it subscribes to, and when it is replaced. At the start of a session,
twice a second during it and at its end it calls ``upkeep``, which has the tasks of all other parts for these moments.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Callable
from functools import partial

from gateway.config import MqttSettings
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.mqtt.bridge.acl_watch import AclWatch
from gateway.mqtt.delivery.watchdog import Watchdog
from gateway.mqtt.router import Router
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.reconnector import NotYet, Reconnector
from gateway.mqtt.transport.session import Session
from gateway.mqtt.upkeep import Upkeep

log = logging.getLogger(__name__)

MAX_SILENCE_S = 300.0
"""Without a message, loopback messages included, the connection is replaced. The largest message takes less time over a
slow network."""


class Connections:
    """The connection for requests and the connection for frames. ``on_fatal`` gets the error that ends the gateway."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        router: Router,
        upkeep: Upkeep,
        acl_watch: AclWatch,
        metrics: Metrics,
        on_fatal: Callable[[GatewayError], None],
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._router = router
        self._upkeep = upkeep
        self._acl_watch = acl_watch
        self._last_request_at = -math.inf
        reconnector = partial(Reconnector, settings, metrics=metrics, on_fatal=on_fatal)
        self.frames = reconnector(
            self._frames_spec,
            on_up=self._start_frames,
            on_message=partial(router.dispatch, "frames"),
            on_tick=self._tick_frames,
        )
        self.requests = reconnector(
            self._requests_spec,
            on_up=upkeep.start_requests,
            on_message=self._receive_request,
            on_tick=self._tick_requests,
            on_down=self._end_requests,
        )
        self._watchdog = Watchdog(self.requests.ledger, settings.answer_s, self.requests.reconnect, on_fatal)

    @property
    def connected(self) -> bool:
        return self.requests.connected and self.frames.connected

    @property
    def alive(self) -> bool:
        return self.requests.alive and self.frames.alive

    def start(self) -> None:
        """Start to connect, and return after the first try, connected or not. Raises StartError."""
        # Frames first: on their connection the gateway searches for other gateways, and learns the broker's limits.
        self.frames.start()
        self.requests.start()

    def stop(self) -> None:
        self.frames.stop()
        self.requests.stop(self._upkeep.farewell)

    def _frames_spec(self) -> ConnectionSpec:
        return ConnectionSpec(f"{self._client_id}-live-{secrets.token_hex(3)}", self._router.filters("frames"))

    def _start_frames(self, session: Session) -> None:
        self._upkeep.start_frames(session)
        self._subscribe_frames(session)

    def _subscribe_frames(self, session: Session) -> None:
        """Subscribe to frames once no other gateway serves the same topics."""
        # This is called for each new session, and also when the search ends. The later of the two calls subscribes.
        if self._upkeep.is_exclusive:
            session.subscribe(self._router.filters("frames", "exclusive"))

    def _requests_spec(self) -> ConnectionSpec:
        """Return the spec, after a search for other gateways and the question whether the broker has an ACL.

        Raises AnotherGateway, NotYet, StartError, OSError and ValueError.
        """
        if not self._upkeep.is_exclusive:
            if (session := self.frames.session) is None or not session.connected:
                raise NotYet
            self._upkeep.search(session)
            self._subscribe_frames(self.frames.session or session)
        # Commands may wait at the broker: their rights are known before they come.
        self._acl_watch.ask(five=self.frames.session is None or self.frames.session.is_mqtt5)
        max_in_flight = self.frames.receive_maximum
        return ConnectionSpec(
            self._client_id,
            self._router.filters("requests"),
            persistent=True,
            inflight=max_in_flight,
            # A request has two replies, a document and a verdict.
            window=max(1, min(self._settings.window, max_in_flight // 2)),
            will=self._upkeep.will,
        )

    def _tick_frames(self, session: Session) -> None:
        self._upkeep.tick_frames(session)
        self._acl_watch.tick(five=session.is_mqtt5)

    def _receive_request(self, delivery: Delivery[Session]) -> None:
        self._last_request_at = time.monotonic()
        self._router.dispatch("requests", delivery)

    def _end_requests(self) -> bool:
        return self._upkeep.end_requests(self.requests.ledger.oldest_unconfirmed())

    def _tick_requests(self, session: Session) -> None:
        if self._upkeep.caught_up and time.monotonic() > self._last_request_at + MAX_SILENCE_S:
            log.warning("no message comes in any more, though the connection is open; connecting again")
            self.requests.reconnect()
            return
        self._upkeep.tick_requests(session)
        self._watchdog.tick()
