"""The properties of the connections of a replica."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from gateway.config import Settings
from gateway.mqtt.cluster.client_ids import ClientIds
from gateway.mqtt.cluster.place import Place
from gateway.mqtt.router import Router
from gateway.mqtt.transport.connection_spec import ConnectionName, ConnectionSpec
from gateway.mqtt.transport.packets import Publication

NEED = "Replicas of a cluster (cluster.name) need a broker with MQTT 5 and shared subscriptions."

KEEPALIVE_S = 5
"""The longest keep-alive. The broker notices after half as long again that a replica hangs, and shares out its part."""


class ReplicaSpecs:
    """The maker of the specs. Its methods raise NotYet while the client ids are unknown."""

    def __init__(self, settings: Settings, ids: ClientIds, place: Place, router: Router) -> None:
        mqtt, cluster = settings.mqtt, settings.cluster
        self.mqtt = mqtt.model_copy(update={"protocol": "5", "keepalive_s": min(KEEPALIVE_S, mqtt.keepalive_s)})
        """The settings of all connections."""
        self._ids = ids
        # A leader that is killed has a successor before this: nobody sees `offline`, as commands are answered.
        self._will_delay_s = math.ceil(2 * cluster.lease_s)
        self._place = place
        self._router = router

    def frames(self) -> ConnectionSpec:
        """Return the spec of the connection for frames."""
        return self._make(self._ids.frames, "frames", self.mqtt.window)

    def requests(self, inflight: int, will: Publication) -> ConnectionSpec:
        """Return the spec of the connection for shared requests. ``inflight``: messages that the broker takes."""
        # The broker assigns each request to one replica when it comes. With a small window it would hold requests back
        # for this replica, and not give them to another one. Requests are acknowledged in their order, so all of these
        # would wait for one slow change.
        made = self._make(self._ids.requests, "requests", self._window(inflight))
        return replace(made, inflight=inflight, will=will)

    def leader(self, inflight: int, will: Publication, may_publish: Callable[[], bool]) -> ConnectionSpec:
        """Return the spec of the connection of the leader. ``may_publish``: returns whether this replica leads."""
        made = self._make(self._ids.leader, "leader", self._window(inflight))
        return replace(
            made,
            persistent=True,
            inflight=inflight,
            will=will,
            will_delay_s=self._will_delay_s,
            may_publish=lambda: made.may_publish() and may_publish(),
        )

    def _window(self, inflight: int) -> int:
        # A request may have two replies.
        return max(1, min(self.mqtt.window, inflight // 2))

    def _make(self, client_id: str, connection: ConnectionName, window: int) -> ConnectionSpec:
        admission = self._place.admission
        return ConnectionSpec(
            client_id,
            self._router.filters(connection),
            window=window,
            # The people may have changed since: in a cluster a reply that is late is computed again.
            forgets_replies=True,
            # A message that waited since the lease ended may name somebody who was removed meanwhile. So a session
            # sends nothing after that, although the replica may have a lease again.
            may_publish=lambda: admission is not None and self._place.admission == admission,
            need=NEED,
        )
