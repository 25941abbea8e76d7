"""A process of a replica, and the one before it that was killed. Both have the same id."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.model.cluster import ClusterView
from gateway.store.postgres.coordination import PostgresCoordination
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.protocols.coordination import Member
from tests.cluster.support import IDENTITY

LEASE_S = 60.0
"""A lease that ends when the test says so."""


class Agreement(PostgresCoordination):
    """The agreement of replicas, and a way to let all leases end."""

    def __init__(self, url: str) -> None:
        # This creates the tables.
        self._database = PostgresDatabase(url)
        super().__init__(url, LEASE_S)

    def end_leases(self) -> None:
        with self._database.transaction() as db:
            db.execute("UPDATE cluster_replicas SET lease_until = clock_timestamp() - interval '1 second'")

    def close(self) -> None:
        super().close()
        self._database.close()


@pytest.fixture
def agreement(postgres_url: str) -> Iterator[Agreement]:
    agreement = Agreement(postgres_url)
    agreement.claim_cluster(member("first"))
    yield agreement
    agreement.close()


def renew(agreement: Agreement, member: Member) -> ClusterView | None:
    return agreement.renew(member, revision=0, serving=True, connected=True)


def member(process: str, replica: str = "a") -> Member:
    return Member(IDENTITY, replica, process, LEASE_S, LEASE_S, "1")


def own_everything(agreement: Agreement, process: Member) -> None:
    agreement.add_cameras(["porch", "yard"], 10)
    view = renew(agreement, process)
    assert view is not None
    assert agreement.claim_leadership(process, view.epoch) is not None
    assert agreement.claim_cameras(process, view.cameras).keys() == {"porch", "yard"}


def test_new_process_frees_what_the_killed_one_held(agreement: Agreement) -> None:
    own_everything(agreement, member("first"))
    agreement.end_leases()
    view = renew(agreement, member("second"))
    assert view is not None
    assert view.leader is None
    assert [each.owner for each in view.cameras] == [None, None]
    other = member("other", "b")
    renew(agreement, other)
    assert agreement.claim_cameras(other, view.cameras).keys() == {"porch", "yard"}


def test_process_keeps_what_it_holds_when_it_renews_its_lease(agreement: Agreement) -> None:
    process = member("first")
    own_everything(agreement, process)
    for has_ended in (False, True):
        if has_ended:
            agreement.end_leases()
        view = renew(agreement, process)
        assert view is not None
        assert view.leader == "a"
        assert [each.owner for each in view.cameras] == ["a", "a"]


def test_killed_process_holds_its_cameras_until_its_lease_ends(agreement: Agreement) -> None:
    own_everything(agreement, member("first"))
    assert renew(agreement, member("second")) is None
    assert [each.owner for each in agreement.read().cameras] == ["a", "a"]


def test_late_renewal_of_a_former_process_frees_nothing(agreement: Agreement) -> None:
    own_everything(agreement, member("first"))
    agreement.end_leases()
    second = member("second")
    view = renew(agreement, second)
    assert view is not None
    agreement.claim_cameras(second, view.cameras)
    assert renew(agreement, member("first")) is None
    assert [each.owner for each in agreement.read().cameras] == ["a", "a"]


def test_replica_that_did_not_leave_may_come_back(agreement: Agreement) -> None:
    """After an outage of the database, a command must not take it for stopped before it has renewed its lease."""
    process = member("first")
    assert not agreement.has_replicas(60)
    renew(agreement, process)
    assert agreement.has_replicas(0)
    agreement.end_leases()
    assert not agreement.has_replicas(0)
    assert agreement.has_replicas(60)
    agreement.leave(process)
    assert not agreement.has_replicas(60)
    assert renew(agreement, member("second")) is not None
    assert agreement.has_replicas(0)
