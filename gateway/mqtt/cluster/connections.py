"""The connections of a replica: for shared requests, for the frames of its own cameras, and for the leader.

- ``requests`` has a session that ends with the connection, under MQTT 5. The broker shares out the requests of all
  cameras among the replicas. A session that outlived its connection would go on getting its share.
- ``frames`` is subscribed to the frames and the pieces of the own cameras, and to the messages of other programs, which
  each replica needs for its own cameras.
- ``leader`` exists only while this replica leads. Its session is the same for each leader, so that the broker keeps the
  commands while there is none: administrators do not repeat them.

A replica whose lease has ended has no connection: the broker gives its requests to the others, and nothing that it
wrote before can name anybody later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from gateway.errors import StartError
from gateway.mqtt.cluster.client_ids import ClientIds
from gateway.mqtt.cluster.frame_subscriptions import FrameSubscriptions
from gateway.mqtt.cluster.place import Place
from gateway.mqtt.cluster.shared_downtime import SharedDowntime
from gateway.mqtt.cluster.short_sessions import ShortSessions
from gateway.mqtt.cluster.single_gateway_search import SingleGatewaySearch
from gateway.mqtt.cluster.specs import NEED, ReplicaSpecs
from gateway.mqtt.delivery.watchdog import Watchdog
from gateway.mqtt.parts import Parts
from gateway.mqtt.pieces import Pieces
from gateway.mqtt.request_connection import RequestConnection
from gateway.mqtt.router import Router
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.reconnector import NotYet, Reconnector
from gateway.mqtt.transport.session import Session
from gateway.mqtt.upkeep import Upkeep

log = logging.getLogger(__name__)

LEASE_ENDED = "the lease of this replica has ended. It answers nothing until it reaches the database again"
LEADS_NO_MORE = "this replica does not lead any more"

DRAIN_S = 2.0
"""Time for the requests to come in that the broker had given to this replica before it unsubscribed."""


class ReplicaConnections:
    """The three connections. ``search``: for gateways that work alone on the same base. ``ids``: their client ids."""

    def __init__(
        self,
        parts: Parts,
        place: Place,
        router: Router,
        upkeeps: tuple[Upkeep, Upkeep],
        search: SingleGatewaySearch,
        pieces: Pieces,
        downtime: SharedDowntime,
        ids: ClientIds,
    ) -> None:
        """``upkeeps``: of the connection for requests, and of that of the leader."""
        self._parts = parts
        self._place = place
        self._router = router
        self._upkeep, self._leader_upkeep = upkeeps
        self._search = search
        self._pieces = pieces
        self._downtime = downtime
        self.short_sessions = ShortSessions(parts.on_fatal)
        self.specs = ReplicaSpecs(parts.settings, ids, place, router)
        settings = self.specs.mqtt
        self._subscriptions = FrameSubscriptions(self._wanted_filters)
        # False until everything that the leader announces was announced: the first session clears all other topics.
        self._may_connect_as_leader = False
        self._has_last_words = False
        reconnector = partial(Reconnector, settings, metrics=parts.metrics)
        self.frames = reconnector(
            self._frames_spec,
            on_up=self._start_frames,
            on_message=partial(router.dispatch, "frames"),
            on_tick=self._tick_frames,
            on_down=self._may_name_nobody,
            on_fatal=partial(self.short_sessions.handle, "frames"),
        )
        self._frames_watchdog = Watchdog(self.frames.ledger, settings.answer_s, self.frames.reconnect, parts.on_fatal)
        connection = partial(RequestConnection, router=router, answer_s=settings.answer_s)
        connection = partial(connection, on_fatal=parts.on_fatal)
        self.requests = connection(
            partial(reconnector, on_fatal=partial(self.short_sessions.handle, "requests")),
            make_spec=self._requests_spec,
            upkeep=self._upkeep,
            on_tick=self._tick_requests,
            explains_end=self._may_name_nobody,
        ).reconnector
        self.leader = connection(
            partial(reconnector, on_fatal=partial(self.short_sessions.handle, "commands")),
            make_spec=self._leader_spec,
            upkeep=self._leader_upkeep,
            on_tick=self._tick_leader,
            explains_end=lambda: not self._leads(),
        ).reconnector

    @property
    def connected(self) -> bool:
        return self.requests.connected and self.frames.connected

    @property
    def alive(self) -> bool:
        return self.requests.alive and self.frames.alive and self.leader.alive

    def start(self) -> None:
        """Start to connect, and return after the first try, connected or not. Raises StartError."""
        # Frames first: on their connection the replica searches for a gateway alone, and learns the broker's limits.
        for each in (self.frames, self.requests, self.leader):
            each.start()

    def start_leading(self) -> None:
        """Take the commands."""
        self._may_connect_as_leader = True
        self.leader.wake()

    def stop_leading(self) -> None:
        """Take no more commands. The broker keeps them for the next leader."""
        self._may_connect_as_leader = False
        # The connection is cut: the broker publishes the last will if no other leader continues the session.
        self.leader.reconnect(LEADS_NO_MORE)

    @contextmanager
    def last_words(self) -> Iterator[None]:
        """Let a replica that leads no more publish its last messages as the leader, if no other one will lead."""
        self._has_last_words = True
        try:
            yield
        finally:
            self._has_last_words = False

    def subscribe(self) -> None:
        """Subscribe to the frames of the own cameras, and to the messages of other programs."""
        session = self.frames.session
        if session is not None and session.connected and self._search.exclusive:
            self._subscriptions.update(session)

    def drain(self) -> None:
        """Let the other replicas take the requests, and wait for those that the broker has given to this one."""
        session = self.requests.session
        if session is None or not session.connected:
            return
        session.unsubscribe([each for each, _ in self._router.filters("requests") if each.startswith("$share/")])
        # The broker sends this message after the requests.
        number, deadline = self._parts.loopback.send(session), time.monotonic() + DRAIN_S
        while session.connected and self._parts.loopback.returned_number < number and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self) -> None:
        """End the connections, after the broker has the last replies."""
        # Cut, if it is still there: the last will is withdrawn by the next leader, or is true.
        self.leader.reconnect()
        self.leader.stop()
        self.frames.stop()
        self.requests.stop(self._upkeep.will)

    def _frames_spec(self) -> ConnectionSpec:
        self._require_naming()
        return self.specs.frames()

    def _start_frames(self, session: Session) -> None:
        self._parts.outbox.use_session("frames", session)
        if not session.broker_limits.shares:
            settings = self.specs.mqtt
            self._parts.on_fatal(
                StartError(f"The broker at {settings.host}:{settings.port} has no shared subscriptions. {NEED}")
            )
            return
        self.subscribe()

    def _requests_spec(self) -> ConnectionSpec:
        """Return the spec, after a search for a gateway alone. Raises AnotherGateway and NotYet."""
        self._require_naming()
        session = self.frames.session
        if session is None or not session.connected or not session.broker_limits.shares:
            raise NotYet
        if not self._search.exclusive:
            # The session may be connected, and ``_start_frames`` not called for it yet.
            self._parts.outbox.use_session("frames", session)
            self._search.search(session)
            self.subscribe()
        return self.specs.requests(self.frames.receive_maximum, self._upkeep.will)

    def _leader_spec(self) -> ConnectionSpec:
        """Return the spec, after the question whether the broker has an ACL. Raises NotYet, OSError and StartError."""
        if not (self._leads() and self._search.exclusive):
            raise NotYet
        # Commands may wait at the broker: their rights and their age are known before they come.
        self._parts.acl_watch.ask(five=True)
        self._downtime.read()
        return self.specs.leader(self.frames.receive_maximum, self._leader_upkeep.will, self._may_lead)

    def _wanted_filters(self) -> Iterator[tuple[str, int]]:
        for camera in self._place.owned:
            yield self._parts.topics.frame(camera), 0
            yield self._parts.topics.pieces_of(camera), 1
            for pattern in self._parts.inputs:
                if (own := pattern.filter_of(camera)) is not None:
                    yield own, 0
        yield from self._router.filters("frames", "exclusive")

    def _tick_frames(self, session: Session) -> None:
        if self._cut_without_lease(self.frames, session):
            return
        # The cameras may have changed while the session began.
        self.subscribe()
        self._frames_watchdog.tick()
        self._pieces.tick(session)
        if self._leads() and self._search.exclusive:
            self._parts.bridge_status.announce_health()
            self._parts.acl_watch.tick(five=True)

    def _tick_requests(self, session: Session) -> None:
        self._cut_without_lease(self.requests, session)

    def _tick_leader(self, session: Session) -> None:
        if self._leads() and session.may_publish():
            self._downtime.write()
        elif not self._has_last_words:
            self.leader.reconnect(LEADS_NO_MORE)

    def _cut_without_lease(self, connection: Reconnector, session: Session) -> bool:
        """Cut the connection if the lease has ended since it began: all that waits to be sent is dropped.

        Return whether it was cut. The replica may have a lease again by now.
        """
        if session.may_publish():
            return False
        connection.reconnect(LEASE_ENDED)
        return True

    def _require_naming(self) -> None:
        if not self._place.may_name_people():
            raise NotYet

    def _may_name_nobody(self) -> bool:
        return not self._place.may_name_people()

    def _leads(self) -> bool:
        return self._may_connect_as_leader and self._place.is_leader

    def _may_lead(self) -> bool:
        return self._leads() or (self._has_last_words and self._place.has_lease())
