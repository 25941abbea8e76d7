"""Sentences in the log and in /readyz about problems of the folder of known people that a user has to solve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.logs import escape
from gateway.people.folder.recent_removals import RECENT_WINDOW_S
from gateway.people.folder.scan import FolderScan, list_paths, sentence
from gateway.store.records import FOLDER_PREFIX, Loss

Hides = Callable[[str], bool]
"""Function that returns whether a path in the folder must not be shown, since it names a person who was removed."""


def hidden_sentence(count: int, reason: str) -> str:
    """Return the sentence about files that are not used for one reason, without their paths."""
    files = "1 file" if count == 1 else f"{count} files"
    return f"{files} of people who were removed {'is' if count == 1 else 'are'} not used: {reason}"


def skipped_sentences(unused: Mapping[str, Sequence[str]], hides: Hides) -> list[str]:
    """Return a sentence for each reason why files are not used.

    ``unused``: by reason, the paths of these files in the folder.
    """
    found = []
    for reason, paths in unused.items():
        shown = [path for path in paths if not hides(path)]
        if shown:
            found.append(sentence([FOLDER_PREFIX + path for path in shown], reason))
        if len(paths) > len(shown):
            found.append(hidden_sentence(len(paths) - len(shown), reason))
    return found


def folder_warnings(folder: Path, scan: FolderScan, held: Loss | None, hides: Hides) -> tuple[str, ...]:
    """Return a sentence about a removal that is held back, and one about files that were not read."""
    unread = _unread_sentence(folder, scan, hides)
    if held is None:
        return (unread,) if unread else ()
    first = (
        f"{_state(folder, scan)}: {len(held.affected)} of {held.total} people from it are kept although their pictures"
        " are not there. Put the pictures back, or run `facegate people confirm-removal` to remove these people"
    )
    return (first, unread) if unread and scan.condition not in ("missing", "unreadable") else (first,)


def _state(folder: Path, scan: FolderScan) -> str:
    """Return what is wrong with the folder."""
    shown = escape(str(folder))
    match scan.condition:
        case "missing":
            return f"the folder {shown} does not exist"
        case "empty":
            return f"the folder {shown} has no pictures of people in it"
        case "unreadable":
            return f"the folder {shown} cannot be used: {scan.problem}"
        case _:
            minutes = round(RECENT_WINDOW_S / 60)
            return f"the pictures of more than half of the people in {shown} were removed within {minutes} minutes"


def _unread_sentence(folder: Path, scan: FolderScan, hides: Hides) -> str:
    if scan.condition in ("missing", "unreadable"):
        return f"{_state(folder, scan)}: nobody is imported from it. Put the folder there, or correct people.folder"
    if not scan.complete:
        return f"the folder {escape(str(folder))} has too many files: {scan.skipped[-1]}"
    if not scan.unread:
        return ""
    shown = [path for path in scan.unread if not hides(path)]
    if not shown:
        return hidden_sentence(len(scan.unread), next(iter(scan.unread.values())))
    was = "was" if len(shown) == 1 else "were"
    paths, reason = list_paths([FOLDER_PREFIX + path for path in shown]), scan.unread[shown[0]]
    return f"{paths} {was} not read: {reason}. People who were enrolled from there stay enrolled"
