"""One owner for everything below the data folder: root goes on as that user, and any other user is refused.

The owner of a folder can lay links in it at any moment. Root would follow them to any file of the machine, and files
that root makes lock the gateway out. As the owner, a process can touch only what the owner may touch anyway.
"""

from __future__ import annotations

import logging
import os
import pwd
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from gateway.errors import StartError

log = logging.getLogger(__name__)

ROOT = 0
"""The user id that may become any other user."""

_started_by: list[int] = []
"""The user who started this process, once it goes on as another one."""


def become_owner(data: Path) -> None:
    """Go on as the owner of the data folder for good, if root runs this. Raise StartError for any other user.

    A folder that is not there yet, or that is root's, changes nothing.
    """
    folder = _look_up(data)
    if folder is None or folder.st_uid == os.geteuid():
        return
    if os.geteuid() != ROOT:
        raise StartError(_wrong_user(data, folder.st_uid))
    _check_link(data, folder.st_uid)
    _become(data, folder)
    # a folder above may be closed to the owner
    _look_up(data)


def invoking_user() -> str:
    """Return the name of the user who started this process, whoever it goes on as."""
    return user_name(_started_by[0] if _started_by else os.getuid())


def user_name(uid: int) -> str:
    """Return the name of a user, or the number in the form that sudo understands."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def chown_command(path: Path, data: Path) -> str:
    """Return the command that gives a file below the data folder back to its owner."""
    return f"sudo chown -R {user_name(data.stat().st_uid).lstrip('#')}: {path}"


def permission_hint(error: Exception) -> str:
    """Return which user was refused a file that a command names, and what to do; nothing for another error."""
    if not isinstance(error, PermissionError):
        return ""
    user = user_name(os.geteuid())
    owner = ", who owns the data folder and whom root became" if _started_by else ""
    return f" as the user {user}{owner}: use a folder that this user may read and write"


def check_python() -> None:
    """Raise StartError if this process may not start Python again, which its worker processes need."""
    # it was there when root started it
    if _started_by and not os.access(sys.executable, os.X_OK):
        user = user_name(os.geteuid())
        raise StartError(
            f"{sys.executable} may not be run by the user {user}, who owns the data folder and whom root became:"
            f" install Facegate where {user} can read it, for example in /opt/facegate."
        )


def open_lock(path: Path) -> BinaryIO:
    """Open a file that is only locked, never written. Raise OSError, also for a link."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "rb", buffering=0)


def _look_up(data: Path) -> os.stat_result | None:
    """Return None for a folder that is not there. Raise StartError."""
    try:
        return data.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StartError(f"The data folder {data} cannot be used{permission_hint(error)} ({error.strerror}).") from None


def _check_link(data: Path, owner: int) -> None:
    """Raise StartError for a link of a third user, who would choose whose folder it is."""
    link = data.lstat()
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in (ROOT, owner):
        raise StartError(
            f"The data folder {data} is a link of the user {user_name(link.st_uid)} to a folder of"
            f" {user_name(owner)}: name that folder itself in the configuration (data)."
        )


def _become(data: Path, folder: os.stat_result) -> None:
    """Take over the user id and the groups of the folder's owner, in such an order that each step is still allowed."""
    owner = folder.st_uid
    try:
        try:
            user = pwd.getpwuid(owner)
        except KeyError:
            os.setgroups([])
            os.setgid(folder.st_gid)
        else:
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(user.pw_gid)
        # of root these set the real, the effective and the saved one
        os.setuid(owner)
    except OSError as error:
        raise StartError(
            f"The data folder {data} belongs to the user {user_name(owner)}, and this process of root cannot become"
            f" that user ({error.strerror}): {_as_owner(owner)}, or, in a container, start it with `--user {owner}`"
            " or allow it SETUID and SETGID."
        ) from None
    _started_by.append(ROOT)
    log.info("the data folder %s belongs to the user %s: root goes on as that user", data, user_name(owner))


def _wrong_user(data: Path, owner: int) -> str:
    me = user_name(os.geteuid())
    return (
        f"The data folder {data} belongs to the user {user_name(owner)}, and this is {me}: "
        f"{_as_owner(owner)}, or give the folder away with `sudo chown -R {me}: {data}`."
    )


def _as_owner(owner: int) -> str:
    return f"run it as `sudo -u '{user_name(owner)}' facegate ...`"
