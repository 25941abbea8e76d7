"""The cameras that a replica should claim, and those that it should give up."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from gateway.cluster.rendezvous import find_favourite
from gateway.model.cluster import ClusterView, OwnedCamera

RENEWED_SHARE = 0.5
"""The share of its lease that a replica has left at least while it reaches the database: it renews far earlier."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The next steps of a replica. ``leads``: it should become the leader."""

    leads: bool = False
    claims: tuple[OwnedCamera, ...] = ()
    give_up: Set[str] = frozenset()


def make_plan(view: ClusterView, replica: str, lease_s: float) -> Plan:
    """Return the next steps of a replica. One that is not a candidate claims no camera.

    A candidate that does not renew its lease now, since it hangs or is cut off, gets no more cameras. Those that it
    owns stay its own until its lease ends.
    """
    candidates, live = view.candidates, view.live
    # A replica that cannot follow cameras yet leads only if nobody else can.
    leads = view.live_leader is None and (replica in candidates or not candidates)
    if replica not in candidates:
        return Plan(leads)
    renewed_s = lease_s * RENEWED_SHARE
    reachable = {each.id for each in view.replicas if each.id in candidates and each.lease_left_s > renewed_s}
    reachable.add(replica)
    free = [each for each in view.cameras if each.owner not in live]
    favourites = {each.name: find_favourite(each.name, candidates) for each in view.cameras if each.owner == replica}
    return Plan(
        leads,
        tuple(each for each in free if find_favourite(each.name, reachable) == replica),
        {name for name, favourite in favourites.items() if favourite != replica and favourite in reachable},
    )
