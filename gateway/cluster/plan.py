"""The cameras that a replica should claim, and those that it should give up."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from gateway.cluster.rendezvous import find_favourite
from gateway.model.cluster import ClusterView, OwnedCamera


@dataclass(frozen=True, slots=True)
class Plan:
    """The next steps of a replica. ``leads``: it should become the leader."""

    leads: bool = False
    claims: tuple[OwnedCamera, ...] = ()
    give_up: Set[str] = frozenset()


def make_plan(view: ClusterView, replica: str) -> Plan:
    """Return the next steps of a replica. One that is not a candidate claims nothing."""
    candidates, live = view.candidates, view.live
    if replica not in candidates:
        return Plan()
    mine = [each for each in view.cameras if find_favourite(each.name, candidates) == replica]
    names = {each.name for each in mine}
    return Plan(
        view.live_leader is None,
        tuple(each for each in mine if each.owner not in live),
        {each.name for each in view.cameras if each.owner == replica and each.name not in names},
    )
