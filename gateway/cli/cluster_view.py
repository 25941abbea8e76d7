"""The cluster of the settings, as the commands show and check it."""

from __future__ import annotations

from gateway.cluster.renewal import other_cluster_error
from gateway.config import Settings
from gateway.model.cluster import ClusterIdentity, ClusterView
from gateway.people.cluster_store import read_cluster


def read_own_cluster(settings: Settings) -> ClusterView:
    """Return the cluster of the settings. Raise GatewayError, also if its live replicas have other settings."""
    view = read_cluster(settings)
    own = ClusterIdentity(settings.cluster.name or "", settings.mqtt.base)
    # Without a live replica the next one gives the cluster its names.
    if view.live and view.identity != own and view.identity is not None:
        raise other_cluster_error(view.identity, own).as_start_error()
    return view
