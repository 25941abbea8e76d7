"""The destruction of the data keys of erased people: the part that every store shares."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from gateway.errors import GatewayError
from gateway.store.relational.database import Database

log = logging.getLogger(__name__)

_LIVING = "SELECT uid FROM people"


class ErasedKeys:
    """The data keys that must be destroyed because their people were erased."""

    def __init__(self, database: Database, destroy: Callable[[Collection[str]], None]) -> None:
        """``destroy``: destroys the data keys of these owners everywhere. It raises GatewayError."""
        self._database = database
        self._destroy = destroy
        self.problem = ""
        """The reason why the last attempt failed."""

    def destroy_erased(self) -> None:
        """Destroy the data keys of erased people, as store.protocols.Keys describes it."""
        # The row of a transaction that has not ended may still be undone.
        if self._database.in_transaction:
            return
        try:
            if erased := [uid for (uid,) in self._database.rows("SELECT uid FROM erased_people")]:
                self.destroy(erased)
                self._forget(erased)
            self.problem = ""
        except GatewayError as error:
            problem = f"the data key of an erased person is not destroyed yet ({error}): it is tried again"
            self.problem = log_once(problem, self.problem)

    def destroy(self, uids: Collection[str]) -> None:
        """Destroy the data keys of people who are not enrolled, and of those who were merged into them.

        ``uids`` of enrolled people are left out. Raise GatewayError.
        """
        living = {uid for (uid,) in self._database.rows(_LIVING)}
        merged = self._database.rows("SELECT uid, other FROM merged_people")
        self._destroy({*uids, *(uid for uid, other in merged if other in uids)} - living)

    def _forget(self, uids: Collection[str]) -> None:
        with self._database.transaction() as db:
            for uid in uids:
                db.execute("DELETE FROM erased_people WHERE uid = ?", (uid,))
                db.execute("DELETE FROM merged_people WHERE ?1 IN (uid, other)", (uid,))


def log_once(problem: str, before: str) -> str:
    """Log a problem unless it is the one of before, and return it."""
    if problem != before:
        log.error("%s", problem)
    return problem
