"""Files of a newer Facegate: how an older one refuses them, and says which version wrote them and what to do.

The file ``version`` in the data folder has the version of the Facegate that last opened all files. An older one is
refused before it writes there, so that the file names the version that made the formats of the others.
"""

from __future__ import annotations

import re
import shlex
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from gateway import __version__
from gateway.errors import StartError
from gateway.files.ownership import invoking_user, user_name
from gateway.files.small_file import read_text, replace_text
from gateway.store.sqlite.sidecars import SIDECARS

VERSION_FILE = "version"
"""The name of the file in the data folder."""

MAX_BYTES = 100

_VERSION = re.compile(r"\d+\.\d+[a-z0-9.+-]*")


class NewerFileError(StartError):
    """A refusal of a file that a newer Facegate wrote. Nothing was changed."""

    def __str__(self) -> str:
        """Return the whole message. It ends with a command, which must not be cut, and quotes no client."""
        return Exception.__str__(self)


def read_format(path: Path) -> int:
    """Return the number of the format of an SQLite file. 0 for a file that is missing, new, or cannot be read."""
    # Another place reports a file that cannot be read. A connection for reading leaves the file as it is.
    with suppress(sqlite3.Error, OSError):
        if path.is_file():
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
                (found,) = db.execute("PRAGMA user_version").fetchone()
                return int(found)
    return 0


def check_format(path: Path, known: int, copies: str = "") -> None:
    """Raise NewerFileError if the format of a file is newer than ``known``.

    ``copies``: a pattern of the names in ``backups`` of the copies that an upgrade makes of the file.
    """
    if (found := read_format(path)) > known:
        raise NewerFileError(f"{_describe(path, found, known)}. {_advise(path, known, copies)}")


def newer_file_message(path: Path, found: int, known: int) -> str:
    """Return the message about a file of a newer format, of which no copy is known."""
    return f"{_describe(path, found, known)}. {_advise(path, known, '')}"


def record_version(data: Path) -> None:
    """Record in the data folder that this version has opened all files."""
    path = data / VERSION_FILE
    # A full disk must not keep the gateway from starting. Only a later message would be less exact.
    with suppress(OSError):
        if _read_writer(data) != __version__:
            replace_text(path, f"{__version__}\n")


def _describe(path: Path, found: int, known: int) -> str:
    return (
        f"{path} was written by a newer Facegate: its format is {found}, and Facegate {__version__} reads formats up to"
        f" {known}"
    )


def _advise(path: Path, known: int, copies: str) -> str:
    writer = f"Facegate {found}" if (found := _read_writer(path.parent)) else "that version"
    copy = max(_readable_copies(path, known, copies), key=lambda each: each.stat().st_mtime, default=None)
    back = ""
    if copy is not None:
        restore = shlex.join(["facegate", "restore", str(copy)])
        command = restore if path.name == "people.sqlite" else _exchange_command(path, copy)
        back = f", or return to the state before its upgrade: `{command}`"
    return f"Nothing was changed. Install {writer} again{back}."


def _exchange_command(path: Path, copy: Path) -> str:
    """Return the command that puts a copy in the place of a file, which stays under another name.

    It runs as the owner of the data folder. It is one program, so that ``sudo`` can be written before it. Also then it
    follows no link that the owner puts in the place of a file. The files keep their owner and mode.
    """
    aside = f"{path.stem}-newer-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}"
    # The log of the newer file must not stay beside the copy: SQLite would write its pages into the copy.
    present = [suffix for suffix in ("", *SIDECARS) if path.with_name(path.name + suffix).exists()]
    steps = [
        ["cd", str(path.parent)],
        *(["mv", "-T", path.name + suffix, aside + suffix] for suffix in present),
        ["cp", "-pT", "--remove-destination", str(copy.relative_to(path.parent)), path.name],
    ]
    return shlex.join([*_as_owner(path.parent), "sh", "-c", " && ".join(map(shlex.join, steps))])


def _as_owner(folder: Path) -> list[str]:
    """Return the words that run a command as the owner of a folder: none if the owner started this process."""
    owner = user_name(folder.stat().st_uid)
    return [] if owner == invoking_user() else ["sudo", "-u", owner]


def _readable_copies(path: Path, known: int, pattern: str) -> Iterator[Path]:
    if pattern:
        for copy in (path.parent / "backups").glob(pattern):
            if 0 < read_format(copy) <= known:
                yield copy


def _read_writer(data: Path) -> str:
    """Return the recorded version, or "" if there is none."""
    with suppress(OSError, ValueError):
        text = read_text(data / VERSION_FILE, MAX_BYTES).strip()
        return text if _VERSION.fullmatch(text) else ""
    return ""
