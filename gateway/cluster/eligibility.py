"""The question whether this replica may own cameras and lead, by its models and its connections to the broker."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway.cluster.boot_clock import boot_time
from gateway.model.cluster import ClusterView

log = logging.getLogger(__name__)


class Eligibility:
    """The answer of one replica, asked by the thread that renews its lease.

    A replica is eligible once it was ready and connected. It stays so, unless others reach the broker for a lease, and
    it does not. So a broker that is away for all replicas changes nothing: their cameras stay where they are.
    """

    def __init__(
        self, replica: str, lease_s: float, is_ready: Callable[[], bool], is_connected: Callable[[], bool]
    ) -> None:
        """``is_ready``: returns whether the gateway can follow cameras.

        ``is_connected``: returns whether the gateway has its connections to the broker now.
        """
        self._replica = replica
        self._lease_s = lease_s
        self._is_ready = is_ready
        self._is_connected = is_connected
        self._was_ready = False
        self._is_cut_off = False
        self._since: float | None = None
        self.connected = False
        """True if the replica was connected to the broker when it was asked last."""

    def ask(self) -> bool:
        """Return whether the replica may own cameras and lead, and note whether it is connected."""
        self.connected = self._is_connected()
        self._was_ready = self._was_ready or (self.connected and self._is_ready())
        return self._was_ready and not self._is_cut_off

    def note(self, view: ClusterView) -> None:
        """Note the cluster after a renewal."""
        if self.connected or not view.candidates - {self._replica}:
            self._since, self._is_cut_off = None, False
        elif not view.connected_candidates - {self._replica}:
            # It may be away for all. A replica that was cut off before stays so, since its cameras have moved.
            self._since = None
        elif self._since is None:
            self._since = boot_time()
        elif not self._is_cut_off and boot_time() - self._since >= self._lease_s:
            self._is_cut_off = True
            log.warning("this replica does not reach the broker, and others do: they get its cameras")
