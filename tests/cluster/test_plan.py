"""The next steps of a replica, from the rows that it sees."""

from __future__ import annotations

from gateway.cluster.plan import Plan, make_plan
from gateway.cluster.rendezvous import find_favourite
from gateway.model.cluster import ClusterView, OwnedCamera, Replica

NAMES = [f"cam{n}" for n in range(20)]
LEASE_S = 3.0


def replica(name: str, *, left: float = 2.0, serving: bool = True) -> Replica:
    return Replica(name, None, "1", 0, serving, left, left)


def view(*replicas: Replica, owner: str | None = None, leader: str | None = None) -> ClusterView:
    return ClusterView(0, replicas, leader, 1, tuple(OwnedCamera(name, owner, 1) for name in NAMES))


def favourites(of: str, *candidates: str) -> set[str]:
    return {name for name in NAMES if find_favourite(name, candidates) == of}


def names(cameras: tuple[OwnedCamera, ...]) -> set[str]:
    return {each.name for each in cameras}


def test_single_replica_leads_and_claims_all_cameras() -> None:
    plan = make_plan(view(replica("a")), "a", LEASE_S)
    assert plan.leads
    assert names(plan.claims) == set(NAMES)
    assert not plan.give_up


def test_replica_that_does_not_serve_claims_no_cameras() -> None:
    assert make_plan(view(replica("a", serving=False), replica("b")), "a", LEASE_S) == Plan()


def test_replica_that_does_not_serve_leads_if_nobody_serves() -> None:
    assert make_plan(view(replica("a", serving=False)), "a", LEASE_S) == Plan(leads=True)


def test_replica_that_does_not_renew_its_lease_gets_no_more_cameras() -> None:
    cut_off = replica("cut off", left=0.1)
    seen = view(replica("a"), replica("b"), cut_off, owner=None, leader="a")
    assert names(make_plan(seen, "a", LEASE_S).claims) == favourites("a", "a", "b")
    seen = view(replica("a"), replica("b"), cut_off, owner="a", leader="a")
    assert make_plan(seen, "a", LEASE_S).give_up == favourites("b", "a", "b", "cut off")


def test_cameras_of_a_live_owner_are_not_claimed() -> None:
    assert make_plan(view(replica("a"), replica("b"), owner="b", leader="b"), "a", LEASE_S) == Plan(give_up=set())


def test_owner_gives_up_cameras_with_another_favourite() -> None:
    plan = make_plan(view(replica("a"), replica("b"), owner="a", leader="a"), "a", LEASE_S)
    assert plan.give_up == favourites("b", "a", "b")
    assert not plan.claims


def test_cameras_of_a_dead_owner_are_shared_by_the_others() -> None:
    seen = view(replica("a"), replica("b"), replica("dead", left=-0.1), owner="dead", leader="dead")
    for each in "ab":
        plan = make_plan(seen, each, LEASE_S)
        assert plan.leads
        assert names(plan.claims) == favourites(each, "a", "b")


def test_cameras_of_an_owner_without_a_row_are_claimed() -> None:
    assert names(make_plan(view(replica("a"), owner="forgotten"), "a", LEASE_S).claims) == set(NAMES)


def test_leader_that_leaves_keeps_others_from_leading_until_it_has_released() -> None:
    assert not make_plan(view(replica("a"), replica("b", serving=False), leader="b"), "a", LEASE_S).leads
