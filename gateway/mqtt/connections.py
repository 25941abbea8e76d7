"""The two connections of a gateway that works alone: one for requests, and one for frames of streams.

The broker keeps the session for requests while their connection is down, so no request is lost. Frames have a
connection of their own, so that they cannot fill the window for requests.

This module decides when a connection begins, what it subscribes to, and when it is replaced. The connections of a
replica are in cluster/connections.py.
"""

from __future__ import annotations

import secrets
from functools import partial

from gateway.mqtt.bridge.duplicate_detector import DuplicateDetector
from gateway.mqtt.parts import Parts
from gateway.mqtt.pieces import Pieces
from gateway.mqtt.request_connection import RequestConnection
from gateway.mqtt.router import Router
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.reconnector import NotYet, Reconnector
from gateway.mqtt.transport.session import Session
from gateway.mqtt.upkeep import Upkeep


class Connections:
    """The connection for requests and the connection for frames."""

    def __init__(
        self, parts: Parts, router: Router, upkeep: Upkeep, duplicates: DuplicateDetector, pieces: Pieces
    ) -> None:
        self._settings = settings = parts.settings.mqtt
        self._client_id = parts.identity.client_id
        self._router = router
        self._upkeep = upkeep
        self._outbox = parts.outbox
        self._duplicates = duplicates
        self._bridge_status = parts.bridge_status
        self._pieces = pieces
        self._acl_watch = parts.acl_watch
        reconnector = partial(Reconnector, settings, metrics=parts.metrics, on_fatal=parts.on_fatal)
        self.frames = reconnector(
            self._frames_spec,
            on_up=self._start_frames,
            on_message=partial(router.dispatch, "frames"),
            on_tick=self._tick_frames,
        )
        connection = RequestConnection(
            reconnector, self._requests_spec, router, upkeep, settings.answer_s, parts.on_fatal, self._tick_requests
        )
        self.requests = connection.reconnector

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
        # A displaced gateway leaves no `offline`, because another gateway serves.
        self.requests.stop(None if self._duplicates.displaced else self._upkeep.will)

    def _frames_spec(self) -> ConnectionSpec:
        return ConnectionSpec(f"{self._client_id}-live-{secrets.token_hex(3)}", self._router.filters("frames"))

    def _start_frames(self, session: Session) -> None:
        self._outbox.use_session("frames", session)
        self._subscribe_frames(session)

    def _subscribe_frames(self, session: Session) -> None:
        """Subscribe to frames once no other gateway serves the same topics."""
        # This is called for each new session, and also when the search ends. The later of the two calls subscribes.
        if self._duplicates.exclusive:
            session.subscribe(self._router.filters("frames", "exclusive"))

    def _requests_spec(self) -> ConnectionSpec:
        """Return the spec, after a search for other gateways and the question whether the broker has an ACL.

        Raises AnotherGateway, NotYet, StartError, OSError and ValueError.
        """
        if not self._duplicates.exclusive:
            if (session := self.frames.session) is None or not session.connected:
                raise NotYet
            # The session may be connected, and ``_start_frames`` not called for it yet.
            self._outbox.use_session("frames", session)
            self._duplicates.search(session)
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
        if self._duplicates.exclusive:
            self._bridge_status.announce_health()
        self._acl_watch.tick(five=session.is_mqtt5)

    def _tick_requests(self, session: Session) -> None:
        if self._duplicates.take_conflict():
            # Another gateway, which has to end, has published its own state.
            self._upkeep.publish_again(session)
        self._pieces.tick(session)
