"""The conversion of dlib's networks before the worker processes start."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

from gateway.errors import StartError
from gateway.vision.engines.conversion import INSTALLATION, converted_models_folder, damaged_files
from gateway.workers.environment import process_environment, python_command

log = logging.getLogger(__name__)

CONVERSION_TIMEOUT_S = 600
"""Longest time for the conversion. It takes about two seconds, but much longer on a Raspberry Pi with a slow card."""


def ensure_converted(data: Path) -> Path:
    """Return the folder of intact converted networks. Convert them into the data folder if there are none yet.

    Raises StartError.
    """
    installed = converted_models_folder(INSTALLATION)
    if installed.exists():
        wrong = damaged_files(installed)
        if not wrong:
            return installed
        log.warning("the converted models of the installation, %s, are damaged (%s)", installed, ", ".join(wrong))
    # The conversion runs in a process of its own, so that the gateway's process never loads OpenVINO.
    folder = converted_models_folder(data)
    wrong = damaged_files(folder)
    if not wrong:
        return folder
    if folder.exists():
        log.warning("the converted models in %s are damaged (%s) and are converted again", folder, ", ".join(wrong))
    command = [*python_command("gateway.vision.engines.conversion"), str(folder)]
    try:
        failed = subprocess.run(command, timeout=CONVERSION_TIMEOUT_S, env=process_environment()).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartError(f"The models could not be converted: {error}.") from None
    if failed or damaged_files(folder):
        raise StartError(f"The models could not be converted into {folder}: see the messages above.")
    return folder
