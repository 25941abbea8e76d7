"""The camera driver of the ESP32-CAM, as far as the script uses it, for the Unix port of MicroPython.

The pictures are the files that FACEGATE_TEST_PICTURES names, divided by colons. After the last one the script ends.
"""

import os

JPEG = 0
paths = (os.getenv("FACEGATE_TEST_PICTURES") or "").split(":")


def init(_number: int, *, format: int) -> None:  # noqa: A002 - the driver's own name for it
    assert format == JPEG


def capture() -> bytes:
    if not paths:
        raise SystemExit
    # MicroPython has no pathlib.
    with open(paths.pop(0), "rb") as file:  # noqa: PTH123
        return file.read()
