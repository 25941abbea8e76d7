"""The faults that ``run`` refuses before it opens anything, and ``check-config`` refuses too."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.config import Settings
from gateway.config.named_files import check_files
from gateway.errors import ConfigError
from gateway.people.wiring import cipher


def check_settings(settings: Settings) -> None:
    """Raise ConfigError, and StartError, for files that cannot be used, a key that is none, and data that is no folder.

    Nothing is made or changed.
    """
    check_files(settings)
    cipher(settings)
    _check_folder(settings.data)


def _check_folder(data: Path) -> None:
    path = data.absolute()
    there = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if not os.path.isdir(there):  # noqa: PTH112 (Path.is_dir raises for a folder that may not be read)
        raise ConfigError(f"data: {data} cannot be used: {there} is not a folder.")
