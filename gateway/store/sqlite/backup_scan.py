"""The files in the folder of backups: an erasure rewrites, deletes or skips each of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from gateway.errors import GatewayError
from gateway.files.closed_folders import exists, is_file, is_folder
from gateway.files.ownership import chown_command, user_name
from gateway.store.sqlite.backup_files import (
    UnreadableError,
    check_readable,
    delete,
    erase_from,
    is_generated_name,
    is_sqlite,
    is_unfinished,
    main_file,
)
from gateway.store.sqlite.live_files import find_linked_live_file, uses_live_file

log = logging.getLogger(__name__)

LOCK_FILE = "lock"

MAX_LISTED_FILES = 3
"""The number of files that one warning lists. The folder may contain thousands."""


def find_warnings(folder: Path) -> tuple[str, ...]:
    """Return warnings about files that an erasure could not rewrite, would delete, or would skip. Raise OSError."""
    if found := obstacles(folder):
        return (f"nobody can be erased: {_first(found)}", *_link_warnings(folder))
    unopened, unreadable = _examine(folder)
    return (
        *([f"nobody can be erased: {_first(unopened)}"] if unopened else ()),
        *(
            f"the backup {path} cannot be read ({reason}): the next erasure deletes it"
            for path, reason in unreadable
            if is_generated_name(path.name)
        ),
        *_skipped_warnings(unreadable),
        *_link_warnings(folder),
    )


def skipped_warnings(folder: Path) -> tuple[str, ...]:
    """Return a warning about files that an erasure skips though they may contain people. Raise OSError."""
    return (*_skipped_warnings(_examine(folder)[1]), *_link_warnings(folder))


def link_sentence(path: Path, folder: Path) -> str | None:
    """Return a sentence about a path in the folder that is a link to a file of the running gateway, else None."""
    live = find_linked_live_file(path, folder.parent)
    if live is None:
        return None
    return f"{path} is a link to {live} itself, not a backup: delete the link, and run `facegate backup`"


def obstacles(folder: Path) -> list[str]:
    """Return sentences about files, or the folder, that this process cannot rewrite. Each says what to do."""
    return [
        f"{path} cannot be rewritten by this process, which runs as the user {user_name(os.geteuid())}:"
        f" {_remedy(folder, path)}"
        for path in _not_writable(folder)
    ]


def erase_from_all(
    folder: Path, slug: str, pictures: Collection[str], destroy_keys: Callable[[Collection[str]], None]
) -> bool:
    """Erase a person from every people store in the folder. Return whether anything was found.

    A backup that cannot be read, or was not completed, is deleted if Facegate generated its name. Any other unreadable
    file is skipped. ``destroy_keys``: called with the uids of the people in a file before the file is changed. Raise
    GatewayError if a file is locked or the disk is full, and OSError.
    """
    found = False
    for path in _entries(folder):
        main = main_file(path)
        if is_unfinished(path.name) or (main and is_generated_name(main.name) and not main.exists()):
            delete(path)
    for path in _files(folder):
        try:
            found = erase_from(path, slug, pictures, destroy_keys) or found
        except UnreadableError as error:
            if is_generated_name(path.name):
                log.warning("deleting the backup %s during an erasure, since it cannot be read: %s", path, error)
                delete(path)
    return found


def _examine(folder: Path) -> tuple[list[str], list[tuple[Path, str]]]:
    """Return sentences about files that SQLite cannot open, and all unreadable files with the reason for each."""
    unopened = []
    # ext4 has a folder lost+found in the root of each disk.
    unreadable = [(path, "a folder") for path in _entries(folder) if is_folder(path) and path.name != "lost+found"]
    for path in _files(folder):
        try:
            check_readable(path)
        except UnreadableError as error:
            unreadable.append((path, str(error)))
        except GatewayError as error:
            unopened.append(f"{error}: move this file away or delete it")
    return unopened, unreadable


def _skipped_warnings(unreadable: Sequence[tuple[Path, str]]) -> tuple[str, ...]:
    found = [f"{path} ({reason})" for path, reason in unreadable if not is_generated_name(path.name)]
    if not found:
        return ()
    more = f" and {len(found) - MAX_LISTED_FILES} more" if len(found) > MAX_LISTED_FILES else ""
    return (
        f"an erasure skips {', '.join(found[:MAX_LISTED_FILES])}{more}, though people may be stored there:"
        " delete it or move it away",
    )


def _link_warnings(folder: Path) -> tuple[str, ...]:
    """Return a warning about links to files of the running gateway. Each erasure and check skips them."""
    found = [sentence for path in _entries(folder) if (sentence := link_sentence(path, folder))]
    return (_first(found),) if found else ()


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if is_folder(folder) else []


def _files(folder: Path) -> Iterator[Path]:
    """Yield each file that may contain people, links included, without SQLite's files beside a database.

    Files of the running gateway are left out, since opening one would drop its locks.
    """
    for path in _entries(folder):
        main = main_file(path)
        beside = main is not None and (main.exists() or is_generated_name(main.name))
        leads_nowhere = path.is_symlink() and not os.path.lexists(os.path.realpath(path))
        # A pipe stores nothing. A file in a folder without permission does not ``exist``, but may be a backup.
        other_kind = exists(path) and not is_file(path)
        if path.name == LOCK_FILE or beside or leads_nowhere or is_unfinished(path.name) or other_kind:
            continue
        if not uses_live_file(path, folder.parent):
            yield path


def _not_writable(folder: Path) -> list[Path]:
    """Return the files that this process cannot rewrite, or the folder itself."""
    if not os.path.lexists(folder):
        return []
    if not is_folder(folder) or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return [folder]
    files = [path for path in _entries(folder) if is_file(path) and not find_linked_live_file(path, folder.parent)]
    return [path for path in files if not _can_rewrite(path)]


def _can_rewrite(path: Path) -> bool:
    """Return whether an erasure could rewrite a file; a file that is not a database only needs to be readable."""
    if not os.access(path, os.R_OK):
        return False
    return os.access(path, os.W_OK) or not (path.name == LOCK_FILE or is_generated_name(path.name) or is_sqlite(path))


def _remedy(folder: Path, obstacle: Path) -> str:
    """Return what a person can do about an obstacle."""
    # ``isdir`` is also False for a link into a folder without permission
    if not is_folder(folder):
        return f"{folder} should be a folder: move it away"
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return "its disk is mounted read-only"
    if obstacle.stat().st_uid == os.geteuid():
        return f"run `chmod -R u+rwX {folder}`"
    return f"run `{chown_command(folder, folder.parent)}`"


def _first(sentences: Sequence[str]) -> str:
    return sentences[0] if len(sentences) == 1 else f"{sentences[0]} (and {len(sentences) - 1} more)"
