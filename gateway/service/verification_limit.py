"""The limit on failed attempts to be verified as one person.

Each attempt with another face has the chance ``decision.max_false_match`` to succeed. Without a limit a caller could
try faces until one is taken for the person.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from gateway.errors import Busy, TooManyAttempts
from gateway.store.limits import CountReplicas, HourlyLimit

SETTING = "decision.failed_verifications_per_hour"

MAX_REMEMBERED_PEOPLE = 5_000
"""The number of people whose failed verifications are counted. The person who was asked for least recently is forgotten
first."""


class VerificationLimit:
    """The failed verifications of each person within an hour, by all callers and by each caller. For any thread."""

    def __init__(self, per_hour: int, count_replicas: CountReplicas | None = None) -> None:
        """``per_hour``: the setting, for each person. One caller may use a share of it, as of enrolments.

        ``count_replicas``: as HourlyLimit has it.
        """
        self._per_hour = per_hour
        self._count_replicas = count_replicas
        self._lock = threading.Lock()
        self._people: OrderedDict[str, HourlyLimit] = OrderedDict()

    def check(self, person: str, caller: str) -> None:
        """Raise TooManyAttempts if this caller, or all callers together, failed too often within the last hour."""
        with self._lock:
            self._check(person, caller)

    def finish(self, person: str, caller: str, *, matched: bool) -> None:
        """Count an attempt that failed. Raise TooManyAttempts if others reached the limit meanwhile."""
        # Requests that wait at the same time pass ``check`` together. Their results must not exceed the limit.
        with self._lock:
            self._check(person, caller)
            if not matched:
                self._limit_of(person).count(caller)

    def _check(self, person: str, caller: str) -> None:
        if person not in self._people:
            return
        try:
            self._people[person].check(caller)
        except Busy as error:
            raise TooManyAttempts(str(error), error.retry_after) from None

    def _limit_of(self, person: str) -> HourlyLimit:
        if person not in self._people:
            self._people[person] = HourlyLimit(
                self._per_hour, f"failed verifications of {person}", SETTING, self._count_replicas
            )
        self._people.move_to_end(person)
        if len(self._people) > MAX_REMEMBERED_PEOPLE:
            self._people.popitem(last=False)
        return self._people[person]
