"""Progress of an import, published while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import replace
from math import inf

from gateway.errors import Busy
from gateway.model import FoundFace
from gateway.model.health import ImportProgress
from gateway.people.folder.skipped_files import SkippedFiles
from gateway.people.gallery import Gallery
from gateway.people.gallery_updater import GalleryUpdater

PUBLISH_INTERVAL_S = 2.0
"""Time after which the people who were imported so far are added to the gallery."""


class ImportRun:
    """The progress of the import, and the request to stop it.

    Methods that take long raise CancelledError after ``stop``.
    """

    def __init__(self, updater: GalleryUpdater, gallery: Gallery, skipped: SkippedFiles) -> None:
        self._updater = updater
        self._gallery = gallery
        self._skipped = skipped
        self._stopping = threading.Event()
        self._published_at = -inf
        self.progress = ImportProgress(people=len(gallery))

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        self._stopping.set()

    def resume(self) -> None:
        """Allow imports again after ``stop``."""
        self._stopping.clear()

    def wait(self, seconds: float) -> bool:
        """Wait, and return whether the import has to stop."""
        return self._stopping.wait(seconds)

    def begin(self, pictures: int) -> None:
        """Begin to count the pictures of a scan."""
        self.progress = replace(self.progress, done=0, of=pictures, skipped=tuple(self._skipped.sentences))

    def count_picture(self) -> None:
        """Count one picture as done."""
        self.progress = replace(self.progress, done=self.progress.done + 1)

    def finish(self) -> None:
        """Mark the first import as finished."""
        self.progress = replace(self.progress, finished=True)

    def publish(self) -> None:
        """Add the imported people to the gallery, and report the files that were skipped so far."""
        self._updater.refresh()
        people = len(self._gallery)
        self.progress = replace(self.progress, people=people, skipped=tuple(self._skipped.sentences))
        self._published_at = time.monotonic()

    def publish_sometimes(self) -> None:
        """Publish if the last time was long ago. Raise CancelledError if the import has to stop."""
        if self.is_stopping:
            raise CancelledError
        if time.monotonic() > self._published_at + PUBLISH_INTERVAL_S:
            self.publish()

    def describe(self, describe: Callable[[bytes], FoundFace], data: bytes) -> FoundFace:
        """Describe a face, and wait while the workers are busy. Raise CancelledError if the import has to stop."""
        while True:
            try:
                return describe(data)
            except Busy as busy:
                if self.wait(busy.retry_after):
                    raise CancelledError from None
