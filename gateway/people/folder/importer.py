"""Import of one scan of the folder known_faces/ into the store."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection
from pathlib import Path

from gateway.errors import GatewayError
from gateway.people.folder.files import PictureReader, reason_of
from gateway.people.folder.import_run import ImportRun
from gateway.people.folder.losses import lost_pictures, moved_pictures
from gateway.people.folder.picture_importer import PictureImporter, is_final, shows_no_person
from gateway.people.folder.recent_removals import RecentRemovals
from gateway.people.folder.removal_guard import RemovalGuard
from gateway.people.folder.report import folder_warnings
from gateway.people.folder.scan import FolderScan
from gateway.people.folder.skipped_files import SkippedFiles
from gateway.people.folder.stamps import new_stamps, remember_digests
from gateway.store.protocols import Store
from gateway.store.records import FOLDER_PREFIX, Loss

log = logging.getLogger(__name__)

RETRY_INTERVAL_S = 60.0
"""Time after which a picture is tried again if its failure had another cause, such as a worker that died."""


class FolderImporter:
    """Import of scans of one folder: new pictures are enrolled, and pictures that vanished are removed."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        pictures: PictureImporter,
        reader: PictureReader,
        run: ImportRun,
        skipped: SkippedFiles,
        recent_removals: RecentRemovals,
        *,
        recipe: str,
    ) -> None:
        self._folder = folder
        self._index = store.folder_index
        self._pictures = pictures
        self._reader = reader
        self._run = run
        self._recent_removals = recent_removals
        self._recipe = recipe
        self._guard = RemovalGuard(store.notes)
        self._skipped = skipped
        # There is no warning about a folder before its first scan.
        self._scan = FolderScan("empty", {}, {})
        self._warned: tuple[str, ...] = ()
        self._retry_at = math.inf

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return sentences about the folder for a user: files that were not read, and removals that wait."""
        return folder_warnings(self._folder, self._scan, self._guard.held, self._skipped.is_of_removed)

    @property
    def is_due(self) -> bool:
        """Return whether the last scan has to be imported again: to retry pictures, or for a confirmed removal."""
        return time.monotonic() > self._retry_at or self._guard.is_confirmed

    def import_scan(self, scan: FolderScan) -> None:
        """Import a scan. Raise CancelledError at a stop."""
        self._retry_at = math.inf
        self._scan = scan
        self._skipped.begin(scan.unused)
        self._run.begin(len(scan.pictures))
        stamps = self._index.read_stamps()
        remember_digests(self._reader, scan, stamps)
        # Removed people are forgotten before new pictures are described, which takes long.
        lost = self._find_lost(scan)
        was_held = not self._forget(lost)
        useless = self._enrol_all(scan)
        if moved := moved_pictures(self._index, scan):
            self._remove(moved, self._index.find_loss(moved))
        lost = (lost | useless) & self._index.read_folder_digests().keys()
        if not lost or (not was_held and self._forget(lost)):
            self._guard.release()
        if new := new_stamps(self._reader, scan, stamps, self._index.read_folder_digests()):
            self._index.write_stamps(new)
        self._reader.keep_only(scan.pictures.values())
        self._pictures.finish()
        self._report()

    def _report(self) -> None:
        self._skipped.finish()
        self._run.publish()
        self._skipped.log_new()
        self._log_new_warnings()
        self._run.finish()
        people, pictures = self._run.progress.people, len(self._scan.pictures)
        log.info("people known: %d; pictures in %s: %d", people, self._folder, pictures)

    def _enrol_all(self, scan: FolderScan) -> set[str]:
        """Enrol all pictures. Return the sources of enrolled pictures if their files do not show a person any more."""
        useless = set()
        before, enrolled = self._index.read_folder_digests(), self._index.read_folder_digests(self._recipe)
        self._pictures.begin(enrolled, scan)
        for path, file in scan.pictures.items():
            source = FOLDER_PREFIX + path
            try:
                self._pictures.import_picture(source, file, before.get(source), enrolled.get(source))
            except OSError as error:
                self._skip(source, reason_of(error))
            except GatewayError as error:
                self._skip(source, str(error), retry=not is_final(error))
                # The enrolled picture stays if the file is damaged or only touched.
                if shows_no_person(error) and self._reader.digest(file) != before.get(source):
                    useless.add(source)
            self._run.count_picture()
            self._run.publish_sometimes()
        return useless

    def _skip(self, source: str, reason: str, *, retry: bool = True) -> None:
        self._skipped.add(source, reason)
        if retry:
            self._retry_at = time.monotonic() + RETRY_INTERVAL_S

    def _find_lost(self, scan: FolderScan) -> set[str]:
        """Return the sources of enrolled pictures that are not in the folder any more, also not at another path."""
        lost = lost_pictures(self._index, scan)
        present = self._pictures.readable_digests(scan.pictures.values()) if lost else frozenset()
        return {source for source, digest in lost.items() if digest not in present}

    def _forget(self, sources: Collection[str]) -> bool:
        """Forget pictures, unless that needs a confirmation first. Return whether they were forgotten."""
        if not sources:
            return True
        loss = self._index.find_loss(sources)
        suspicious = self._scan.condition != "present"
        if not self._guard.allows(loss, suspicious=suspicious, recent=self._recent_removals.count()):
            self._log_new_warnings()
            return False
        is_confirmed = self._guard.is_confirmed_for(loss)
        removed = self._remove(sources, loss)
        # A confirmed removal is no fault of the folder.
        if not is_confirmed:
            self._recent_removals.add(removed)
        self._run.publish()
        return True

    def _remove(self, sources: Collection[str], loss: Loss) -> list[str]:
        """Remove pictures, and log each person without a picture left. Return the ids of these people."""
        people = self._index.find_people_by_key(loss.removed)
        self._index.remove_folder_pictures(sources)
        for person in people:
            log.warning("removed %s (%s): no picture is left in the folder %s", person.name, person.slug, self._folder)
        return [person.slug for person in people]

    def _log_new_warnings(self) -> None:
        warnings = self.warnings
        for each in warnings:
            if each not in self._warned:
                log.warning("%s", each)
        self._warned = warnings
