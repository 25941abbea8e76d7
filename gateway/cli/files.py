"""Files that a command reads or writes because the user named them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from gateway.errors import BadRequest, GatewayError
from gateway.files.closed_folders import exists
from gateway.files.ownership import permission_hint, reading_hint


class OutputFile(click.Path):
    """The type of an argument that names a file to write: a new file in an existing folder, or a regular file.

    The value is a Path without a symbolic link at its end.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        # A Path drops the slash: a file would be created although a folder was meant.
        if str(value).endswith(os.sep):
            self.fail(f"{value} names a folder: add the name of a file", param, ctx)
        try:
            obstacle = _find_obstacle(path)
        # A loop of links is a RuntimeError before Python 3.13.
        except (OSError, RuntimeError) as error:
            obstacle = f"it cannot be used ({getattr(error, 'strerror', None) or error})"
        if obstacle:
            self.fail(f"{value}: {obstacle}", param, ctx)
        return path.resolve() if path.is_symlink() else path


def _find_obstacle(path: Path) -> str:
    """Return why no file can be written at the path, or "" if one can. Raise OSError and RuntimeError."""
    target = path.resolve()
    if os.path.lexists(target) and not target.is_file():
        return "it is not a regular file: name a regular file, or one that does not exist yet"
    if not target.parent.is_dir():
        return f"the folder {target.parent} does not exist: create it first"
    return ""


@contextmanager
def explain_read_errors(path: Path) -> Iterator[None]:
    """Turn an OSError about a file that the user named into a BadRequest with a message for the user."""
    try:
        yield
    except OSError as error:
        hint = ": name an existing file" if isinstance(error, FileNotFoundError) else reading_hint(error)
        raise BadRequest(f"{path} cannot be read: {error.strerror or error}{hint}") from None


def read_named(path: Path) -> bytes:
    """Return the content of a file. Raise BadRequest."""
    with explain_read_errors(path):
        return path.read_bytes()


def write_named(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read. If that fails, an existing file stays. Raise GatewayError."""
    try:
        _replace(path, content)
    except OSError as error:
        raise GatewayError(f"{path} cannot be used: {error.strerror or error}{permission_hint(error)}") from None


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".facegate-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise


def check_outside(path: Path, data: Path) -> None:
    """Raise BadRequest for a file directly in the data folder: it could replace a file of the gateway."""
    if path.resolve().parent == data.resolve():
        raise BadRequest(f"{path} is in the gateway's data folder: name a file in {data / 'backups'}, or outside")


def note_replacement(file: Path) -> str:
    """Return the end of a sentence that says whether writing the file replaces an existing one."""
    # The write that follows reports a closed folder.
    return ", replacing the existing file" if exists(file) else ""
