"""The thread that watches the folder known_faces/, and imports it at the start and after each change."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import CancelledError
from pathlib import Path

from gateway.attempts import Attempts
from gateway.model.health import ImportProgress
from gateway.people.folder.descriptor_renewal import DescriptorRenewal
from gateway.people.folder.import_run import ImportRun
from gateway.people.folder.importer import FolderImporter
from gateway.people.folder.scan import FolderScan
from gateway.people.folder.scanner import FolderScanner
from gateway.people.gallery_updater import GalleryUpdater

log = logging.getLogger(__name__)

SETTLE_INTERVAL_S = 1.0
"""Time between two scans of a folder from which files vanish. A removal is judged after its end, by its whole size."""

MAX_SETTLE_SCANS = 60
"""Scans after which a folder is imported although files still vanish: a program may rename files all the time."""

SCAN_PAUSE_FACTOR = 20
"""The pause after a scan is at least this number of times its duration, so that scans use at most 5 % of one core."""


class FolderWatcher:
    """Thread that scans the folder and imports each change. It may be started again after a stop.

    People in the store are recognised from the start, before the first import. After a change of the engine,
    their descriptors are computed again first. /readyz reports the end of the first import.
    """

    def __init__(
        self,
        folder: Path,
        importer: FolderImporter,
        renewal: DescriptorRenewal,
        run: ImportRun,
        updater: GalleryUpdater,
        *,
        rescan_s: float,
    ) -> None:
        """``rescan_s``: the pause between two scans."""
        self._folder = folder
        self._scanner = FolderScanner(folder)
        self._importer = importer
        self._renewal = renewal
        self._run = run
        self._updater = updater
        self._rescan_s = rescan_s
        self._last_scan: FolderScan | None = None
        self._removal_count = updater.removal_count
        self._attempts = Attempts(log, f"the known faces in {folder} cannot be imported now")
        self._thread = self._make_thread()

    @property
    def progress(self) -> ImportProgress:
        """Return the progress of the import."""
        return self._run.progress

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return sentences about the folder that a user has to look at."""
        return self._importer.warnings

    def start(self) -> None:
        if self._run.is_stopping:
            self._run.resume()
            # Meanwhile another replica may have imported the folder.
            self._last_scan = None
            self._thread = self._make_thread()
        self._thread.start()

    def stop(self) -> None:
        self._run.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _make_thread(self) -> threading.Thread:
        return threading.Thread(target=self._watch, name="known-faces")

    def _watch(self) -> None:
        while not self._run.is_stopping:
            pause = self._rescan_s
            # After a failure the enrolled people are still recognised.
            with self._attempts.attempt():
                try:
                    self._renewal.renew()
                    began = time.monotonic()
                    scan = self._scanner.scan()
                    pause = max(pause, SCAN_PAUSE_FACTOR * (time.monotonic() - began))
                    self._import(self._settle(scan))
                # The gateway is stopping: its workers have cancelled their jobs.
                except CancelledError:
                    return
            self._run.wait(pause)

    def _import(self, scan: FolderScan) -> None:
        """Import a scan that differs from the last one, or for which an import is due."""
        # After a removal the report of the last import must not name the removed person any more.
        removed = self._updater.removal_count != self._removal_count
        if scan != self._last_scan or removed or self._importer.is_due:
            self._removal_count = self._updater.removal_count
            self._importer.import_scan(scan)
            self._last_scan = scan

    def _settle(self, scan: FolderScan) -> FolderScan:
        """Scan again while files vanish, and return the last scan. Raise CancelledError at a stop."""
        # Unmounting or deleting a folder takes longer than one scan.
        for _ in range(MAX_SETTLE_SCANS):
            if self._last_scan is None or self._last_scan.pictures.keys() <= scan.pictures.keys():
                break
            if self._run.wait(min(SETTLE_INTERVAL_S, self._rescan_s)):
                raise CancelledError
            before, scan = scan, self._scanner.scan()
            if scan == before:
                break
        return scan
