"""The protocols of the folder of known people: its pictures, and the marks of removed ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from gateway.model import Person
from gateway.store.records import Loss, Picture


class FolderIndex(Protocol):
    """The pictures from the folder of known people. Their ``source`` is FOLDER_PREFIX and the path in the folder."""

    def read_folder_digests(self, recipe: str | None = None) -> dict[str, str]:
        """Return source and digest of all pictures from the folder, or of those with a descriptor of one recipe."""

    def enrol_from_folder(self, folder: str, picture: Picture, *, replaces: str | None = None) -> None:
        """Add a picture to the person of a folder. ``replaces``: the digest of the previous picture of the source.

        Raise BadRequest as ``RemovalMarks.check_not_removed`` does, and TooLarge if a limit is exceeded.
        """

    def check_folder_limits(self, folder: str, digest: str) -> None:
        """Raise TooLarge if this picture for the person of a folder would exceed a limit."""

    def read_stamps(self) -> dict[str, tuple[str, str]]:
        """Return by source the digest of each picture and the stamp of its file when it was read."""

    def write_stamps(self, stamps: Mapping[str, tuple[str, str]]) -> None:
        """Write stamps of files, in the form that ``read_stamps`` returns."""

    def list_folders(self, slug: str) -> list[str]:
        """Return the folders of a person, by the names that a new person would get from them."""

    def find_loss(self, sources: Collection[str]) -> Loss:
        """Return the people who would lose pictures without the pictures from these sources."""

    def find_people_by_key(self, keys: Collection[int]) -> list[Person]:
        """Return by slug the people with these keys who are still enrolled."""

    def remove_folder_pictures(self, sources: Collection[str]) -> None:
        """Remove the pictures from these sources, and the people who then have no picture."""


class RemovalMarks(Protocol):
    """The marks of removed pictures, names and folders, which the folder of known people cannot enrol again."""

    def is_picture_removed(self, digest: str) -> bool:
        """Return whether this picture was removed."""

    def is_name_removed(self, name: str) -> bool:
        """Return whether a person of this name was removed, and no person of this name was enrolled since."""

    def check_not_removed(self, folder: str, digest: str) -> None:
        """Raise BadRequest if the folder cannot enrol this picture."""
