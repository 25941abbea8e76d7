"""The standing of a replica by its own clock, and the changes that its parts are told."""

from __future__ import annotations

from gateway.cluster.boot_clock import boot_time
from gateway.cluster.listener_caller import find_change
from gateway.cluster.standing import NOTHING, UNUSED_SHARE, Holdings, Standing
from gateway.model.cluster import ClusterView, OwnedCamera
from tests.support import wait_for

LEASE_S = 30.0


def view(*cameras: OwnedCamera, leader: str | None = None, epoch: int = 0) -> ClusterView:
    return ClusterView(0, (), leader, epoch, cameras)


def joined(names_s: float = LEASE_S) -> Standing:
    """Return the standing of a replica that owns cam1 and leads."""
    standing = Standing("me", LEASE_S, names_s)
    standing.apply_renewal(
        view(OwnedCamera("cam1", "me", 7), OwnedCamera("cam2", "you", 3), leader="me", epoch=4), boot_time()
    )
    assert standing.note_followed(boot_time())
    return standing


def end_lease(standing: Standing) -> None:
    """Let the lease end: the renewal was sent long ago. A shorter lease could end before a test wants it."""
    standing.apply_renewal(view(OwnedCamera("cam1", "me", 7)), boot_time() - LEASE_S)
    assert not standing.has_lease()


def test_nothing_is_held_before_the_people_are_followed() -> None:
    standing = Standing("me", LEASE_S, LEASE_S)
    began_before = boot_time()
    standing.apply_renewal(view(OwnedCamera("cam1", "me", 1)), boot_time())
    assert not standing.note_followed(began_before)
    assert not standing.may_name_people()
    assert standing.holdings() == NOTHING
    assert standing.note_followed(boot_time())
    assert standing.may_name_people()
    assert standing.holdings() == Holdings({"cam1": 1}, None, 1)


def test_rows_of_this_replica_are_held() -> None:
    assert joined().holdings() == Holdings({"cam1": 7}, 4, 1)


def test_lease_is_counted_from_the_moment_of_sending() -> None:
    standing = joined()
    standing.apply_renewal(view(OwnedCamera("cam1", "me", 7)), boot_time() - LEASE_S * (1 - UNUSED_SHARE))
    assert not standing.has_lease()
    assert standing.holdings() == NOTHING


def test_lease_ends_by_itself() -> None:
    standing = joined()
    standing.apply_renewal(view(OwnedCamera("cam1", "me", 7)), boot_time() - LEASE_S * (1 - UNUSED_SHARE) + 0.3)
    wait_for(lambda: not standing.has_lease())
    assert standing.holdings() == NOTHING
    assert not standing.may_name_people()


def test_names_may_last_longer_than_the_lease() -> None:
    standing = joined(names_s=300)
    end_lease(standing)
    assert standing.may_name_people()
    assert standing.holdings() == Holdings(admission=1)
    standing.apply_renewal(view(), boot_time())
    assert standing.has_lease()


def test_replica_whose_lease_ended_follows_the_people_before_it_holds_one_again() -> None:
    standing = joined()
    end_lease(standing)
    assert standing.note_dropped()
    followed = boot_time()
    standing.apply_renewal(view(OwnedCamera("cam1", "me", 7)), boot_time())
    assert not standing.note_followed(followed)
    assert not standing.has_lease()
    assert standing.note_followed(boot_time())
    assert standing.has_lease()


def test_replica_whose_lease_ended_drops_what_it_queued_before_it_follows_the_people() -> None:
    standing = joined()
    assert not standing.note_dropped()
    end_lease(standing)
    standing.apply_renewal(view(OwnedCamera("cam1", "me", 7)), boot_time())
    followed = boot_time()
    assert not standing.note_followed(followed)
    assert standing.note_dropped()
    assert not standing.note_dropped()
    assert not standing.note_followed(followed)
    assert standing.note_followed(boot_time())
    # Listeners that slept meanwhile still learn that there was an end.
    assert standing.holdings() == Holdings({"cam1": 7}, None, 2)


def test_camera_that_was_given_up_is_not_owned_while_its_row_stays() -> None:
    standing = joined()
    standing.give_up({"cam1"})
    assert standing.holdings().cameras == {}
    standing.apply_renewal(view(OwnedCamera("cam1", "me", 7)), boot_time())
    assert standing.holdings().cameras == {}
    assert standing.leaving().cameras == {"cam1": 7}


def test_camera_that_was_given_up_can_be_claimed_again() -> None:
    standing = joined()
    standing.give_up({"cam1"})
    standing.apply_renewal(view(OwnedCamera("cam1", None, 7)), boot_time())
    assert standing.leaving() == NOTHING
    standing.add_claims({"cam1": 8})
    assert standing.holdings().cameras == {"cam1": 8}


def test_replica_that_gives_everything_up_gets_nothing_again() -> None:
    standing = joined()
    standing.give_up_everything()
    assert standing.leaving() == Holdings({"cam1": 7}, 4)
    standing.add_claims({"cam3": 1}, 9)
    assert standing.holdings() == Holdings(admission=1)
    assert standing.may_name_people()


def test_camera_that_another_replica_owned_meanwhile_is_lost_and_gained() -> None:
    before = Holdings({"cam1": 1, "cam2": 1}, 1)
    change = find_change(before, before, Holdings({"cam1": 2, "cam2": 1}, 3))
    assert change.lost == {"cam1"}
    assert change.gained == {"cam1": 2}
    assert change.ends_leadership
    assert change.begins_leadership
    assert not find_change(before, before, before)


def test_camera_that_not_all_parts_took_over_is_gained_again() -> None:
    held = Holdings({"cam1": 1, "cam2": 1}, 3)
    change = find_change(held, Holdings({"cam1": 1}), held)
    assert (change.lost, change.gained) == (set(), {"cam2": 1})
    assert change.begins_leadership
    assert not change.ends_leadership
    # Some parts may follow it, so that it has to be left.
    assert find_change(held, NOTHING, NOTHING).lost == {"cam1", "cam2"}
