"""The pixels of a WebP file.

OpenCV has libwebp write the pixels where they are needed. Pillow holds three more copies of them: 390 instead of 160 MB
for a picture of 25 megapixels, which have the same values.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_MODE = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


def webp_pixels(data: bytes) -> NDArray[np.uint8] | None:
    """Return the first picture, (height, width, 3), uint8, in the order red, green, blue. None for a damaged file."""
    # Otherwise OpenCV writes several lines to standard error for each damaged file.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        # OpenCV returns None for a damaged file, and raises an error for some.
        pixels: NDArray[np.uint8] | None = cv2.imdecode(np.frombuffer(data, np.uint8), _MODE)  # type: ignore[assignment]
    except cv2.error:
        return None
    return pixels
