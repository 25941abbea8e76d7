"""Checks of the settings by ``run``, before it opens anything, and by ``check-config``."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.config import Settings
from gateway.config.named_files import check_files
from gateway.errors import ConfigError
from gateway.files.closed_folders import is_folder
from gateway.people.wiring import cipher
from gateway.vision.engines.recogniser import recogniser_of
from gateway.vision.engines.requirements import check_requirements


def check_settings(settings: Settings) -> None:
    """Raise ConfigError or StartError for an engine that this machine cannot run, unusable files and an invalid key.

    A data folder that is a file is refused too. Nothing is created or changed.
    """
    check_requirements(settings)
    check_files(settings)
    cipher(settings)
    recogniser_of(settings)
    _check_folder(settings.data)


def _check_folder(data: Path) -> None:
    path = data.absolute()
    existing = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if not is_folder(existing):
        raise ConfigError(f"data: {data} cannot be used: {existing} is not a folder.")
