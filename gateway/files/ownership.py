"""The owner of the data folder: the only user who may run the gateway on it. A process of root becomes this user.

The owner of a folder can create symbolic links in it at any moment. Root would follow them to any file of the machine.
Files that root creates would be closed to the gateway. A process that runs as the owner has neither problem.
"""

from __future__ import annotations

import logging
import os
import pwd
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from gateway.errors import StartError

log = logging.getLogger(__name__)

ROOT = 0
"""The user id that may become any other user."""

MAX_FOREIGN_FILES = 3
MAX_WALKED_FILES = 100_000
"""The files below the data folder that are looked at: more than all limits of settings allow by default."""

_started_by: list[int] = []
"""The user who started this process, after it became another user."""


def become_owner(data: Path) -> None:
    """Become the owner of the data folder permanently, if root runs this process. Raise StartError for other users.

    Nothing changes if the folder does not exist yet, or belongs to the present user.
    """
    folder = _look_up(data)
    if folder is None or folder.st_uid == os.geteuid():
        return
    if not is_root():
        raise StartError(_wrong_user(data, folder.st_uid))
    _check_link(data, folder.st_uid)
    _become(data, folder)
    # A folder above it may be closed to the owner.
    _look_up(data)


def is_root() -> bool:
    """Return whether root runs this process."""
    return os.geteuid() == ROOT


def invoking_user() -> str:
    """Return the name of the user who started this process, even after it became another user."""
    return user_name(_started_by[0] if _started_by else os.getuid())


def user_name(uid: int) -> str:
    """Return the name of a user, or the number in the form that sudo understands."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def chown_command(path: Path, data: Path) -> str:
    """Return a command that makes the owner of the data folder the owner of a file below it."""
    return f"sudo chown -R {user_name(data.stat().st_uid).lstrip('#')}: {path}"


def find_foreign_files(data: Path, skipped: Path) -> list[Path]:
    """Return files and folders below the data folder that another user owns, at most MAX_FOREIGN_FILES.

    Files below ``skipped``, and those that this process cannot see, are left out.
    """
    found: list[Path] = []
    with suppress(OSError):
        owner, seen = data.stat().st_uid, 0
        for folder, folders, files in os.walk(data):
            folders[:] = [name for name in folders if Path(folder, name) != skipped]
            for path in sorted({Path(folder, name) for name in (*folders, *files)} - {skipped}):
                seen += 1
                with suppress(OSError):
                    found += [path] if path.lstat().st_uid != owner else []
                if len(found) == MAX_FOREIGN_FILES or seen == MAX_WALKED_FILES:
                    return found
    return found


def permission_hint(error: Exception) -> str:
    """Return the user whom a PermissionError refused, and what to do, to end a message. Return "" for other errors."""
    return f"{_refused_user(error)}: use a folder that this user may read and write" if _refused_user(error) else ""


def reading_hint(error: Exception) -> str:
    """Return the end of a message as ``permission_hint`` does, for a file that is only read."""
    return f"{_refused_user(error)}: let this user read the file" if _refused_user(error) else ""


def _refused_user(error: Exception) -> str:
    if not isinstance(error, PermissionError):
        return ""
    owner = " (root became this user, the owner of the data folder)" if _started_by else ""
    return f" as the user {user_name(os.geteuid())}{owner}"


def check_python() -> None:
    """Raise StartError if this process may not start Python, which its worker processes need."""
    # Root could run it when it started this process.
    if _started_by and not os.access(sys.executable, os.X_OK):
        user = user_name(os.geteuid())
        raise StartError(
            f"The user {user} owns the data folder, so this process now runs as {user}, but may not run"
            f" {sys.executable}:"
            f" install Facegate where {user} can read it, for example in /opt/facegate."
        )


def open_lock(path: Path) -> BinaryIO:
    """Open a file that is locked and never written. Raise OSError, also for a symbolic link."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "rb", buffering=0)


def _look_up(data: Path) -> os.stat_result | None:
    """Return the state of the folder, or None if it does not exist. Raise StartError."""
    try:
        return data.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StartError(f"The data folder {data} cannot be used{permission_hint(error)} ({error.strerror}).") from None


def _check_link(data: Path, owner: int) -> None:
    """Raise StartError for a symbolic link of a third user, who could choose the owner by changing the link."""
    link = data.lstat()
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in (ROOT, owner):
        raise StartError(
            f"The data folder {data} is a link of the user {user_name(link.st_uid)} to a folder of"
            f" {user_name(owner)}: name that folder itself in the setting data."
        )


def _become(data: Path, folder: os.stat_result) -> None:
    """Take over the groups and the user id of the folder's owner."""
    owner = folder.st_uid
    try:
        # The user id comes last: afterwards this process may not change its groups.
        try:
            user = pwd.getpwuid(owner)
        except KeyError:
            os.setgroups([])
            os.setgid(folder.st_gid)
        else:
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(user.pw_gid)
        # For root this sets the real, the effective and the saved user id.
        os.setuid(owner)
    except OSError as error:
        raise StartError(
            f"The data folder {data} belongs to the user {user_name(owner)}, and root cannot become"
            f" that user ({error.strerror}): {_as_owner(owner)}, or, in a container, start it with `--user {owner}`"
            " or allow it SETUID and SETGID."
        ) from None
    _started_by.append(ROOT)
    log.info("the data folder %s belongs to the user %s: the gateway now runs as that user", data, user_name(owner))


def _wrong_user(data: Path, owner: int) -> str:
    me = user_name(os.geteuid())
    return (
        f"The data folder {data} belongs to the user {user_name(owner)}, and this process runs as {me}: "
        f"{_as_owner(owner)}, or give the folder away with `sudo chown -R {me}: {data}`."
    )


def _as_owner(owner: int) -> str:
    return f"run it as `sudo -u '{user_name(owner)}' facegate ...`"
