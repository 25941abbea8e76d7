"""The next steps of a replica, from the rows that it sees."""

from __future__ import annotations

from gateway.cluster.plan import Plan, make_plan
from gateway.cluster.rendezvous import find_favourite
from gateway.model.cluster import ClusterView, OwnedCamera, Replica

NAMES = [f"cam{n}" for n in range(20)]
LEASE_S = 3.0


def replica(name: str, *, left: float = 2.0, serving: bool = True, connected: bool = True) -> Replica:
    return Replica(name, None, "1", 0, serving, connected, left, left)


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


def test_candidate_without_the_broker_gets_nothing_more_and_keeps_what_it_has() -> None:
    seen = view(replica("a"), replica("b", connected=False), owner=None)
    assert names(make_plan(seen, "a", LEASE_S).claims) == set(NAMES)
    assert make_plan(seen, "b", LEASE_S) == Plan()
    seen = view(replica("a"), replica("b", connected=False), owner="b", leader="b")
    assert make_plan(seen, "b", LEASE_S).give_up == favourites("a", "a", "b")
    assert not make_plan(seen, "a", LEASE_S).claims


def test_cameras_with_a_live_owner_stay_while_nobody_reaches_the_broker() -> None:
    away = [replica(name, connected=False) for name in "ab"]
    assert make_plan(view(*away, owner="a", leader="a"), "a", LEASE_S) == Plan()
    assert names(make_plan(view(*away, owner="dead"), "a", LEASE_S).claims) == favourites("a", "a", "b")
    cut_off = replica("b", serving=False, connected=False)
    assert make_plan(view(away[0], cut_off, owner="b", leader="b"), "b", LEASE_S) == Plan()


def test_replica_that_is_cut_off_from_the_broker_gives_everything_up() -> None:
    seen = view(replica("a"), replica("b", serving=False, connected=False), owner="b", leader="b")
    assert make_plan(seen, "b", LEASE_S) == Plan(give_up=set(NAMES), stops_leading=True)


def test_leader_that_only_loads_its_models_goes_on_leading() -> None:
    seen = view(replica("a"), replica("b", serving=False), leader="b")
    assert make_plan(seen, "b", LEASE_S) == Plan()
