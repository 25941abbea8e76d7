"""What the log and /readyz say of a folder of known people that needs somebody's attention."""

from __future__ import annotations

from pathlib import Path

from gateway.logs import escape
from gateway.people.folder_scan import FolderScan
from gateway.people.removal_guard import Loss
from gateway.people.store import KNOWN_FACES


def folder_warnings(folder: Path, scan: FolderScan, held: Loss | None) -> tuple[str, ...]:
    """Return a sentence for a removal that is held back, and one for what was not read."""
    unread = _unread(folder, scan)
    if held is None:
        return (unread,) if unread else ()
    first = (
        f"{_state(folder, scan)}: {len(held.affected)} of {held.total} people from it are kept although their pictures"
        " are not there. Put the pictures back, or run 'facegate people confirm-removal' to remove these people"
    )
    return (first, unread) if unread and scan.condition != "unreadable" else (first,)


def _state(folder: Path, scan: FolderScan) -> str:
    shown = escape(str(folder))
    match scan.condition:
        case "missing":
            return f"the folder {shown} does not exist"
        case "empty":
            return f"the folder {shown} has no pictures of people in it"
        case "unreadable":
            return f"the folder {shown} cannot be used: {scan.problem}"
        case _:
            return f"the pictures of more than half of the people in {shown} are gone"


def _unread(folder: Path, scan: FolderScan) -> str:
    if scan.condition == "unreadable":
        return _state(folder, scan)
    if not scan.complete:
        return f"the folder {escape(str(folder))} has too many files: {scan.skipped[-1]}"
    if not scan.unread:
        return ""
    path, reason = next(iter(scan.unread.items()))
    more = f", and {len(scan.unread) - 1} more" if len(scan.unread) > 1 else ""
    return f"{KNOWN_FACES}{path} was not read{more}: {reason}. People who are known from there stay known"
