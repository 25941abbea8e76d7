"""The files in the folder of backups: what an erasure can rewrite, what it deletes, and what it leaves alone."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from gateway.errors import GatewayError
from gateway.files.ownership import chown_command, user_name
from gateway.store.sqlite.backup_files import (
    UnreadableError,
    check_readable,
    delete,
    erase_from,
    is_ours,
    is_sqlite,
    is_unfinished,
    main_file,
)

log = logging.getLogger(__name__)

LOCK = "lock"

MAX_NAMED = 3
"""Files that one sentence names. Any user of the folder can put thousands into it."""


def find_warnings(folder: Path) -> tuple[str, ...]:
    """Return sentences about what an erasure would fail at, delete, or leave alone. Raise OSError."""
    if found := obstacles(folder):
        return (f"nobody can be erased: {_first(found)}",)
    unopened, unreadable = _examine(folder)
    return (
        *([f"nobody can be erased: {_first(unopened)}"] if unopened else ()),
        *(
            f"the backup {path} cannot be read ({reason}), and the next erasure deletes it"
            for path, reason in unreadable
            if is_ours(path.name)
        ),
        *_not_looked_into(unreadable),
    )


def left_alone(folder: Path) -> tuple[str, ...]:
    """Return a sentence about what an erasure does not look into, though it may hold people. Raise OSError."""
    return _not_looked_into(_examine(folder)[1])


def obstacles(folder: Path) -> list[str]:
    """Return sentences about the folder, or the files in it, that this process can't rewrite, and what to do."""
    return [
        f"{path} cannot be rewritten by this process, which runs as the user {user_name(os.geteuid())}:"
        f" {_mend(folder, path)}"
        for path in _not_ours_to_write(folder)
    ]


def erase_from_all(folder: Path, slug: str, pictures: Collection[str]) -> bool:
    """Erase a person from every people store in the folder. Return whether there was anything of them.

    A backup with a name of ours that cannot be read any more, or was never finished, is deleted; any other file that
    cannot be read is left alone. Raises GatewayError if a file is busy or the disk is full, and OSError.
    """
    found = False
    for path in _entries(folder):
        main = main_file(path)
        if is_unfinished(path.name) or (main and is_ours(main.name) and not main.exists()):
            delete(path)
    for path in _files(folder):
        try:
            found = erase_from(path, slug, pictures) or found
        except UnreadableError as error:
            if is_ours(path.name):
                log.warning("the backup %s cannot be read (%s), and is deleted: somebody was to be erased", path, error)
                delete(path)
    return found


def _examine(folder: Path) -> tuple[list[str], list[tuple[Path, str]]]:
    """Return sentences about files that SQLite does not open, and what cannot be read, with the reason for each."""
    unopened = []
    # ext4 has a folder of this name in the root of each disk
    unreadable = [
        (path, "a folder")
        for path in _entries(folder)
        if os.path.isdir(path) and path.name != "lost+found"  # noqa: PTH112
    ]
    for path in _files(folder):
        try:
            check_readable(path)
        except UnreadableError as error:
            unreadable.append((path, str(error)))
        except GatewayError as error:
            unopened.append(f"{error}: move this file away or delete it")
    return unopened, unreadable


def _not_looked_into(unreadable: Sequence[tuple[Path, str]]) -> tuple[str, ...]:
    found = [f"{path} ({reason})" for path, reason in unreadable if not is_ours(path.name)]
    if not found:
        return ()
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return (
        f"not looked into: {', '.join(found[:MAX_NAMED])}{more}:"
        " an erasure leaves that alone, though it may hold the person: delete it or move it away",
    )


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if os.path.isdir(folder) else []  # noqa: PTH112


def _files(folder: Path) -> Iterator[Path]:
    """Each file that may hold people, also behind a link; not what SQLite keeps beside one."""
    for path in _entries(folder):
        main = main_file(path)
        beside = main is not None and (main.exists() or is_ours(main.name))
        leads_nowhere = path.is_symlink() and not os.path.lexists(os.path.realpath(path))
        # nothing stays in a pipe; a file in a folder that is closed to us may be a backup, and does not exist here
        other_kind = os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113
        if path.name == LOCK or beside or leads_nowhere or is_unfinished(path.name) or other_kind:
            continue
        yield path


def _not_ours_to_write(folder: Path) -> list[Path]:
    """Without a folder there are none."""
    if not os.path.lexists(folder):
        return []
    if not os.path.isdir(folder) or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):  # noqa: PTH112
        return [folder]
    return [path for path in _entries(folder) if os.path.isfile(path) and not _can_rewrite(path)]  # noqa: PTH113


def _can_rewrite(path: Path) -> bool:
    """A file that is no backup need not be written."""
    if not os.access(path, os.R_OK):
        return False
    return os.access(path, os.W_OK) or not (path.name == LOCK or is_ours(path.name) or is_sqlite(path))


def _mend(folder: Path, obstacle: Path) -> str:
    """Return what makes an obstacle go away."""
    # a link into a folder that is closed to us is no folder either
    if not os.path.isdir(folder):  # noqa: PTH112
        return f"move {folder} away, where a folder should be"
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return "its disk is mounted read-only"
    if obstacle.stat().st_uid == os.geteuid():
        return f"run `chmod -R u+rwX {folder}`"
    return f"run `{chown_command(folder, folder.parent)}`"


def _first(sentences: Sequence[str]) -> str:
    return sentences[0] if len(sentences) == 1 else f"{sentences[0]} (and {len(sentences) - 1} more)"
