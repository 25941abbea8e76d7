"""The wait until every replica follows a change of people."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from gateway.cluster.confirmation import EXTRA_S, LEASES
from gateway.errors import Busy
from tests.cluster.support import LEASE_S, Cluster, Replica, cluster_running
from tests.support import wait_for


def started(cluster: Cluster, *names: str) -> list[Replica]:
    replicas = cluster.start(*names)
    wait_for(lambda: all(each.membership.may_name_people() for each in replicas))
    return replicas


class Waiting(threading.Thread):
    """A thread that waits for all confirmations, and what came of it."""

    def __init__(self, confirm: Callable[[], None], look: Callable[[], object]) -> None:
        super().__init__()
        self._confirm = confirm
        self._look = look
        self.error: Exception | None = None
        self.seen: object = None
        self.start()

    def run(self) -> None:
        try:
            self._confirm()
        except Busy as error:
            self.error = error
        # Immediately after the wait.
        self.seen = self._look()


def test_change_is_confirmed_by_all_replicas(patient_cluster: Cluster) -> None:
    replicas = started(patient_cluster, "a", "b", "c")
    for n in range(1, 20):
        patient_cluster.change_people()
        replicas[n % 3].membership.confirm_everywhere()
        assert [each.followed for each in replicas] == [n] * 3


def test_replica_that_follows_later_is_waited_for(patient_cluster: Cluster) -> None:
    a, b = started(patient_cluster, "a", "b")
    with b.following:
        patient_cluster.change_people()
        waiting = Waiting(a.membership.confirm_everywhere, lambda: b.followed)
        wait_for(lambda: a.followed == 1)
        assert waiting.is_alive()
    waiting.join()
    assert waiting.error is None
    assert waiting.seen == 1


def test_replica_that_does_not_follow_loses_its_lease_before_the_answer(cluster: Cluster) -> None:
    a, b = started(cluster, "a", "b")
    with b.following:
        cluster.change_people()
        waiting = Waiting(a.membership.confirm_everywhere, b.membership.may_name_people)
        waiting.join()
        assert waiting.error is None
        assert waiting.seen is False
        wait_for(a.membership.may_name_people)
        wait_for(lambda: "does not follow" in (b.membership.problem or ""))
    wait_for(b.membership.may_name_people)
    assert b.followed == 1


@pytest.mark.parametrize("fault", ["stall", "cut"])
def test_replica_without_the_database_names_nobody_after_the_answer(postgres_url: str, fault: str) -> None:
    with cluster_running(postgres_url, names_s=2 * LEASE_S) as cluster:
        a, b = started(cluster, "a", "b")
        getattr(b.proxy, fault)()
        cluster.change_people()
        waiting = Waiting(a.membership.confirm_everywhere, b.membership.may_name_people)
        waiting.join()
        assert waiting.error is None
        assert waiting.seen is False
        assert b.followed == 0
        b.proxy.mend()
        wait_for(b.membership.may_name_people)
        assert b.followed == 1


def test_replica_that_starts_during_a_change_follows_it_before_it_names_anybody(cluster: Cluster) -> None:
    (a,) = started(cluster, "a")
    (b,) = cluster.start("b")
    held: list[int] = []

    def look() -> None:
        wait_for(b.membership.may_name_people)
        held.append(b.followed)

    looking = threading.Thread(target=look)
    looking.start()
    cluster.change_people()
    a.membership.confirm_everywhere()
    after = b.followed if b.membership.may_name_people() else 1
    looking.join()
    assert after == 1


def test_wait_without_the_database_ends_with_an_error(cluster: Cluster) -> None:
    a, _ = started(cluster, "a", "b")
    # Before the change: on a busy machine the wait could end before a later cut.
    a.proxy.cut()
    cluster.change_people()
    waiting = Waiting(a.membership.confirm_everywhere, lambda: None)
    waiting.join(60 + LEASES * LEASE_S + EXTRA_S)
    assert isinstance(waiting.error, Busy)
    assert str(waiting.error).startswith(
        "the change is made, but not confirmed by all replicas: the people store cannot"
    )


def test_stopped_replica_is_not_waited_for(patient_cluster: Cluster) -> None:
    a, _ = started(patient_cluster, "a", "b")
    patient_cluster.stop("b")
    patient_cluster.change_people()
    a.membership.confirm_everywhere()


def test_error_of_the_database_is_waited_for_like_its_absence(patient_cluster: Cluster) -> None:
    """Regression: the change was made, and the request got another error than busy."""
    (a,) = started(patient_cluster, "a")
    with patient_cluster.database.transaction() as db:
        db.execute("ALTER TABLE cluster_replicas RENAME TO away")
    patient_cluster.change_people()
    waiting = Waiting(a.membership.confirm_everywhere, lambda: a.followed)
    # The replica renews its lease now, with the same error.
    a.membership.add_cameras(["porch"])
    wait_for(lambda: a.membership.problem is not None)
    assert waiting.is_alive()
    with patient_cluster.database.transaction() as db:
        db.execute("ALTER TABLE away RENAME TO cluster_replicas")
    waiting.join()
    assert (waiting.error, waiting.seen) == (None, 1)
