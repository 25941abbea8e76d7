"""Small files that the gateway writes for itself and can replace. A damaged file is renamed, never deleted."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from gateway.errors import StartError

log = logging.getLogger(__name__)

T = TypeVar("T")


# Not a NamedTuple: Python 3.10 does not allow a generic one.
@dataclass(frozen=True, slots=True)
class FileContent(Generic[T]):
    """The content of a file. ``value``: None if it is missing or damaged. ``warnings``: sentences about damage."""

    value: T | None
    warnings: tuple[str, ...] = ()


def read_or_set_aside(path: Path, parse: Callable[[str], T], *, max_bytes: int, loss: str) -> FileContent[T]:
    """Return the parsed content of a file. A damaged file is set aside with a warning.

    ``parse``: raises ValueError for damaged text. ``loss``: the consequence of the damage, for the warning. Raise
    StartError if a damaged file cannot be set aside.
    """
    try:
        return FileContent(parse(read_text(path, max_bytes)))
    except FileNotFoundError:
        return FileContent(None)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        aside = set_aside(path)
        sentence = f"{path} is damaged ({reason}): it was renamed to {aside.name}, and {loss}."
        log.warning("%s", sentence)
        return FileContent(None, (sentence,))


def read_text(path: Path, max_bytes: int) -> str:
    """Return the text of a regular file. Raise OSError, or ValueError for another kind of file, content or size."""
    # This comes before the file is opened: a pipe would wait for its writer.
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is not a regular file")
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"it has more than {max_bytes} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None


def replace_text(path: Path, text: str) -> None:
    """Replace the file in one step: a crash leaves the old text or the new one. Raise OSError."""
    new = path.with_name(f"{path.name}.new")
    if new.is_dir():
        set_aside(new)
    new.write_text(text)
    new.replace(path)


def aside_path(path: Path) -> Path:
    """Return an unused path beside the file, with the time in its name."""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    while os.path.lexists(aside):
        aside = aside.with_name(f"{aside.name}x")
    return aside


def set_aside(path: Path) -> Path:
    """Rename the file, so that a new one can be written, and return its new path. Raise StartError."""
    aside = aside_path(path)
    try:
        path.rename(aside)
    except OSError as error:
        raise StartError(
            f"{path} cannot be used, and it cannot be renamed ({error.strerror}): move it away, and allow the user of"
            " the gateway to write in its folder."
        ) from None
    return aside
