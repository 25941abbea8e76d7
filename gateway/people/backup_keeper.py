"""The backups that the gateway makes by itself."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import GatewayError, Unsupported
from gateway.model.caller import GATEWAY_CALLER, Caller
from gateway.periodic_thread import PeriodicThread
from gateway.store.protocols import Store

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 600.0
"""The time between two looks whether a backup is due. The first import of known_faces/ should be done at the first."""

_FAILURE = "the gateway cannot make its backup in data/backups"

SECONDS_PER_HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class BackupRules:
    """The settings backups.every_h (0: no backups) and backups.keep."""

    every_h: float = 24
    keep: int = 7


class BackupKeeper:
    """The thread that makes a backup in data/backups if people changed, and deletes older ones that it made."""

    def __init__(self, store: Store, rules: BackupRules) -> None:
        self._store = store
        self._rules = rules
        self._changed_at: float | None = None
        self.pending_s = 0.0
        """The time since the last backup, if people changed since, as of the last look. 0 if nothing changed."""
        self._problem: tuple[str, ...] = ()
        self._thread = PeriodicThread("backups", POLL_INTERVAL_S, self.run_due, "no backup can be made")

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about a backup that is due and cannot be made, and about problems of a future erasure."""
        return (*self._problem, *self._store.backups.warnings)

    def start(self) -> None:
        self._store.backups.check()
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

    def run_due(self) -> None:
        """Make a backup if it is due. A failure is a warning until the next look."""
        try:
            try:
                if self._is_due():
                    self._make()
            finally:
                # The time without a backup goes on when no backup can be made.
                self.pending_s = self._find_pending_s()
            self._problem = ()
        # The store or the disk cannot be used.
        except GatewayError as error:
            self._problem = (f"{_FAILURE}: {error}",)
            log.error("%s", self._problem[0])
        # A bug in the gateway must not be silent either. The thread logs it.
        except Exception as error:
            self._problem = (f"{_FAILURE}, by a bug in the gateway that its log describes: {type(error).__name__}",)
            raise

    def _is_due(self) -> bool:
        state = self._store.backups.read_state()
        if not self._rules.every_h or not state.changed:
            return False
        # A time in the future is of a clock that was wrong.
        return state.at is None or not 0 <= time.time() - state.at < self._rules.every_h * SECONDS_PER_HOUR

    def _make(self) -> None:
        backups = self._store.backups
        backups.check_room()
        with backups.locked():
            path = backups.free_path(automatic=True)
            make_backup(self._store, path, GATEWAY_CALLER)
            backups.delete_old(self._rules.keep, path)
        log.info("backup: %s", path)

    def _find_pending_s(self) -> float:
        state, now = self._store.backups.read_state(), time.time()
        if not state.changed:
            self._changed_at = None
            return 0.0
        # A time in the future is of a clock that was wrong.
        if self._changed_at is None or self._changed_at > now:
            self._changed_at = now
        return now - (self._changed_at if state.at is None or state.at > now else state.at)


def make_backup(store: Store, path: Path, caller: Caller) -> None:
    """Write a backup, with a line in the audit. Raise GatewayError."""
    # A line of the audit must not tell of a backup that Facegate never makes.
    if store.backups.made_elsewhere is not None:
        raise Unsupported(store.backups.made_elsewhere)
    with store.backups.locked():
        # The audit comes first: it may name a backup that failed, but must not miss one.
        store.audit.record(caller, "backup", detail=store.backups.audit_name(path))
        store.audit.flush()
        store.backups.make(path)
