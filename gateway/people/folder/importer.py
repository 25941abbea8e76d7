"""The simple way in: ``known_faces/<person>/*.jpg``, imported at start and when the folder changes."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path, PurePath

from gateway.errors import BadRequest, Busy, GatewayError, MultipleFaces, NoFace
from gateway.logs import escape
from gateway.model import Box, FoundFace
from gateway.model.health import ImportProgress
from gateway.people.folder.files import PictureFile, PictureReader, reason_of
from gateway.people.folder.losses import lost_pictures, moved_pictures
from gateway.people.folder.pictures import find_folder_pictures, name_of_folder
from gateway.people.folder.recent_removals import RecentRemovals
from gateway.people.folder.report import Hides, folder_warnings, hidden_sentence, skipped_sentences
from gateway.people.folder.scan import FolderScan, FolderScanner
from gateway.people.folder.stamps import new_stamps, remember_digests
from gateway.people.registry import EnrolmentSample, Registry
from gateway.store.records import FOLDER_PREFIX, Loss, Picture
from gateway.store.removal_guard import RemovalGuard

log = logging.getLogger(__name__)

RETRY_INTERVAL_S = 60.0
"""After which what went wrong through no fault of a picture (a worker that died, say) is tried again."""

PUBLISH_INTERVAL_S = 2.0
"""How often the new ones become known while an import goes on."""

SETTLE_INTERVAL_S = 1.0
"""Between two looks at a folder from which files vanish. A removal is judged when it is over, by its whole size."""

MAX_SETTLE_SCANS = 60
"""After so many the folder is taken as it is: something in it is renamed all the time."""

SCAN_PAUSE_FACTOR = 20
"""The pause after a scan is at least so many times its duration: scans use at most 5 % of one core."""

UNUSABLE_PICTURE_ERRORS = (BadRequest, NoFace, MultipleFaces)
"""Errors which say that a picture is of no use, and will not be tomorrow, unless the error is temporary."""

OTHER_CONTENT_ERRORS = (NoFace, MultipleFaces)
"""Errors which say that a picture was decoded, and shows something else than a person. A damaged one says nothing."""


class FolderImporter:
    """``describe`` gives the one face of a picture, or raises what is wrong with it; ``describe_again`` that of chips.

    Whoever the store knows already is in the gallery from the beginning: nobody is a stranger while we start, unless
    the engine was changed and descriptors are made anew. /readyz says when that is done.
    """

    def __init__(
        self,
        folder: Path,
        registry: Registry,
        describe: Callable[[bytes], FoundFace],
        describe_again: Callable[[bytes], FoundFace],
        *,
        rescan_s: float,
        max_bytes: int,
    ) -> None:
        """``max_bytes``: of a picture; larger files are not read."""
        self._folder = folder
        self._scanner = FolderScanner(folder)
        # of a folder that was not looked at yet nobody is warned
        self._scan = FolderScan("empty", {}, {})
        self._reader = PictureReader(max_bytes)
        self._guard = RemovalGuard(registry.store.notes)
        self._recent = RecentRemovals(lambda slug: slug in registry.gallery)
        self._unusable: dict[str, GatewayError] = {}  # by digest: no worker gets such a picture twice
        self._copies: set[tuple[str | None, str]] = (
            set()
        )  # folder and digest of pictures that are known: a copy adds none
        self._skipped: list[str] = []
        self._hidden: Counter[str] = Counter()  # by reason: files of people who were removed
        self._hides: Hides = self._is_of_removed
        self._removals = registry.removals
        self._skipped_before: frozenset[str] = frozenset()
        self._warned: tuple[str, ...] = ()
        self._registry = registry
        self._index = registry.store.folder_index
        self._faces = registry.store.faces
        self._marks = registry.store.removal_marks
        self._describe = describe
        self._describe_again = describe_again
        self._rescan_s = rescan_s
        self.progress = ImportProgress(people=len(registry.gallery))
        self._again_at = math.inf
        self._published = -math.inf
        self._stopping = threading.Event()
        self._renewed = -1  # the store's revision at that time
        registry.in_folders = partial(find_folder_pictures, folder, max_bytes)
        self._thread = threading.Thread(target=self._watch, name="known-faces")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for whoever looks after the gateway: the folder needs a person."""
        return folder_warnings(self._folder, self._scan, self._guard.held, self._is_of_removed)

    def _watch(self) -> None:
        last: FolderScan | None = None
        while not self._stopping.is_set():
            pause = self._rescan_s
            try:
                if self._faces.revision() != self._renewed:
                    self._renew()
                began = time.monotonic()
                scan = self._scanner.scan()
                pause = max(pause, SCAN_PAUSE_FACTOR * (time.monotonic() - began))
                scan = self._settled(scan, last)
                if scan != last or self._is_due():
                    self._again_at, self._removals = math.inf, self._registry.removals
                    self._import(scan)
                    last = scan
            except CancelledError:
                return  # the gateway is going down
            except Exception:  # a full disk, a fault of ours: recognition goes on with whom we know
                log.exception("the known faces in %s cannot be imported", self._folder)
            self._stopping.wait(pause)

    def _is_due(self) -> bool:
        """Return whether an import is due though the folder is as it was. After a removal its report must not name the
        removed person any more.
        """
        removed = self._registry.removals != self._removals
        return removed or time.monotonic() > self._again_at or self._guard.is_confirmed

    def _settled(self, scan: FolderScan, last: FolderScan | None) -> FolderScan:
        """Return the folder as it is once no more files vanish from it: a mount does not end, and no folder is deleted,
        in one moment.
        """
        for _ in range(MAX_SETTLE_SCANS):
            if last is None or last.pictures.keys() <= scan.pictures.keys():
                break
            if self._stopping.wait(min(SETTLE_INTERVAL_S, self._rescan_s)):
                raise CancelledError
            before, scan = scan, self._scanner.scan()
            if scan == before:
                break
        return scan

    def _renew(self) -> None:
        """Whoever was described by another recipe, anew from the chips that were kept: after a start, or an import."""
        outdated = self._faces.list_outdated_pictures(self._registry.recipe)
        if outdated:
            log.info("descriptors are made in another way now: making %d again", len(outdated))
        settled = True
        for digest in outdated:
            try:
                chips = self._faces.read_chips(digest)
                if chips is not None:  # else they were removed meanwhile
                    face = self._patiently(self._describe_again, chips)
                    assert face.descriptor is not None
                    self._faces.replace_descriptor(digest, self._registry.recipe, face.descriptor)
            except GatewayError as error:
                log.warning("the descriptor of picture %.16s cannot be made again: %s", digest, error)
                settled = settled and _is_final(error)  # else it is tried again
            self._publish_now_and_then()
        self._publish()
        if settled:
            self._renewed = self._faces.revision()

    def _import(self, scan: FolderScan) -> None:
        self._scan = scan
        self._hides = cache(self._is_of_removed)
        self._hidden.clear()
        self._skipped = skipped_sentences(scan.unused, self._hides)
        self.progress = replace(self.progress, done=0, of=len(scan.pictures), skipped=tuple(self._skipped))
        stamps = self._index.read_stamps()
        remember_digests(self._reader, scan, stamps)
        gone = self._gone(scan)
        held = not self._forget(gone)
        useless = self._enrol_all(scan)
        if moved := moved_pictures(self._index, scan):
            self._remove(moved, self._index.find_loss(moved))
        gone = (gone | useless) & self._index.read_folder_digests().keys()
        if not gone or (not held and self._forget(gone)):
            self._guard.release()
        if new := new_stamps(self._reader, scan, stamps, self._index.read_folder_digests()):
            self._index.write_stamps(new)
        self._reader.keep_only(scan.pictures.values())
        self._unusable = {digest: self._unusable[digest] for digest in self._unusable.keys() & self._reader.digests}
        self._skipped += [hidden_sentence(count, reason) for reason, count in self._hidden.items()]
        self._publish()
        self._report_skipped()
        self.progress = replace(self.progress, finished=True)
        log.info("people known: %d; pictures in %s: %d", len(self._registry.gallery), self._folder, len(scan.pictures))

    def _enrol_all(self, scan: FolderScan) -> set[str]:
        """Return the sources of known pictures in whose place there is something else now."""
        useless = set()
        before, known = self._index.read_folder_digests(), self._index.read_folder_digests(self._registry.recipe)
        self._copies = self._known_places(known, scan)
        for path, file in scan.pictures.items():
            source = FOLDER_PREFIX + path
            try:
                self._enrol(source, file, before.get(source), known.get(source))
            except OSError as error:
                self._skip(source, reason_of(error))
                self._again_at = time.monotonic() + RETRY_INTERVAL_S
            except GatewayError as error:
                self._skip(source, str(error))
                if not _is_final(error):  # it says nothing of the picture: if it was known, it stays known
                    self._again_at = time.monotonic() + RETRY_INTERVAL_S
                elif isinstance(error, OTHER_CONTENT_ERRORS) and self._reader.digest(file) != before.get(source):
                    useless.add(source)
            self.progress = replace(self.progress, done=self.progress.done + 1)
            self._publish_now_and_then()
        return useless

    def _known_places(self, known: Mapping[str, str], scan: FolderScan) -> set[tuple[str | None, str]]:
        """Return the person's folder and the digest of each picture that is known from where it lies now."""
        found = set()
        for source, digest in known.items():
            file = scan.pictures.get(source.removeprefix(FOLDER_PREFIX))
            # what lies there may be another picture by now
            if file is not None and self._digests_of([file]) == {digest}:
                found.add((file.person, digest))
        return found

    def _gone(self, scan: FolderScan) -> set[str]:
        """Return the sources of known pictures that are not in the folder any more, at no other place either."""
        lost = lost_pictures(self._index, scan)
        here = self._digests_of(scan.pictures.values()) if lost else frozenset()
        return {source for source, digest in lost.items() if digest not in here}

    def _forget(self, sources: Collection[str]) -> bool:
        """Forget pictures, unless that has to be confirmed first; return whether it was done."""
        if not sources:
            return True
        loss = self._index.find_loss(sources)
        suspicious = self._scan.condition != "present"
        if not self._guard.allows(loss, suspicious=suspicious, recent=self._recent.count()):
            self._log_once()
            return False
        confirmed = self._guard.is_confirmed_for(loss)
        removed = self._remove(sources, loss)
        # a person is at work who knows what is removed
        if not confirmed:
            self._recent.add(removed)
        self._publish()
        return True

    def _remove(self, sources: Collection[str], loss: Loss) -> list[str]:
        """Forget pictures, log each person who is left with none, and return the ids of these people."""
        people = self._index.find_people_by_key(loss.removed)
        self._index.remove_folder_pictures(sources)
        for person in people:
            log.warning("removed %s (%s): no picture is left in the folder %s", person.name, person.slug, self._folder)
        return [person.slug for person in people]

    def _log_once(self) -> None:
        """Log the warnings that were not there before."""
        warnings = self.warnings
        for each in warnings:
            if each not in self._warned:
                log.warning("%s", each)
        self._warned = warnings

    def _publish_now_and_then(self) -> None:
        if self._stopping.is_set():
            raise CancelledError
        if time.monotonic() > self._published + PUBLISH_INTERVAL_S:
            self._publish()

    def _publish(self) -> None:
        self._registry.refresh()
        self.progress = replace(self.progress, people=len(self._registry.gallery), skipped=tuple(self._skipped))
        self._published = time.monotonic()

    def _skip(self, source: str, reason: str) -> None:
        if self._hides(source.removeprefix(FOLDER_PREFIX)):
            self._hidden[reason] += 1
        else:
            self._skipped.append(escape(f"{source}: {reason}"))

    def _is_of_removed(self, path: str) -> bool:
        """Return whether a path in the folder is named after somebody who was removed."""
        first, *deeper = path.split("/")
        for name in {first, first if deeper else PurePath(first).stem}:
            with suppress(BadRequest):
                if self._marks.is_name_removed(name_of_folder(name)):
                    return True
        return False

    def _report_skipped(self) -> None:
        """Log what was not skipped the last time."""
        for each in self._skipped:
            if each not in self._skipped_before:
                log.warning("skipped in the known faces: %s", each)
        self._skipped_before = frozenset(self._skipped)
        self._log_once()

    def _enrol(self, source: str, file: PictureFile, before: str | None, known: str | None) -> None:
        """``before``: the digest of the picture that lay there the last time; ``known``: the same, if it was described
        by today's recipe.
        """
        if file.person is None:
            raise BadRequest("put it into a folder named after the person")
        digest = self._reader.digest(file)
        if digest == known or (before is None and (file.person, digest) in self._copies):
            return
        if digest in self._unusable:
            raise self._unusable[digest].with_traceback(None)
        name = name_of_folder(file.person)
        self._marks.check_not_removed(name, digest)
        replaces = before if before != digest else None
        if replaces is None:
            # before the picture is described, which costs much more
            self._index.check_folder_limits(name, digest)
        self._index.enrol_from_folder(name, self._picture(file, digest, source), replaces=replaces)
        self._copies.add((file.person, digest))

    def _picture(self, file: PictureFile, digest: str, source: str) -> Picture:
        known = self._faces.find_face(digest, self._registry.recipe)
        data = self._reader.read(file)
        if known is not None:
            face = FoundFace(Box(0, 0, 1, 1), known.descriptor, chips=known.chips)
        else:
            face = self._described(data, digest)
        return self._registry.make_picture(EnrolmentSample(data, face), source)

    def _described(self, data: bytes, digest: str) -> FoundFace:
        try:
            face = self._patiently(self._describe, data)
            self._registry.check_face(face, "it")
        except GatewayError as error:
            if _is_final(error):
                self._unusable[digest] = error
            raise
        return face

    def _digests_of(self, files: Iterable[PictureFile]) -> set[str]:
        """Return those of all files that can be read."""
        found = set()
        for file in files:
            with suppress(OSError, BadRequest):
                found.add(self._reader.digest(file))
        return found

    def _patiently(self, describe: Callable[[bytes], FoundFace], data: bytes) -> FoundFace:
        while True:
            try:
                return describe(data)
            except Busy as busy:
                if self._stopping.wait(busy.retry_after):
                    raise CancelledError from None


def _is_final(error: GatewayError) -> bool:
    """Return whether the same picture will fail in the same way tomorrow."""
    return isinstance(error, UNUSABLE_PICTURE_ERRORS) and not error.temporary
