"""Result of a scan of a folder for pictures of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gateway.people.folder.files import PictureFile

MAX_NAMED_PATHS = 5
"""Paths that one sentence names."""

Condition = Literal["present", "empty", "missing", "unreadable"]


@dataclass(frozen=True, slots=True)
class FolderScan:
    """Content of a folder at one moment. Paths are relative to the folder, and printable.

    ``pictures``: by path; ``unread``: by path, the reason why a file or folder was not read: there may be pictures in
    it; ``unused``: by reason, the paths of all files that are not used; ``complete``: whether the scan saw all files;
    ``problem``: the reason for an unreadable folder.
    """

    condition: Condition
    pictures: dict[str, PictureFile]
    unread: dict[str, str]
    unused: Mapping[str, Sequence[str]] = field(default_factory=dict)
    complete: bool = True
    problem: str = ""

    @property
    def skipped(self) -> tuple[str, ...]:
        """Return a sentence for each reason why files are not used. It begins with a path."""
        return tuple(sentence(paths, reason) for reason, paths in self.unused.items())

    def may_hold(self, path: str) -> bool:
        """Return whether there may be a picture at this path. Folders that the scan could not read may hold one."""
        if path in self.pictures or not self.complete:
            return True
        parts = path.split("/")
        return any("/".join(parts[:n]) in self.unread for n in range(1, len(parts) + 1))


def sentence(paths: Sequence[str], reason: str) -> str:
    """Return the sentence about files that are not used for one reason."""
    return f"{list_paths(paths)}: {reason}"


def list_paths(paths: Sequence[str]) -> str:
    """Return the first paths, and the number of the others."""
    shown = ", ".join(paths[:MAX_NAMED_PATHS])
    return f"{shown} and {len(paths) - MAX_NAMED_PATHS} more" if len(paths) > MAX_NAMED_PATHS else shown
