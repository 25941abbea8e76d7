"""The simple way in: ``known_faces/<person>/*.jpg``, imported at start and when the folder changes."""

from __future__ import annotations

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.errors import BadRequest, Busy, GatewayError, MultipleFaces, NoFace
from gateway.model import Box, FoundFace, checked_name
from gateway.people.registry import Registry, Sitting
from gateway.people.store import KNOWN_FACES, Described, Picture

log = logging.getLogger(__name__)

AGAIN_S = 60.0
"""After which what went wrong through no fault of a picture (a worker that died, say) is tried again."""

PUBLISH_S = 2.0
"""How often the new ones become known while an import goes on."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic"})
"""What is meant as a picture; those that cannot be read are skipped with that reason, not in silence."""

UNUSABLE = (BadRequest, NoFace, MultipleFaces)
"""What says that a picture is of no use, and will not be tomorrow."""

Snapshot = dict[Path, tuple[int, int]]
"""Each picture's time of change in ns and its size in bytes."""


@dataclass(frozen=True, slots=True)
class Progress:
    """``skipped``: pictures that cannot be used, each with the reason; ``finished``: once the first import is."""

    done: int = 0
    of: int = 0
    people: int = 0
    skipped: tuple[str, ...] = ()
    finished: bool = False


class KnownFaces:
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
    ) -> None:
        self._folder = folder
        self._registry = registry
        self._store = registry.store
        self._describe = describe
        self._describe_again = describe_again
        self._rescan_s = rescan_s
        self.progress = Progress(people=len(registry.gallery))
        self._again_at = math.inf
        self._published = -math.inf
        self._stopping = threading.Event()
        self._renewed = -1  # the store's revision at that time
        registry.digests_in_folders = self._digests
        self._thread = threading.Thread(target=self._watch, name="known-faces")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        last: object = object()  # like no snapshot
        while not self._stopping.is_set():
            try:
                if self._store.revision() != self._renewed:
                    self._renew()
                now = _snapshot(self._folder)
                if now != last or time.monotonic() > self._again_at:
                    self._again_at = math.inf
                    self._change(now)
                    last = now
            except CancelledError:
                return  # the gateway is going down
            except Exception:  # a full disk, a fault of ours: recognition goes on with whom we know
                log.exception("the known faces in %s cannot be imported", self._folder)
            self._stopping.wait(self._rescan_s)

    def _change(self, now: Snapshot | None) -> None:
        if now is not None:
            self._import(list(now))
        else:  # not mounted yet, perhaps: no reason to forget everybody
            log.warning("there is no folder %s: whoever was known stays known", self._folder)
            self.progress = replace(self.progress, finished=True)

    def _renew(self) -> None:
        """Whoever was described by another recipe, anew from the chips that were kept: after a start, or an import."""
        outdated = self._store.outdated(self._registry.recipe)
        if outdated:
            log.info("descriptors are made in another way now: making %d again", len(outdated))
        settled = True
        for digest in outdated:
            try:
                chips = self._store.chips(digest)
                if chips is not None:  # else they were removed meanwhile
                    face = self._patiently(self._describe_again, chips)
                    assert face.descriptor is not None
                    self._store.renew(digest, self._registry.recipe, face.descriptor)
            except GatewayError as error:
                log.warning("the descriptor of picture %.16s cannot be made again: %s", digest, error)
                settled = settled and isinstance(error, UNUSABLE)  # else it is tried again
            self._publish_now_and_then()
        self._publish()
        if settled:
            self._renewed = self._store.revision()

    def _import(self, paths: list[Path]) -> None:
        self.progress = replace(self.progress, done=0, of=len(paths), skipped=())
        known = self._store.from_folder(self._registry.recipe)
        present = {self._source(path) for path in paths}
        fresh = {_digest(path) for path in paths if self._source(path) not in known}
        before = self._store.from_folder()
        moved = self._forget({source: digest for source, digest in before.items() if digest not in fresh}, present)
        for path in paths:
            try:
                self._enrol(path, known.get(self._source(path)), moved)
            except UNUSABLE as error:
                self._skip(path, error)
            except (GatewayError, OSError) as error:  # says nothing of the picture: if it was known, it stays known
                self._skip(path, error)
                self._again_at = time.monotonic() + AGAIN_S
            self.progress = replace(self.progress, done=self.progress.done + 1)
            self._publish_now_and_then()
        self._forget(self._store.from_folder(), present)  # who moved to another folder
        self.progress = replace(self.progress, finished=True)
        log.info("%d people known, %d pictures in %s", len(self._registry.gallery), len(paths), self._folder)

    def _forget(self, known: Mapping[str, str], present: set[str]) -> dict[str, Described]:
        """Pictures that are not in the folder any more, at once, however long the import takes; gives what was kept of
        them, by digest: they may only have moved.
        """
        gone = {source: digest for source, digest in known.items() if source not in present}
        found = {digest: self._store.described(digest, self._registry.recipe) for digest in gone.values()}
        self._store.forget(gone)
        self._publish()
        return {digest: face for digest, face in found.items() if face is not None}

    def _publish_now_and_then(self) -> None:
        if self._stopping.is_set():
            raise CancelledError
        if time.monotonic() > self._published + PUBLISH_S:
            self._publish()

    def _publish(self) -> None:
        self._registry.follow()
        self.progress = replace(self.progress, people=len(self._registry.gallery))
        self._published = time.monotonic()

    def _skip(self, path: Path, error: Exception) -> None:
        reason = f"{self._source(path)}: {error}"
        log.warning("skipped the known face %s", reason)
        self.progress = replace(self.progress, skipped=(*self.progress.skipped, reason))

    def _enrol(self, path: Path, before: str | None, moved: Mapping[str, Described]) -> None:
        """``before``: the digest of what lay there the last time."""
        if path.parent == self._folder:
            raise BadRequest("put it into a folder named after the person")
        data, source = path.read_bytes(), self._source(path)
        digest = hashlib.sha256(data).hexdigest()
        if digest == before:
            return
        try:
            if self._store.buried(digest):
                raise BadRequest("it was removed: enrol it by another way if it is to come back")
            name = checked_name(path.parent.name.replace("_", " "))
            known = moved.get(digest) or self._store.described(digest, self._registry.recipe)  # for its bytes, once
            picture = self._picture(data, known, source)
        except UNUSABLE:
            if before is not None:
                self._store.forget([source])
            raise
        if before is not None:
            self._store.forget([source])
        self._store.enrol_from_folder(name, picture)

    def _picture(self, data: bytes, known: Described | None, source: str) -> Picture:
        if known is not None:
            face = FoundFace(Box(0, 0, 1, 1), known.descriptor, chips=known.chips)
        else:
            face = self._patiently(self._describe, data)
            self._registry.check(face, "it")
        return self._registry.kept(Sitting(data, face), source)

    def _source(self, path: Path) -> str:
        """Fit to be stored and shown, also where the file system's names are no text."""
        return KNOWN_FACES + str(path.relative_to(self._folder)).encode(errors="backslashreplace").decode()

    def _digests(self, folders: Collection[str]) -> set[str]:
        """Of all pictures in the folders of somebody who is removed, imported or not yet."""
        found = set()
        for path in _snapshot(self._folder) or {}:
            with suppress(OSError, BadRequest):
                if path.parent != self._folder and checked_name(path.parent.name.replace("_", " ")) in folders:
                    found.add(hashlib.sha256(path.read_bytes()).hexdigest())
        return found

    def _patiently(self, describe: Callable[[bytes], FoundFace], data: bytes) -> FoundFace:
        while True:
            try:
                return describe(data)
            except Busy as busy:
                if self._stopping.wait(busy.retry_after):
                    raise CancelledError from None


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _snapshot(folder: Path) -> Snapshot | None:
    """None if there is no such folder."""
    if not folder.is_dir():
        return None
    found: Snapshot = {}
    for path in sorted((*folder.glob("*"), *folder.glob("*/*"))):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith("."):
            status = path.stat()
            found[path] = status.st_mtime_ns, status.st_size
    return found
