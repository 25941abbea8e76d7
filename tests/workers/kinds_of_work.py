"""Pictures of every kind that a decoder meets, and every task, for the tests of confined worker processes."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import numpy as np
import PIL.Image

from gateway.model import AnalyseTask, Box, DrawTask, FaceMark, LiveTask, Mounting, RedescribeTask, Search, Task
from tests.support import frame


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """Return a photograph in another format."""
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as image:
        out = io.BytesIO()
        (image if mode == "16" else image.convert(mode)).save(out, kind, **options)
    return out.getvalue()


def grey_16() -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(np.arange(65_536, dtype=np.uint16).reshape(256, 256)).save(out, "PNG")
    return out.getvalue()


EXIF_ON_ITS_SIDE = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"

PICTURES: Mapping[str, Callable[[], bytes]] = {
    "a JPEG": lambda: encoded("JPEG"),
    "a progressive JPEG": lambda: encoded("JPEG", progressive=True),
    "a grey JPEG": lambda: encoded("JPEG", "L"),
    "a JPEG with four colours": lambda: encoded("JPEG", "CMYK"),
    "a JPEG with rare sampling": lambda: encoded("JPEG", subsampling="4:1:1"),
    "a JPEG on its side": lambda: encoded("JPEG", exif=EXIF_ON_ITS_SIDE),
    "a JPEG of two pictures": lambda: encoded("MPO", save_all=True),
    "a part of a JPEG": lambda: encoded("JPEG")[:20_000],
    "a damaged JPEG": lambda: encoded("JPEG")[:5_000] + b"\xff\xd9" * 50,
    "a PNG": lambda: encoded("PNG"),
    "a PNG with a palette": lambda: encoded("PNG", "P"),
    "a PNG with transparency": lambda: encoded("PNG", "RGBA"),
    "a PNG of two colours": lambda: encoded("PNG", "1"),
    "a PNG of 16 bits": grey_16,
    "a part of a PNG": lambda: encoded("PNG")[:20_000],
    "a WebP": lambda: encoded("WEBP"),
    "a lossless WebP": lambda: encoded("WEBP", lossless=True),
    "a WebP with transparency": lambda: encoded("WEBP", "RGBA"),
    "a part of a WebP": lambda: encoded("WEBP")[:5_000],
    "a GIF": lambda: encoded("GIF", "P"),
    "a BMP": lambda: encoded("BMP"),
    "a TIFF": lambda: encoded("TIFF"),
    "text": lambda: b"no picture",
    "nothing": lambda: b"",
}
"""By their names, the functions that make them."""

SQUARE = ((0.0, 0.0), (0.2, 0.0), (0.2, 0.2), (0.0, 0.2))

TASKS: Mapping[str, Task] = {
    "describe": AnalyseTask(),
    "enrol": AnalyseTask(descriptors="enrolment", chips=True),
    "5 landmarks": AnalyseTask(landmarks=5),
    "68 landmarks": AnalyseTask(landmarks=68),
    "468 landmarks": AnalyseTask(landmarks=468, head_pose=True),
    "turn": AnalyseTask(Search(mounting=Mounting(90, mirror=True), never=(SQUARE,))),
    "small faces": AnalyseTask(Search(min_face=20)),
    "look at a first frame": LiveTask(full=True, learn=True, landmarks=68),
    "draw": DrawTask((FaceMark(Box(386, 96, 551, 260), "Änne 你好 💩", known=True),), never=(SQUARE,)),
    "draw landmarks": DrawTask((FaceMark(Box(386, 96, 551, 260), "x", False, {"chin": [(390, 100), (500, 250)]}),)),
    "describe no chips": RedescribeTask(),
}
