"""The agreement of replicas in PostgreSQL, over a connection of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import errors

from gateway.errors import Unavailable
from gateway.model.cluster import FORGOTTEN_AFTER_S, ClusterIdentity, ClusterView, OwnedCamera, Replica
from gateway.store.postgres import coordination_statements as statements
from gateway.store.postgres.address import parse_address
from gateway.store.postgres.connections import BoundedConnection, TimeLimits, connect
from gateway.store.postgres.failures import Failures
from gateway.store.protocols.coordination import Member, News

CONNECT_S = 2
"""The shortest limit that libpq knows."""

Row = tuple[Any, ...]


class PostgresCoordination:
    """Coordination over PostgreSQL. A lost connection is opened again by the next call."""

    def __init__(self, url: str, lease_s: float) -> None:
        """``url``: the address of the database, which may be away. Raise StartError if it is no address."""
        self._address = parse_address(url)
        self._failures = Failures(self._address)
        # A replica whose connection died must be able to try again before its lease ends.
        limit = lease_s / 3
        self._limits = TimeLimits(CONNECT_S, lock=limit, statement=limit, idle=limit, answer=limit, network=lease_s)
        self._connection: BoundedConnection | None = None
        self._is_listening = False

    def claim_cluster(self, member: Member) -> ClusterIdentity:
        own = member.cluster
        ((name, base),) = self._run(statements.CLAIM_CLUSTER, member.replica, own.name, own.base)
        return ClusterIdentity(name, base)

    def renew(self, member: Member, *, revision: int, serving: bool, connected: bool) -> ClusterView | None:
        lengths = member.lease_s, member.names_s
        cluster = member.cluster.name, member.cluster.base
        values = *lengths, revision, serving, connected, member.version, member.address, *cluster
        # The look follows the renewal: then no other replica can take anything that the look shows as this replica's.
        return self.read() if self._run(statements.RENEW, *_own(member), *values) else None

    def read(self) -> ClusterView:
        ((revision, holder, epoch, replicas, cameras, name, base),) = self._run(statements.READ)
        return ClusterView(
            int(revision),
            tuple(_replica(each) for each in replicas or ()),
            holder,
            epoch,
            tuple(OwnedCamera(*each) for each in cameras or ()),
            None if name is None else ClusterIdentity(name, base),
        )

    def claim_leadership(self, member: Member, epoch: int) -> int | None:
        found = self._run(statements.CLAIM_LEADERSHIP, *_own(member), epoch)
        return int(found[0][0]) if found else None

    def release_leadership(self, member: Member, epoch: int) -> None:
        self._run(statements.RELEASE_LEADERSHIP, *_own(member), epoch)

    def claim_cameras(self, member: Member, seen: Collection[OwnedCamera]) -> Mapping[str, int]:
        owners = sorted({each.owner for each in seen if each.owner is not None})
        names, epochs = [each.name for each in seen], [each.epoch for each in seen]
        return dict(self._run(statements.CLAIM_CAMERAS, *_own(member), names, epochs, owners))

    def release_cameras(self, member: Member, epochs: Mapping[str, int]) -> None:
        self._run(statements.RELEASE_CAMERAS, *_own(member), list(epochs), list(epochs.values()))

    def add_cameras(self, names: Iterable[str], most: int) -> None:
        self._run(statements.ADD_CAMERAS, sorted(names), most)

    def forget_cameras(self, member: Member, epochs: Mapping[str, int]) -> Collection[str]:
        removed = self._run(statements.FORGET_CAMERAS, *_own(member), list(epochs), list(epochs.values()))
        return {name for name, _ in removed}

    def forget_replicas(self) -> None:
        self._run(statements.FORGET_OLD_REPLICAS, FORGOTTEN_AFTER_S)

    def confirm(self, member: Member, revision: int) -> None:
        self._run(statements.CONFIRM, *_own(member), revision)

    def read_revision(self) -> int:
        return int(self._run(statements.READ_REVISION)[0][0])

    def find_unconfirmed(self, revision: int) -> tuple[Replica, ...]:
        return tuple(_replica(row) for row in self._run(statements.FIND_UNCONFIRMED, revision))

    def want_cleared(self, revision: int) -> None:
        self._run(statements.WANT_CLEARED, revision)

    def read_wanted(self) -> int:
        return int(self._run(statements.READ_WANTED)[0][0])

    def note_cleared(self, member: Member, revision: int, cameras: Mapping[str, int], leads_since: int | None) -> None:
        epochs = list(cameras), list(cameras.values())
        self._run(statements.NOTE_CLEARED, *_own(member), revision, *epochs, leads_since)

    def find_uncleared(self, revision: int) -> tuple[str, ...]:
        return tuple(name for (name,) in self._run(statements.FIND_UNCLEARED, revision))

    def has_replicas(self, within_s: float) -> bool:
        return bool(self._run(statements.HAS_REPLICAS, within_s)[0][0])

    def leave(self, member: Member) -> None:
        self._run(statements.LEAVE, *_own(member))

    def wait_for_news(self, seconds: float) -> News:
        with self._failures.translate():
            try:
                connection = self._connect()
                if not self._is_listening:
                    for channel in statements.CHANNELS:
                        connection.execute(f"LISTEN {channel}")
                    self._is_listening = True
                    # There may have been announcements while nobody listened.
                    return News(people=True, confirmed=True, cluster=True)
                heard = {each.channel for each in connection.notifies(timeout=seconds, stop_after=1)}
                if not heard:
                    # A connection that died without a sign would stay silent for ever.
                    connection.execute("SELECT")
            except psycopg.Error:
                self.close()
                raise
        people, confirmed, cluster = (channel in heard for channel in statements.CHANNELS)
        return News(people, confirmed, cluster)

    def close(self) -> None:
        self._is_listening = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> BoundedConnection:
        if self._connection is None:
            self._connection = connect(self._address, self._limits)
        return self._connection

    def _run(self, statement: str, *values: object) -> Sequence[Row]:
        with self._failures.translate():
            try:
                cursor = self._connect().execute(statement, values)
                return cursor.fetchall() if cursor.description else ()
            except errors.UndefinedTable:
                self.close()
                raise Unavailable(
                    "the database of people.store has no tables of Facegate: start a gateway first"
                ) from None
            except psycopg.Error:
                # An answer that comes late must not be taken for that of the next statement.
                self.close()
                raise


def _own(member: Member) -> tuple[str, str]:
    return member.replica, member.process


def _replica(row: Sequence[Any]) -> Replica:
    return Replica(*row)
