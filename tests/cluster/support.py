"""Replicas for tests: memberships over a real PostgreSQL, each behind a proxy that can break the network."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from benchmarks.faults.proxy import Proxy
from gateway.cluster.boot_clock import boot_time
from gateway.cluster.membership import Membership, MembershipSettings
from gateway.errors import Busy
from gateway.model.cluster import ClusterIdentity
from gateway.store.postgres.coordination import PostgresCoordination
from gateway.store.postgres.database import PostgresDatabase as Database
from tests.support import wait_for

LEASE_S = 1.5
"""A lease that ends soon. On a busy machine it also ends where no test wants it."""

NO_END_S = 60.0
"""A lease that does not end while a test waits: what moves within that time was released."""

IDENTITY = ClusterIdentity("site", "facegate")
"""The cluster of all replicas, unless a test says otherwise."""

CONFIGURED = frozenset({"configured"})
"""The camera that is in the settings of all replicas. No test has to add it."""


def port_of(url: str) -> int:
    return int(re.findall(r":(\d+)/", url)[0])


@dataclass(slots=True)
class Replica:
    """A replica of a test. ``told``: what its listeners were told, in order.

    ``following``: held while the replica reads the people. A test that holds it knows that no read is in work.
    ``failures``: how often a listener fails from now on. ``may_forget``: while it is not set, the broker has topics of
    all cameras.
    """

    name: str
    membership: Membership
    proxy: Proxy
    told: list[tuple[float, str, str]] = field(default_factory=list)
    following: threading.Lock = field(default_factory=threading.Lock)
    may_lose: threading.Event = field(default_factory=threading.Event)
    may_forget: threading.Event = field(default_factory=threading.Event)
    is_ready: threading.Event = field(default_factory=threading.Event)
    is_connected: threading.Event = field(default_factory=threading.Event)
    failures: int = 0
    followed: int = 0
    follows: int = 0

    def confirm_everywhere(self) -> None:
        """Wait until all replicas follow the people. Repeat a wait that ends with an error, as requests do."""

        def is_confirmed() -> bool:
            try:
                self.membership.confirm_everywhere()
            except Busy:
                return False
            return True

        wait_for(is_confirmed)

    def known_cameras(self) -> set[str]:
        """Return the cameras that the listeners know to be owned."""
        known: set[str] = set()
        for _, what, each in list(self.told):
            if what == "gained":
                known.add(each)
            elif what == "lost":
                # A listener that failed is told of the loss of a camera that it never took over.
                known.discard(each)
        return known


class Cluster:
    """Replicas over one database."""

    def __init__(self, url: str, lease_s: float = LEASE_S, names_s: float | None = None) -> None:
        self.database = Database(url)
        self._url = url
        self._settings = MembershipSettings(
            IDENTITY, lease_s, lease_s if names_s is None else names_s, configured_cameras=CONFIGURED
        )
        self._stack = ExitStack()
        self.replicas: dict[str, Replica] = {}
        self._started: list[Replica] = []

    def close(self) -> None:
        # Also those whose place another one with the same name has taken.
        for each in self._started:
            each.proxy.mend()
            each.may_lose.set()
            each.membership.stop()
        self._stack.close()
        self.database.close()

    def start(
        self, *names: str, ready: bool = True, connected: bool = True, cluster: ClusterIdentity = IDENTITY
    ) -> list[Replica]:
        """Start replicas. ``ready``: they can follow cameras. ``connected``: to the broker."""
        return [self._start(name, ready, connected, cluster) for name in names]

    def _start(self, name: str, ready: bool, connected: bool, cluster: ClusterIdentity) -> Replica:
        port = port_of(self._url)
        proxy = self._stack.enter_context(Proxy(port))
        url = self._url.replace(f":{port}/", f":{proxy.port}/")

        own = PostgresCoordination(url, self._settings.lease_s)

        def follow() -> int:
            with replica.following:
                replica.followed = own.read_revision()
                replica.follows += 1
                return replica.followed

        self._stack.callback(own.close)
        settings = replace(self._settings, cluster=cluster)
        membership = Membership(
            name,
            lambda: PostgresCoordination(url, settings.lease_s),
            settings,
            follow,
            is_ready=lambda: replica.is_ready.is_set(),
            is_connected=lambda: replica.is_connected.is_set(),
            find_withdrawn=lambda cameras: cameras if replica.may_forget.is_set() else (),
        )
        replica = self.replicas[name] = Replica(name, membership, proxy)
        self._started.append(replica)
        replica.may_lose.set()
        replica.may_forget.set()
        if ready:
            replica.is_ready.set()
        if connected:
            replica.is_connected.set()

        def on_cameras(gained: Mapping[str, int], lost: Set[str]) -> None:
            if replica.failures:
                replica.failures -= 1
                raise RuntimeError("a part of the gateway has a bug")
            replica.told += [(boot_time(), "gained", each) for each in gained]
            if lost:
                replica.may_lose.wait()
            replica.told += [(boot_time(), "lost", each) for each in lost]

        membership.listen(
            on_leader=lambda leads: replica.told.append((boot_time(), "leader", str(leads))), on_cameras=on_cameras
        )
        membership.start()
        return replica

    def stop(self, name: str) -> None:
        replica = self.replicas.pop(name)
        replica.membership.stop()
        self._started.remove(replica)

    def change_people(self) -> None:
        """Change the revision, as each change of people does."""
        with self.database.transaction() as db:
            db.execute("UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = 'revision'")

    def owners(self) -> dict[str, str]:
        """Return the owner of each camera, as the replicas themselves say."""
        return {camera: name for name, each in self.replicas.items() for camera in each.membership.owned}

    def leaders(self) -> list[str]:
        return [name for name, each in self.replicas.items() if each.membership.is_leader]


@contextmanager
def cluster_running(url: str, lease_s: float = LEASE_S, names_s: float | None = None) -> Iterator[Cluster]:
    cluster = Cluster(url, lease_s, names_s)
    try:
        yield cluster
    finally:
        cluster.close()


@dataclass(frozen=True, slots=True)
class Sample:
    """An observation between two moments: this replica held a thing in this epoch."""

    replica: str
    thing: str
    epoch: int
    begin: float
    end: float


def find_overlaps(samples: list[Sample]) -> list[tuple[Sample, Sample, Sample]]:
    """Return observations of a holder between two observations of another one that held the thing all that time.

    A thing that somebody else held meanwhile has another epoch. So two observations with the same epoch are enough.
    """
    found = []
    by_thing: dict[str, list[Sample]] = defaultdict(list)
    for each in samples:
        by_thing[each.thing].append(each)
    for observed in by_thing.values():
        spans: dict[tuple[str, int], tuple[Sample, Sample]] = {}
        for each in observed:
            first, last = spans.get((each.replica, each.epoch), (each, each))
            spans[each.replica, each.epoch] = (
                min(first, each, key=lambda s: s.end),
                max(last, each, key=lambda s: s.begin),
            )
        for (replica, _), (first, last) in spans.items():
            found += [
                (first, each, last)
                for each in observed
                if each.replica != replica and first.end <= each.begin and each.end <= last.begin
            ]
    return found


class Observations:
    """The first and the last observation of each replica with each thing in each epoch."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, int], tuple[Sample, Sample]] = {}

    def look(self, name: str, membership: Membership) -> None:
        begin = boot_time()
        held = membership.holdings()
        end = boot_time()
        things = {**held.cameras} | ({"leader": held.leads_since} if held.leads_since is not None else {})
        for thing, epoch in things.items():
            sample = Sample(name, thing, epoch, begin, end)
            first, _ = self._found.get((name, thing, epoch), (sample, sample))
            self._found[name, thing, epoch] = first, sample

    @property
    def samples(self) -> list[Sample]:
        return [each for pair in self._found.values() for each in pair]


class Observer:
    """A thread that looks at what the replicas hold, without a pause."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._observations = Observations()

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def samples(self) -> list[Sample]:
        return self._observations.samples

    def _run(self) -> None:
        while not self._stopping.wait(0.001):
            for name, replica in list(self._cluster.replicas.items()):
                self._observations.look(name, replica.membership)
