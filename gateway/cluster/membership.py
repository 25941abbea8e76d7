"""The membership of this gateway in a cluster: the interface of this package."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass

from gateway import __version__
from gateway.cluster.boot_clock import boot_time
from gateway.cluster.camera_list import CameraList
from gateway.cluster.clearing import Clearing, FindCleared, FindWithdrawn
from gateway.cluster.confirmation import Confirmation
from gateway.cluster.eligibility import Eligibility
from gateway.cluster.follower import Follow, Follower
from gateway.cluster.lease_keeper import LeaseKeeper
from gateway.cluster.listener_caller import ListenerCaller, OnCameras, OnLeader
from gateway.cluster.news_listener import NewsListener
from gateway.cluster.renewal import LeaseRenewal, OnFatal, other_cluster_error
from gateway.cluster.standing import Holdings, Standing
from gateway.errors import Busy
from gateway.model.cluster import ClusterHealth, ClusterIdentity, ClusterView
from gateway.store.protocols.coordination import Coordination, Member

HAND_OVER_S = 10.0
"""Longest time in which a replica that stops hands over what it holds. Afterwards it is free without that."""


@dataclass(frozen=True, slots=True)
class MembershipSettings:
    """The settings of a membership: those of the section ``cluster``, and of the cameras of the whole cluster.

    ``configured_cameras``: always find room, and are never forgotten.
    """

    cluster: ClusterIdentity
    lease_s: float = 3.0
    names_s: float = 3.0
    address: str | None = None
    most_cameras: int = 2_000
    configured_cameras: frozenset[str] = frozenset()


class Membership:
    """The place of this gateway, a replica, among the replicas of its cluster.

    Listeners and ``follow`` are given before the start. Properties and questions such as ``may_name_people`` need no
    database: they can be asked before each answer and each publish.
    """

    def __init__(
        self,
        replica: str,
        open_coordination: Callable[[], Coordination],
        settings: MembershipSettings,
        follow: Follow,
        find_cleared: FindCleared = lambda held: held,
        is_ready: Callable[[], bool] = lambda: True,
        is_connected: Callable[[], bool] = lambda: True,
        find_withdrawn: FindWithdrawn = lambda cameras: cameras,
    ) -> None:
        """``replica``: the id of this replica, the same after each start.

        ``open_coordination``: returns another connection each time. ``follow``: applies all changes of people, waits
        for the answers in flight, and returns the revision that holds now. ``find_cleared``: by default, nothing is
        retained at a broker. ``is_ready``: returns whether this gateway can follow cameras. It gets none before that.
        ``is_connected``: returns whether it has its connections to the broker. Without them it gets nothing more.
        ``find_withdrawn``: asked for cameras that are to be forgotten, until it returns them.
        """
        self.replica = replica
        self._open_coordination = open_coordination
        times = settings.lease_s, settings.names_s
        self._member = member = Member(
            settings.cluster, replica, secrets.token_hex(8), *times, __version__, settings.address
        )
        self._standing = Standing(replica, settings.lease_s, settings.names_s)
        self._listeners = ListenerCaller(self._standing, lambda: self._lease.wake(), lambda: self._follower.wake())
        coordination = open_coordination()
        clearing = Clearing(member, coordination, lambda: self._listeners.told, find_cleared)
        self._follower = Follower(member, coordination, follow, self._note_followed, clearing)
        self._confirmation = Confirmation(open_coordination(), settings.lease_s, settings.names_s)
        lease_coordination = open_coordination()
        self._cameras = CameraList(member, lease_coordination, settings.most_cameras, settings.configured_cameras)
        self._on_fatal: OnFatal = lambda _error: None
        self._lease = LeaseKeeper(
            LeaseRenewal(lease_coordination, member, lambda error: self._on_fatal(error)),
            self._standing,
            self._follower,
            self._listeners,
            self._cameras,
            Eligibility(replica, settings.lease_s, is_ready, is_connected),
            find_withdrawn,
        )
        self._news = NewsListener(
            open_coordination(),
            on_people=self._follower.wake,
            on_confirmed=self._confirmation.note_arrival,
            on_cluster=self._lease.wake,
        )
        self._handing_over = threading.Lock()
        self._hand_over_until: float | None = None

    def listen(self, *, on_leader: OnLeader | None = None, on_cameras: OnCameras | None = None) -> None:
        """Add listeners, before the start. They are called by one thread, one after the other.

        ``on_leader``: called with True when this replica becomes the leader, and with False when it leads no more.
        ``on_cameras``: called with the gained cameras, each with its epoch, and the lost ones. Losses come before gains
        and in the reverse order of the listeners. A camera that is handed over is free for others only after all have
        returned. A listener that raises an exception is called again with the same cameras.
        """
        self._listeners.add(on_leader, on_cameras)

    def set_on_fatal(self, on_fatal: OnFatal) -> None:
        """Set the function that gets the error of a replica of another cluster. The thread of the lease calls it."""
        self._on_fatal = on_fatal

    def check_cluster(self) -> None:
        """Raise StartError if the database, whose tables exist, belongs to another cluster with a live replica."""
        with closing(self._open_coordination()) as coordination:
            found = coordination.claim_cluster(self._member)
        if found != self._member.cluster:
            raise other_cluster_error(found, self._member.cluster).as_start_error()

    def start(self) -> None:
        """Join the cluster, as soon as the database answers."""
        for part in (self._listeners, self._follower, self._news, self._lease):
            part.start()

    def hand_over(self) -> None:
        """Give the cameras and the leadership to others, and keep the lease: answers in flight need it."""
        with self._handing_over:
            self._standing.give_up_everything()
            # Once for ``hand_over`` and ``stop``: a part that hangs must not hold up the stop twice.
            if self._hand_over_until is None:
                self._hand_over_until = boot_time() + HAND_OVER_S
            # Ends when the listeners were told.
            self._listeners.stop(max(0.0, self._hand_over_until - boot_time()))
            self._lease.wake()

    def stop(self) -> None:
        """Leave the cluster. The cameras, the leadership and the lease are free immediately."""
        self.hand_over()
        for part in (self._news, self._follower, self._lease):
            part.stop()
        self._confirmation.close()

    def may_name_people(self) -> bool:
        """Return whether this replica may name people now: it has a lease, or ``cluster.offline_names_s`` lasts."""
        return self._standing.may_name_people()

    def has_lease(self) -> bool:
        """Return whether this replica may act as an owner of cameras or as the leader now."""
        return self._standing.has_lease()

    @property
    def admission(self) -> int | None:
        """The number of the present admission, in which this replica may name people. None if it may not."""
        return self._standing.admission

    def check_may_name_people(self) -> None:
        """Raise Busy if this replica may name nobody now."""
        if not self.may_name_people():
            raise Busy("this replica does not reach the database of its cluster: repeat the request", 1)

    @property
    def is_leader(self) -> bool:
        """True if this replica leads the cluster now."""
        return self._standing.holdings().leads_since is not None

    @property
    def epoch(self) -> int | None:
        """The number of the leadership of this replica, which grows with each leader. None if it does not lead."""
        return self._standing.holdings().leads_since

    @property
    def owned(self) -> frozenset[str]:
        """The cameras that this replica owns now."""
        return frozenset(self._standing.holdings().cameras)

    def owns(self, camera: str) -> bool:
        """Return whether this replica owns a camera now."""
        return self._standing.owns(camera)

    def holdings(self) -> Holdings:
        """Return the cameras and the leadership that this replica holds now, with their epochs."""
        return self._standing.holdings()

    @property
    def problem(self) -> str | None:
        """The reason why the lease is not renewed, None if it is."""
        return self._lease.problem

    def add_cameras(self, names: Iterable[str], *, always: bool = False) -> None:
        """Add cameras that the cluster does not know, while there is room, or ``always``. Replicas claim them soon."""
        if self._cameras.add(names, self.view(), always=always):
            self._lease.wake()

    def forget_camera(self, name: str) -> None:
        """Remove a camera from the cluster soon, unless another replica owns it: all replicas have to call this.

        Configured ones stay. So does a camera as long as the journal of topics has some of it.
        """
        if self._cameras.forget(name):
            self._lease.wake()

    def keep_camera(self, name: str) -> None:
        """Do not remove a camera, even if that was asked before: it sends again."""
        self._cameras.keep(name)

    def view(self) -> ClusterView:
        """Return the cluster as of the last renewal of the lease."""
        return self._standing.view

    def health(self, name: str) -> ClusterHealth:
        """Return the state of the cluster of that name, as this replica sees it."""
        held = self.holdings()
        return ClusterHealth(
            name,
            self.replica,
            self.has_lease(),
            self.may_name_people(),
            held.leads_since is not None,
            len(held.cameras),
            self.view(),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence if the lease is not renewed."""
        problem = self.problem
        return () if problem is None else (f"this replica does not renew its lease: {problem}",)

    def confirm_everywhere(self, *, removed: bool = False) -> None:
        """Wait until each replica follows the present people of the store, or may name nobody any more.

        ``removed``: wait also until no retained message names people who are not enrolled. Raise Busy if that takes too
        long. The change is made in any case.
        """
        self._confirmation.wait_for_all(removed=removed)

    def _note_followed(self, started_at: float) -> None:
        if self._standing.note_followed(started_at):
            self._lease.wake()
