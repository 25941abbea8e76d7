"""Small files that the gateway writes for itself and can do without: a damaged one is set aside, never deleted."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from gateway.errors import StartError

log = logging.getLogger(__name__)

T = TypeVar("T")


class FileContent(NamedTuple, Generic[T]):
    """``value``: None where there is no file, or none that can be used; ``warnings``: sentences about the latter."""

    value: T | None
    warnings: tuple[str, ...] = ()


def read_or_set_aside(path: Path, parse: Callable[[str], T], *, max_bytes: int, loss: str) -> FileContent[T]:
    """Return what ``parse`` makes of the text, which raises ValueError for a damaged one. ``loss``: what is lost then.

    Raises StartError where a damaged file cannot be set aside.
    """
    try:
        return FileContent(parse(read_text(path, max_bytes)))
    except FileNotFoundError:
        return FileContent(None)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        aside = set_aside(path)
        sentence = f"{path} could not be used ({reason}): it is {aside.name} now, and {loss}."
        log.warning("%s", sentence)
        return FileContent(None, (sentence,))


def read_text(path: Path, max_bytes: int) -> str:
    """Return the text of a regular file. Raises OSError, or ValueError for any other kind, content or size."""
    # Before it is opened: a pipe would wait for its writer.
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is not a file")
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"it has more than {max_bytes} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None


def replace_text(path: Path, text: str) -> None:
    """Write the file in one step: a kill leaves the old one or the new one. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    if new.is_dir():
        set_aside(new)
    new.write_text(text)
    new.replace(path)


def aside_path(path: Path) -> Path:
    """Return a new name beside it, with the time."""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    while os.path.lexists(aside):
        aside = aside.with_name(f"{aside.name}x")
    return aside


def set_aside(path: Path) -> Path:
    """Rename it, so that a new one can be made, and return its new path. Raises StartError."""
    aside = aside_path(path)
    try:
        path.rename(aside)
    except OSError as error:
        raise StartError(
            f"{path} cannot be used, and not be renamed either ({error.strerror}): move it away, and let the user of"
            " the gateway write in its folder."
        ) from None
    return aside
