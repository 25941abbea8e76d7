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
    """The next steps of a replica. ``leads``: it should become the leader. ``stops_leading``: another one should."""

    leads: bool = False
    claims: tuple[OwnedCamera, ...] = ()
    give_up: Set[str] = frozenset()
    stops_leading: bool = False


def make_plan(view: ClusterView, replica: str, lease_s: float) -> Plan:
    """Return the next steps of a replica. One that is not a candidate claims no camera.

    A candidate that reaches the database or the broker no more gets nothing, if another candidate reaches both. It
    keeps its cameras and the leadership until its lease ends, or until it is not a candidate any more. While the broker
    is away for all, cameras with a live owner stay where they are.
    """
    candidates, connected = view.candidates, view.connected_candidates
    if replica not in candidates:
        return _leave(view, replica)
    renewed_s = lease_s * RENEWED_SHARE
    eligible = connected or candidates
    takers = {each.id for each in view.replicas if each.id in eligible and each.lease_left_s > renewed_s}
    if replica in eligible:
        takers.add(replica)
    free = [each for each in view.cameras if each.owner not in view.live]
    favourites = {each.name: find_favourite(each.name, candidates) for each in view.cameras if each.owner == replica}
    given_up = {name for name, favourite in favourites.items() if favourite != replica and favourite in takers}
    return Plan(
        view.live_leader is None and replica in takers,
        tuple(each for each in free if find_favourite(each.name, takers) == replica),
        given_up if connected else frozenset(),
    )


def _leave(view: ClusterView, replica: str) -> Plan:
    """Return the steps of a replica that is not a candidate: another one gets what it holds, if there is one."""
    if not view.candidates:
        # Commands such as those over REST need a leader that deletes old data.
        return Plan(leads=view.live_leader is None)
    if not view.connected_candidates:
        return Plan()
    is_connected = any(each.id == replica and each.connected for each in view.replicas)
    # A replica that only loads its models may go on leading.
    return Plan(give_up=frozenset(view.cameras_of(replica)), stops_leading=view.leader == replica and not is_connected)
