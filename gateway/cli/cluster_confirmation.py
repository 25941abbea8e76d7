"""The wait of a command until all replicas of a cluster follow its change of people."""

from __future__ import annotations

from contextlib import closing
from functools import partial

from gateway.cluster.confirmation import Confirmation
from gateway.config import Settings
from gateway.people.cluster_store import open_coordination
from gateway.people.followed_changes import Confirm


def confirmation_of(settings: Settings) -> Confirm | None:
    """Return the wait for the replicas; None for a gateway without replicas. The wait raises Busy after a while."""
    return None if settings.cluster.name is None else partial(_wait, settings)


def _wait(settings: Settings, removed: bool) -> None:
    cluster = settings.cluster
    coordination = open_coordination(settings)
    with closing(Confirmation(coordination, cluster.lease_s, cluster.names_s, is_replica=False)) as confirmation:
        confirmation.wait_for_all(removed=removed)
