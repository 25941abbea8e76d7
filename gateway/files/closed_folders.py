"""Checks of paths that return False, and raise no error, in folders that this user may not open."""

from __future__ import annotations

import os
from pathlib import Path

# The methods of Path raise PermissionError there before Python 3.14.


def exists(path: Path) -> bool:
    """Return whether the path, or the target of its link, exists and can be seen."""
    return os.path.exists(path)  # noqa: PTH110


def is_folder(path: Path) -> bool:
    """Return whether the path is a folder, or a link to one, and can be seen."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: Path) -> bool:
    """Return whether the path is a regular file, or a link to one, and can be seen."""
    return os.path.isfile(path)  # noqa: PTH113
