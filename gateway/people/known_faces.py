"""The simple way in: ``known_faces/<person>/*.jpg``, imported at start and when the folder changes."""

from __future__ import annotations

import hashlib
import logging
import math
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.errors import BadRequest, Busy, GatewayError, MultipleFaces, NoFace
from gateway.model import FoundFace
from gateway.people.gallery import Gallery
from gateway.people.store import Described, Enrolled, PeopleStore, Sources

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
        store: PeopleStore,
        gallery: Gallery,
        describe: Callable[[bytes], FoundFace],
        describe_again: Callable[[bytes], FoundFace],
        *,
        recipe: str,
        rescan_s: float,
    ) -> None:
        self._folder = folder
        self._store = store
        self._gallery = gallery
        self._describe = describe
        self._describe_again = describe_again
        self._recipe = recipe
        self._rescan_s = rescan_s
        self.progress = Progress()
        self._again_at = math.inf
        self._published = -math.inf
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="known-faces")
        self._publish()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        last: object = object()  # like no snapshot
        renewed = False
        while not self._stopping.is_set():
            try:
                renewed = renewed or self._renew()
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

    def _renew(self) -> bool:
        """Whoever was described by another recipe, anew from the chips that were kept. Whether that is settled."""
        outdated = self._store.outdated(self._recipe)
        if outdated:
            log.info("descriptors are made in another way now: making %d again", len(outdated))
        settled = True
        for picture in outdated:
            if self._stopping.is_set():
                raise CancelledError
            assert picture.face.chips is not None
            try:
                face = self._described(self._describe_again, picture.face.chips)
                self._store.add(replace(picture, recipe=self._recipe, face=face))
            except GatewayError as error:
                log.warning("the descriptor of %s cannot be made again: %s", picture.source, error)
                settled = settled and isinstance(error, UNUSABLE)  # else it is tried again
            if time.monotonic() > self._published + PUBLISH_S:
                self._publish()
        if outdated:
            self._publish()
        return settled

    def _import(self, paths: list[Path]) -> None:
        self.progress = replace(self.progress, done=0, of=len(paths), skipped=())
        before = self._store.sources()
        moved = self._forget_missing(before, {self._source(path) for path in paths})
        kept = set()
        for path in paths:
            if self._stopping.is_set():
                raise CancelledError
            try:
                kept.add(self._enroll(path, moved))
            except UNUSABLE as error:
                self._skip(path, error)
            except (GatewayError, OSError) as error:  # says nothing of the picture: if it was known, it stays known
                self._skip(path, error)
                self._again_at = time.monotonic() + AGAIN_S
                kept.update(before.get(self._source(path), set()))
            self.progress = replace(self.progress, done=self.progress.done + 1)
            if time.monotonic() > self._published + PUBLISH_S:
                self._publish()
        self._store.retain(kept)
        self._publish()
        self.progress = replace(self.progress, finished=True)
        log.info("%d people known by %d pictures in %s", len(self._gallery.people), len(kept), self._folder)

    def _forget_missing(self, before: Sources, present: set[str]) -> dict[str, Described]:
        """At once, however long the import takes; gives what was kept of them, by digest: they may only have moved."""
        stay = {picture for source in present for picture in before.get(source, ())}
        gone = {digest for pictures in before.values() for _, digest in pictures - stay}
        found = {digest: self._store.described(digest, self._recipe) for digest in gone}
        self._store.retain(stay)
        self._publish()
        return {digest: face for digest, face in found.items() if face is not None}

    def _publish(self) -> None:
        self._gallery.load(self._store.templates(self._recipe))
        self.progress = replace(self.progress, people=len(self._gallery.people))
        self._published = time.monotonic()

    def _skip(self, path: Path, error: Exception) -> None:
        reason = f"{self._source(path)}: {error}"
        log.warning("skipped the known face %s", reason)
        self.progress = replace(self.progress, skipped=(*self.progress.skipped, reason))

    def _enroll(self, path: Path, moved: Mapping[str, Described]) -> tuple[str, str]:
        """Its (name, digest). A face is described once for a picture's bytes, wherever they lie."""
        if path.parent == self._folder:
            raise BadRequest("put it into a folder named after the person")
        data = path.read_bytes()
        name, digest = _name(path), hashlib.sha256(data).hexdigest()
        face = self._store.described(digest, self._recipe)
        if face is None:
            face = moved[digest] if digest in moved else self._described(self._describe, data)
        self._store.add(Enrolled(name, self._source(path), digest, self._recipe, face))
        return name, digest

    def _source(self, path: Path) -> str:
        """Fit to be stored and shown, also where the file system's names are no text."""
        return str(path.relative_to(self._folder)).encode(errors="backslashreplace").decode()

    def _described(self, describe: Callable[[bytes], FoundFace], data: bytes) -> Described:
        while True:
            try:
                face = describe(data)
                assert face.descriptor is not None
                return Described(face.descriptor, face.chips)
            except Busy as busy:
                if self._stopping.wait(busy.retry_after):
                    raise CancelledError from None


def _name(path: Path) -> str:
    """The folder's name, with spaces for underscores. Raises BadRequest if that is no name."""
    name = " ".join(unicodedata.normalize("NFC", path.parent.name).replace("_", " ").split())
    if not name or not name.isprintable():  # a name that is no text is not printable either
        raise BadRequest("the folder's name is no person's name")
    return name


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
