"""The stamps of files as the store keeps them, so that no file is read again after a restart."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.people.folder.files import PictureReader, stamp_text
from gateway.people.folder.scan import FolderScan
from gateway.store.protocols import KNOWN_FACES

Stamps = Mapping[str, tuple[str, str]]
"""By source: the digest of a picture, and the stamp of its file when it was read."""


def remember_digests(reader: PictureReader, scan: FolderScan, stamps: Stamps) -> None:
    """Let the reader take the digests of files as known that are the same as when they were read."""
    for path, file in scan.pictures.items():
        digest, stamp = stamps.get(KNOWN_FACES + path, ("", ""))
        if stamp == stamp_text(file.stamp):
            reader.remember(file, digest)


def new_stamps(reader: PictureReader, scan: FolderScan, stamps: Stamps, known: Mapping[str, str]) -> Stamps:
    """Return stamps of known pictures that the store does not have. ``known``: source and digest of each."""
    new = {}
    for path, file in scan.pictures.items():
        source, digest = KNOWN_FACES + path, reader.known_digest(file)
        if digest is not None and known.get(source) == digest:
            stamped = digest, stamp_text(file.stamp)
            if stamps.get(source) != stamped:
                new[source] = stamped
    return new
