"""The camera driver of the ESP32-CAM, as far as the script uses it. It returns given pictures."""

from __future__ import annotations

JPEG = 0
pictures: list[bytes] = []


class Unplugged(Exception):
    pass


def init(_number: int, *, format: int) -> None:  # noqa: A002 - the driver's own name for it
    assert format == JPEG


def capture() -> bytes:
    if not pictures:
        raise Unplugged
    return pictures.pop(0)
