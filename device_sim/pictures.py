"""The pictures that simulated cameras show: files of a folder, or a window that moves over a photograph."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import chain, cycle, islice, repeat
from pathlib import Path

from PIL import Image, ImageOps

from device_sim.errors import SimError
from device_sim.model import Picture

SUFFIXES = {".jpg", ".jpeg"}
FRAMES = Path(__file__).parent / "frames"
# Most pictures of one way of the window. They are made in advance.
MAX_PAN_PICTURES = 1_000

PictureSource = Callable[[int], Iterator[Picture]]
"""A function that returns the endless pictures of a camera by its number. A live source may raise NoNewPicture."""


def rotate_pictures(pictures: Sequence[Picture], start: int, dwell: int = 1) -> Iterator[Picture]:
    """Repeat all pictures endlessly, beginning with number ``start``: each camera begins with a different picture.

    ``dwell``: times that each picture is shown in a row. The cameras change their pictures at different times.
    """
    shown = chain.from_iterable(repeat(picture, dwell) for picture in cycle(pictures))
    return islice(shown, start % len(pictures) * dwell + start % dwell, None)


def load(folder: Path) -> Sequence[Picture]:
    """Return the JPEG files of a folder and of its subfolders, in the order of their names and numbers.

    Raises SimError if the folder cannot be read or has no JPEG files.
    """
    # All files are read in advance, so that reading is not part of any measured time.
    try:
        # ``iterdir`` raises OSError for a folder that cannot be read, and ``rglob`` does not.
        next(folder.iterdir(), None)
        files = sorted((path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES), key=_natural_order)
        pictures = [Picture(str(path.relative_to(folder)), path.read_bytes()) for path in files]
    except OSError as error:
        raise SimError(f"Cannot read the pictures in {folder}: {error.strerror}.") from None
    if not pictures:
        raise SimError(f"There are no pictures (*.jpg) in {folder}.")
    return pictures


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts ``frame_9`` before ``frame_10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def pan(photograph: Path, *, window: float, seconds: float, rate: float) -> Sequence[Picture]:
    """Return the pictures of a window that moves over a photograph once around, in an ellipse.

    ``window``: the share of the photograph's width and height. ``rate``: pictures per second. Raises SimError.
    """
    try:
        with Image.open(photograph) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except OSError as error:
        raise SimError(f"Cannot read the photograph {photograph}: {error}.") from None
    number = min(max(round(seconds * rate), 2), MAX_PAN_PICTURES)
    return [_crop(image, window, step / number) for step in range(number)]


def _crop(image: Image.Image, window: float, turn: float) -> Picture:
    """Return the window after a share of its way."""
    width, height = max(round(image.width * window), 1), max(round(image.height * window), 1)
    left = round((image.width - width) * (1 - math.cos(2 * math.pi * turn)) / 2)
    top = round((image.height - height) * (1 - math.sin(2 * math.pi * turn)) / 2)
    file = BytesIO()
    image.crop((left, top, left + width, top + height)).save(file, "JPEG", quality=90)
    return Picture(f"{left},{top}", file.getvalue())
