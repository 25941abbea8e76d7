"""The protocol of the notes between processes."""

from __future__ import annotations

from typing import Protocol


class Notes(Protocol):
    """Short texts by which the processes on one store communicate."""

    def read_note(self, name: str) -> str | None:
        """Return a note, if there is one."""

    def write_note(self, name: str, value: str | None) -> None:
        """Write a note; None deletes it."""

    def read_notes(self, prefix: str) -> list[tuple[str, str]]:
        """Return the names and the texts of the notes whose names begin with a prefix, in the order of their names."""

    def take_notes(self, prefix: str) -> list[str]:
        """Delete the notes whose names begin with a prefix. Return them in the order of their names."""
