"""Stamps of files in the store: an unchanged file is not read again after a restart."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.people.folder.files import PictureReader, stamp_text
from gateway.people.folder.scan import FolderScan
from gateway.store.records import FOLDER_PREFIX

Stamps = Mapping[str, tuple[str, str]]
"""By source: the digest of a picture, and its file's stamp at the time when the file was read."""


def remember_digests(reader: PictureReader, scan: FolderScan, stamps: Stamps) -> None:
    """Give the reader the digests of files that did not change since they were read."""
    for path, file in scan.pictures.items():
        digest, stamp = stamps.get(FOLDER_PREFIX + path, ("", ""))
        if stamp == stamp_text(file.stamp):
            reader.remember(file, digest)


def new_stamps(reader: PictureReader, scan: FolderScan, stamps: Stamps, known: Mapping[str, str]) -> Stamps:
    """Return the stamps of imported pictures that the store does not have yet.

    ``known``: source and digest of each imported picture.
    """
    new = {}
    for path, file in scan.pictures.items():
        source, digest = FOLDER_PREFIX + path, reader.known_digest(file)
        if digest is not None and known.get(source) == digest:
            stamped = digest, stamp_text(file.stamp)
            if stamps.get(source) != stamped:
                new[source] = stamped
    return new
