"""The names that senders give to their files, for messages."""

from __future__ import annotations

import re

MAX_SHOWN_CHARACTERS = 64

_SEPARATOR = re.compile(r"[/\\]")


def shown_file_name(name: str | None) -> str:
    """Return the name of a file for a message: without folders and control characters, and not too long.

    Return "" if nothing is left.
    """
    # Old browsers send the whole path on the sender's disk.
    last = _SEPARATOR.split(name or "")[-1]
    shown = "".join(each for each in last if each.isprintable()).strip()
    return shown if len(shown) <= MAX_SHOWN_CHARACTERS else shown[: MAX_SHOWN_CHARACTERS - 1] + "…"
