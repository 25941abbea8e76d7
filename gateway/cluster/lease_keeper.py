"""The thread that renews the lease of this replica, claims what nobody holds, and releases what was given up."""

from __future__ import annotations

import logging
import math
import threading

from gateway.cluster.boot_clock import boot_time
from gateway.cluster.camera_list import CameraList
from gateway.cluster.clearing import FindWithdrawn
from gateway.cluster.eligibility import Eligibility
from gateway.cluster.follower import Follower
from gateway.cluster.listener_caller import ListenerCaller
from gateway.cluster.plan import make_plan
from gateway.cluster.renewal import LeaseRenewal
from gateway.cluster.standing import Standing
from gateway.errors import Busy, GatewayError
from gateway.model.cluster import ClusterView

log = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 4
FORGET_INTERVAL_S = 3_600.0
SHORTEST_PAUSE_S = 0.05
AFTER_LEASE_S = 0.05
"""Seconds after the end of the lease of another replica when its cameras are claimed."""

LISTENER_LEASES = 10
"""A replica whose parts need longer than so many leases to follow a change does not renew its lease."""


class LeaseKeeper:
    """The only thread that changes what the database knows of this replica, except for confirmations."""

    def __init__(
        self,
        renewal: LeaseRenewal,
        standing: Standing,
        follower: Follower,
        listeners: ListenerCaller,
        cameras: CameraList,
        eligibility: Eligibility,
        find_withdrawn: FindWithdrawn,
    ) -> None:
        self._member = renewal.member
        self._coordination = renewal.coordination
        self._renewal = renewal
        self._standing = standing
        self._follower = follower
        self._listeners = listeners
        self._cameras = cameras
        self._eligibility = eligibility
        self._find_withdrawn = find_withdrawn
        self._awaited_revision = 0
        self._behind_since: float | None = None
        self._forgot_at = -math.inf
        self._is_stopping = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster lease")
        self.problem: str | None = None
        """The reason why the lease was not renewed the last time."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and give the lease back with everything that the replica holds."""
        self._is_stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
            self._leave()
        self._coordination.close()

    def _leave(self) -> None:
        self._standing.end_lease()
        try:
            self._coordination.leave(self._member)
        except GatewayError as error:
            log.warning("the other replicas take over after %g s: %s", self._member.lease_s, error)
        # The gateway goes on to stop its other parts.
        except Exception:
            log.exception("the other replicas take over after %g s", self._member.lease_s)

    def wake(self) -> None:
        """Renew the lease now, and look for something to claim or to release."""
        self._wake.set()

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            try:
                self._renew()
            except Busy as error:
                self._note_problem(str(error))
            # Even a bug in the gateway must not end this thread: a replica without a lease does nothing.
            except Exception as error:
                log.exception("the lease of this replica cannot be renewed")
                self._note_problem(str(error))
            self._wake.wait(self._pause_s())

    def _note_problem(self, problem: str | None) -> None:
        if problem is None and self.problem is not None:
            log.info("the lease of this replica is renewed again")
        elif problem is not None and self.problem is None:
            log.warning("the lease of this replica is not renewed: %s", problem)
        self.problem = problem

    def _pause_s(self) -> float:
        """Return the seconds until the next renewal: at the latest when the lease of another replica ends."""
        live = [each for each in self._standing.view.replicas if each.is_live and each.id != self._member.replica]
        ends = [each.lease_left_s + AFTER_LEASE_S for each in live]
        return max(SHORTEST_PAUSE_S, min([self._member.lease_s / RENEWALS_PER_LEASE, *ends]))

    def _renew(self) -> None:
        if stuck := self._find_stuck_part():
            self._note_problem(stuck)
            return
        is_eligible, may_claim = self._eligibility.ask(), self._standing.may_claim
        sent_at, view = self._renewal.renew(
            revision=self._follower.revision,
            serving=may_claim and is_eligible,
            connected=self._eligibility.connected,
        )
        self._standing.apply_renewal(view, sent_at)
        self._note_problem(None)
        self._watch_revision(view.revision)
        self._eligibility.note(view)
        self._give_up_forgotten(view)
        self._release()
        # As the database knows it: a replica that was admitted since gives nothing up.
        if may_claim:
            self._claim(view)
        if self._cameras.write_added():
            # The next renewal shows the new cameras.
            self.wake()
        self._forget_replicas()

    def _find_stuck_part(self) -> str | None:
        """Return why the lease must end, although the database could renew it."""
        limit = self._member.lease_s
        behind = self._behind_since
        if self._follower.revision >= self._awaited_revision:
            self._behind_since = behind = None
        if self._follower.running_s() > limit or (behind is not None and boot_time() - behind > limit):
            return f"it does not follow the changes of people for more than {limit:g} s"
        if self._listeners.busy_s() > LISTENER_LEASES * limit:
            return f"it does not take over or hand over cameras within {LISTENER_LEASES * limit:g} s"
        return None

    def _watch_revision(self, revision: int) -> None:
        if self._follower.revision < revision:
            self._follower.wake()
            if self._behind_since is None:
                self._behind_since, self._awaited_revision = boot_time(), revision

    def _release(self) -> None:
        """Release what was given up, as soon as the parts of this gateway know of it."""
        leaving, known = self._standing.leaving(), self._listeners.known
        if leaving.leads_since is not None and leaving.leads_since != known.leads_since:
            self._coordination.release_leadership(self._member, leaving.leads_since)
        told = {name: epoch for name, epoch in leaving.cameras.items() if known.cameras.get(name) != epoch}
        removed = self._cameras.remove(told)
        if len(told) > len(removed):
            self._coordination.release_cameras(self._member, {n: e for n, e in told.items() if n not in removed})

    def _give_up_forgotten(self, view: ClusterView) -> None:
        """Give up the cameras to forget that this replica owns, as soon as the broker has nothing of them."""
        # The parts of this gateway take a camera of a dead replica first, to withdraw what the broker has of it.
        if own := self._cameras.find_forgotten(view).items() & self._listeners.told.cameras.items():
            self._standing.give_up(self._find_withdrawn([name for name, _ in own]))

    def _claim(self, view: ClusterView) -> None:
        plan = make_plan(view, self._member.replica, self._member.lease_s)
        cameras = self._coordination.claim_cameras(self._member, plan.claims) if plan.claims else {}
        epoch = self._coordination.claim_leadership(self._member, view.epoch) if plan.leads else None
        if cameras or epoch is not None:
            # Together, so that the cameras do not wait for the work that a new leader begins with.
            self._standing.add_claims(cameras, epoch)
        if plan.give_up or plan.stops_leading:
            self._standing.give_up(plan.give_up, leadership=plan.stops_leading)

    def _forget_replicas(self) -> None:
        if self._standing.holdings().leads_since is not None and boot_time() > self._forgot_at + FORGET_INTERVAL_S:
            self._coordination.forget_replicas()
            self._forgot_at = boot_time()
