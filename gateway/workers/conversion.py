"""Sees to it that the workers find dlib's networks converted."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from gateway.errors import StartError
from gateway.vision.engines.conversion import converted_models_folder, damaged_files

log = logging.getLogger(__name__)

CONVERT_S = 600
"""It takes about two seconds; a Raspberry Pi with a slow card is given much more."""


def ensure_converted(data: Path) -> Path:
    """The folder of the networks, converted once into the data folder, and again if one is damaged.

    In a process of its own: the gateway never needs the library that does it. Raises StartError.
    """
    folder = converted_models_folder(data)
    wrong = damaged_files(folder)
    if not wrong:
        return folder
    if folder.exists():
        log.warning("the converted models in %s are damaged (%s) and are made again", folder, ", ".join(wrong))
    command = [sys.executable, "-m", "gateway.vision.engines.conversion", str(folder)]
    try:
        failed = subprocess.run(command, timeout=CONVERT_S).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartError(f"The models could not be converted: {error}.") from None
    if failed or damaged_files(folder):
        raise StartError(f"The models could not be converted into {folder}; the reason stands above.")
    return folder
