"""One owner for everything below the data folder: a command that root runs must not lock the gateway out.

A gateway that runs as its own user can neither rewrite nor delete what root made beside it, so that an erasure would
fail. Root therefore gives each new file to the owner of the folder around it. Any other user is refused.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.errors import StartError

ROOT = 0
"""The user id that may change owners."""


@contextmanager
def one_owner(data: Path) -> Iterator[None]:
    """Give everything below ``data`` to its owner, on entering and on leaving. Raise StartError for a wrong user."""
    check_owner(data)
    hand_over(data)
    try:
        yield
    finally:
        hand_over(data)


def check_owner(data: Path) -> None:
    """Raise StartError unless this process runs as the owner of the data folder, or as root."""
    try:
        owner = data.stat().st_uid
    except FileNotFoundError:
        return
    except OSError as error:
        raise StartError(f"The data folder {data} cannot be used: {error.strerror}.") from None
    if os.geteuid() not in (ROOT, owner):
        raise StartError(_wrong_user(data, owner))


def hand_over(data: Path) -> None:
    """Give everything below the folder to the folder's owner, if root runs this. Raise StartError.

    Symbolic links are not followed, and a file with several names is left alone: the owner of the folder could
    otherwise make root give away any file of the machine.
    """
    if os.geteuid() != ROOT or not data.is_dir():
        return
    owner = data.stat()
    try:
        for _, folders, files, folder in os.fwalk(data.resolve()):
            for name in (*folders, *files):
                _give(name, owner, folder)
    except OSError as error:
        name = user_name(owner.st_uid)
        raise StartError(
            f"The files in {data} cannot be given to its owner ({error}): run it as `sudo -u '{name}' facegate ...`."
        ) from None


def keep_owner(path: Path) -> None:
    """Give a new file or folder to the owner of the folder around it, if root runs this. Raise OSError."""
    if os.geteuid() == ROOT:
        _give(str(path), path.parent.stat())


def user_name(uid: int) -> str:
    """The name of a user, or the number in the form that sudo understands."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def give_back(path: Path, data: Path) -> str:
    """The command that gives a file below the data folder back to its owner."""
    return f"sudo chown -R {user_name(data.stat().st_uid).lstrip('#')}: {path}"


def _give(name: str, owner: os.stat_result, folder: int | None = None) -> None:
    """``folder``: the open folder in which the name is looked up."""
    # a gateway beside this process may delete files meanwhile
    with suppress(FileNotFoundError):
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        several_names = stat.S_ISREG(found.st_mode) and found.st_nlink > 1
        if found.st_uid != owner.st_uid and not several_names:
            os.chown(name, owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)


def _wrong_user(data: Path, owner: int) -> str:
    name, me = user_name(owner), user_name(os.geteuid())
    return (
        f"The data folder {data} belongs to the user {name}, and this is {me}: "
        f"run it as `sudo -u '{name}' facegate ...`, or give the folder away with `sudo chown -R {me}: {data}`."
    )
