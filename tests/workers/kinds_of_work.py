"""Pictures of every kind that a decoder meets, and every task, for the tests of confined worker processes."""

from __future__ import annotations

import io
from collections.abc import Mapping

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

PICTURES: Mapping[str, bytes] = {
    "a JPEG": encoded("JPEG"),
    "a progressive JPEG": encoded("JPEG", progressive=True),
    "a grey JPEG": encoded("JPEG", "L"),
    "a JPEG with four colours": encoded("JPEG", "CMYK"),
    "a JPEG with rare sampling": encoded("JPEG", subsampling="4:1:1"),
    "a JPEG on its side": encoded("JPEG", exif=EXIF_ON_ITS_SIDE),
    "a JPEG of two pictures": encoded("MPO", save_all=True),
    "a part of a JPEG": encoded("JPEG")[:20_000],
    "a damaged JPEG": encoded("JPEG")[:5_000] + b"\xff\xd9" * 50,
    "a PNG": encoded("PNG"),
    "a PNG with a palette": encoded("PNG", "P"),
    "a PNG with transparency": encoded("PNG", "RGBA"),
    "a PNG of two colours": encoded("PNG", "1"),
    "a PNG of 16 bits": grey_16(),
    "a part of a PNG": encoded("PNG")[:20_000],
    "a WebP": encoded("WEBP"),
    "a lossless WebP": encoded("WEBP", lossless=True),
    "a WebP with transparency": encoded("WEBP", "RGBA"),
    "a part of a WebP": encoded("WEBP")[:5_000],
    "a GIF": encoded("GIF", "P"),
    "a BMP": encoded("BMP"),
    "a TIFF": encoded("TIFF"),
    "text": b"no picture",
    "nothing": b"",
}

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
