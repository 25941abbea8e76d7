"""The pictures that simulated cameras show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from device_sim.errors import SimError
from device_sim.model import Picture

SUFFIXES = {".jpg", ".jpeg"}
FRAMES = Path(__file__).parent / "frames"


def load(folder: Path) -> Sequence[Picture]:
    """Return the JPEG files of a folder, in the order of their names.

    Raises SimError if the folder cannot be read or has no JPEG files.
    """
    # All files are read in advance, so that reading is not part of any measured time.
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        pictures = [Picture(path.name, path.read_bytes()) for path in files]
    except OSError as error:
        raise SimError(f"Cannot read the pictures in {folder}: {error.strerror}.") from None
    if not pictures:
        raise SimError(f"There are no pictures (*.jpg) in {folder}.")
    return pictures
