"""The lease, the leadership and the cameras that this replica holds, by its own clock.

The database decides: a row says who owns a camera. This replica knows the rows as of its last renewal. Until its lease
ends, no other replica can change them, so the replica needs no look at the database before it acts.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gateway.cluster.boot_clock import boot_time
from gateway.model.cluster import ClusterView

UNUSED_SHARE = 0.1
"""The share of each lease that a replica does not use: the time between a check of the lease and what follows it."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """The cameras with their epochs, and the epoch of the leadership or None, that a replica holds at one moment.

    ``admission``: the number of the period in which the replica may name people, or None. Each period has another one.
    """

    cameras: Mapping[str, int] = field(default_factory=dict)
    leads_since: int | None = None
    admission: int | None = None


NOTHING = Holdings()


class Standing:
    """The standing of this replica in the cluster. ``changed`` is notified after each change, and guards the rest."""

    def __init__(self, replica: str, lease_s: float, names_s: float) -> None:
        self.changed = threading.Condition()
        self._replica = replica
        self._lease_s = lease_s * (1 - UNUSED_SHARE)
        self._names_s = names_s - lease_s * UNUSED_SHARE
        self._lease_until = self._names_until = -math.inf
        self._joined_at = math.inf
        self._is_admitted = False
        self._admissions = 0
        # The last admission of whose end all parts know, and the time at which they had dropped what they had queued.
        self._ended_admission = 0
        self._dropped_at = -math.inf
        self._is_closing = False
        self._view = ClusterView()
        self._rows = NOTHING
        self._leaving = NOTHING
        # The rows without what the replica leaves. Made at each change, since each frame asks for it.
        self._held = NOTHING

    @property
    def view(self) -> ClusterView:
        """The cluster as of the last renewal."""
        return self._view

    @property
    def may_claim(self) -> bool:
        """True if the replica may claim cameras and lead: it follows the people, and does not stop."""
        return self._is_admitted and not self._is_closing

    def may_name_people(self) -> bool:
        """Return whether the replica may name people now."""
        return self._is_admitted and boot_time() < self._names_until

    @property
    def admission(self) -> int | None:
        """The number of the present admission, in which the replica may name people. None if it may not."""
        return self._admissions if self.may_name_people() else None

    def has_lease(self) -> bool:
        """Return whether the replica may act as an owner or a leader now."""
        return self._is_admitted and boot_time() < self._lease_until

    def next_end_s(self) -> float:
        """Return the seconds until the lease or the time to name people ends; infinity without both."""
        now = boot_time()
        ends = [each for each in (self._lease_until, self._names_until) if each > now] if self._is_admitted else []
        return min(ends, default=math.inf) - now

    def holdings(self) -> Holdings:
        """Return what the replica holds now."""
        with self.changed:
            # First, since nothing is held without an admission.
            admission = self.admission
            if admission is None or not self.has_lease():
                return Holdings(admission=admission)
            return Holdings(self._held.cameras, self._held.leads_since, admission)

    def owns(self, camera: str) -> bool:
        """Return whether the replica owns a camera now. This takes the same short time for any number of cameras."""
        return camera in self._held.cameras and self.may_name_people() and self.has_lease()

    def leaving(self) -> Holdings:
        """Return what the replica gave up, and has to release."""
        with self.changed:
            return self._leaving

    def apply_renewal(self, view: ClusterView, sent_at: float) -> None:
        """Begin a lease at the moment at which its renewal was sent, with what the rows say after it."""
        with self.changed:
            # Others waited for no confirmation of a replica whose time to name people had ended. It has to follow the
            # people again before it may name anybody.
            if boot_time() >= self._names_until:
                self._is_admitted = False
                self._joined_at = boot_time()
            self._view = view
            # First, since ``owns`` takes no lock: with the new lease it must not find the rows of an earlier one.
            self._set_rows(
                Holdings(
                    {each.name: each.epoch for each in view.cameras if each.owner == self._replica},
                    view.epoch if view.leader == self._replica else None,
                )
            )
            self._lease_until = sent_at + self._lease_s
            self._names_until = sent_at + self._names_s

    def _set_rows(self, rows: Holdings) -> None:
        self._rows = rows
        given_up = self._leaving if not self._is_closing else rows
        self._leaving = Holdings(
            {name: epoch for name, epoch in given_up.cameras.items() if rows.cameras.get(name) == epoch},
            given_up.leads_since if given_up.leads_since == rows.leads_since else None,
        )
        self._note_held()

    def _note_held(self) -> None:
        leaving = self._leaving
        self._held = Holdings(
            {name: epoch for name, epoch in self._rows.cameras.items() if leaving.cameras.get(name) != epoch},
            None if leaving.leads_since == self._rows.leads_since else self._rows.leads_since,
        )
        self.changed.notify_all()

    def note_dropped(self) -> bool:
        """Note that all parts know of the end of the admission, if it has ended: they dropped what they had queued.

        Return whether it has ended, and the end was not noted before.
        """
        with self.changed:
            if self._ended_admission == self._admissions or self.admission is not None:
                return False
            self._ended_admission, self._dropped_at = self._admissions, boot_time()
            return True

    def note_followed(self, started_at: float) -> bool:
        """Admit the replica if it followed the people after it joined. Return whether it is admitted by that.

        All parts must know of the end of the admission before. Otherwise a message that they queued then could name
        people who were removed since.
        """
        with self.changed:
            if self._is_admitted or started_at < max(self._joined_at, self._dropped_at):
                return False
            if self._ended_admission < self._admissions or boot_time() >= self._names_until:
                return False
            self._is_admitted = True
            self._admissions += 1
            self.changed.notify_all()
            return True

    def add_claims(self, cameras: Mapping[str, int], leads_since: int | None = None) -> None:
        """Note cameras that the replica has claimed, and the epoch in which it has become the leader, if it has."""
        with self.changed:
            leads_since = self._rows.leads_since if leads_since is None else leads_since
            self._set_rows(Holdings({**self._rows.cameras, **cameras}, leads_since))

    def give_up(self, cameras: Collection[str], *, leadership: bool = False) -> None:
        """Stop owning cameras, and leading if that is said. All is released after everybody here has been told."""
        with self.changed:
            given_up = {name: epoch for name, epoch in self._rows.cameras.items() if name in cameras}
            led = self._rows.leads_since if leadership else self._leaving.leads_since
            self._leaving = Holdings({**self._leaving.cameras, **given_up}, led)
            self._note_held()

    def end_lease(self) -> None:
        """End the lease here, before others are told that it has ended."""
        with self.changed:
            self._lease_until = self._names_until = -math.inf
            self.changed.notify_all()

    def give_up_everything(self) -> None:
        """Stop owning cameras and leading, for ever."""
        with self.changed:
            self._is_closing = True
            self._set_rows(self._rows)
