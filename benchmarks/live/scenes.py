"""Scenes as still cameras really see them, made from one photograph: noise, a clock, leaves, light, and a walker.

Each scene yields the pixels of its frames, uint8 RGB, (height, width, 3). A seed makes it the same each time.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Scene = Callable[[Picture, np.random.Generator], Iterator[Picture]]

JPEG_QUALITY = 80
NOISE_LEVELS = 6.0
"""Standard deviation of the sensor's noise for each pixel and colour: a camera indoors in the evening."""
EXPOSURES = (1.0, 1.35, 0.8, 1.15, 0.7)
"""Factors of the light that reaches the sensor, one after the other."""
EXPOSURE_FRAMES, INFRARED_FRAMES = 30, 60
"""Frames between two steps of the exposure, and between two switches to infrared light and back."""
LEAVES = (0.0, 0.0, 0.35, 0.45)
"""Left, top, right and bottom of the tree, as shares of the picture."""
SWAY_PX = 6.0
"""Largest distance by which the wind moves a leaf."""


def encode(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def load(path: Path, height: int) -> Picture:
    """Return a photograph, scaled to a height in pixels."""
    with PIL.Image.open(path) as image:
        size = round(image.width * height / image.height), height
        return np.asarray(image.convert("RGB").resize(size, PIL.Image.Resampling.LANCZOS))


def still(picture: Picture, _random: np.random.Generator) -> Iterator[Picture]:
    """Yield the same pixels for ever."""
    while True:
        yield picture


def noise(picture: Picture, random: np.random.Generator) -> Iterator[Picture]:
    while True:
        yield noisy(picture, random)


def clock(picture: Picture, random: np.random.Generator) -> Iterator[Picture]:
    """Yield frames with the time of day in a corner: white digits, which change with every frame."""
    height = picture.shape[0]
    for second in count(43_200):
        frame = noisy(picture, random)
        text = f"2026-03-01 {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"
        cv2.putText(frame, text, (height // 40, height // 16), cv2.FONT_HERSHEY_SIMPLEX, height / 600, (255,) * 3, 2)
        yield frame


def leaves(picture: Picture, random: np.random.Generator) -> Iterator[Picture]:
    """Yield frames with a tree in one corner, whose leaves move in the wind from frame to frame."""
    height, width = picture.shape[:2]
    left, top, right, bottom = (round(share * side) for share, side in zip(LEAVES, (width, height) * 2, strict=True))
    tree = _foliage(bottom - top, right - left, random)
    rows, columns = np.mgrid[0 : bottom - top, 0 : right - left].astype(np.float32)
    while True:
        frame = noisy(picture, random)
        across, down = (_smooth(bottom - top, right - left, 24, random) * SWAY_PX for _ in range(2))
        swayed = cv2.remap(tree, columns + across, rows + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        frame[top:bottom, left:right] = noisy(swayed.astype(np.uint8), random)
        yield frame


def exposure(picture: Picture, random: np.random.Generator) -> Iterator[Picture]:
    """Yield frames whose exposure makes a step now and then."""
    for number in count():
        yield noisy(exposed(picture, EXPOSURES[number // EXPOSURE_FRAMES % len(EXPOSURES)]), random)


def infrared(picture: Picture, random: np.random.Generator) -> Iterator[Picture]:
    """Yield frames of a camera that switches to infrared light and back: other brightness of all things, and grey."""
    night = np.clip(255 * (picture[:, :, 0] / 255.0) ** 0.6 - 0.4 * picture[:, :, 2] + 30, 0, 255).astype(np.uint8)
    for number in count():
        dark = number // INFRARED_FRAMES % 2
        yield noisy(np.repeat(night[:, :, None], 3, 2) if dark else picture, random)


NOISY: dict[str, Scene] = {
    "noise": noise,
    "clock": clock,
    "leaves": leaves,
    "exposure": exposure,
    "infrared": infrared,
}


def exposed(picture: Picture, factor: float) -> Picture:
    """Return the picture with another exposure: the light is multiplied before the camera's gamma curve of 2.2."""
    light = (picture / 255.0) ** 2.2 * factor
    return (255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def noisy(picture: Picture, random: np.random.Generator) -> Picture:
    noise = random.normal(0, NOISE_LEVELS, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def pasted(picture: Picture, head: Picture, x: int, y: int) -> Picture:
    """Return the picture with a head pasted at a place. Its edge is soft, like that of a person."""
    height, width = head.shape[:2]
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    weight = np.clip(6 * (1 - np.hypot(rows, columns)), 0, 1)[:, :, None]
    left, right = max(x, 0), min(x + width, picture.shape[1])
    frame: Picture = picture.copy()
    if left < right:
        part, inside = frame[y : y + height, left:right], slice(left - x, right - x)
        part[:] = (weight[:, inside] * head[:, inside] + (1 - weight[:, inside]) * part).astype(np.uint8)
    return frame


def walk(picture: Picture, head: Picture, random: np.random.Generator) -> Iterator[Picture]:
    """Yield frames in which somebody walks through: a head comes from one side, stops in the middle, and leaves.

    A walk takes 60 frames. Then the scene stays empty for 40.
    """
    width, middle = picture.shape[1], (picture.shape[1] - head.shape[1]) // 2
    path = [*np.linspace(-head.shape[1], middle, 25), *[middle] * 10, *np.linspace(middle, width, 25)]
    while True:
        y = int(random.integers(picture.shape[0] // 4, picture.shape[0] - head.shape[0]))
        for x in path:
            yield pasted(picture, head, round(x), y)
        for _ in range(40):
            yield picture


def noisy_walk(
    picture: Picture, head: Picture, scene: Scene, random: np.random.Generator, empty_frames: int
) -> Iterator[Picture]:
    """Yield frames of a noisy scene that is empty at first. Then somebody walks through it again and again."""
    seen = scene(picture, random)
    yield from islice(seen, empty_frames)
    for frame, walking in zip(seen, walk(picture, head, random), strict=False):
        in_front = (walking != picture).any(axis=2, keepdims=True)
        yield np.where(in_front, noisy(walking, random), frame)


def _foliage(height: int, width: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return leaves: spots of many sizes in greens, with light between them."""
    spots = sum(_smooth(height, width, size, random) / k for k, size in enumerate((6, 12, 24), 1))
    light = np.clip(110 + 90 * np.asarray(spots), 0, 255)
    return np.stack([0.7 * light, light, 0.5 * light], axis=2).astype(np.float32)


def _smooth(height: int, width: int, size: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return a smooth random field with waves of about that size, mostly from -1 to 1."""
    coarse = random.normal(0, 0.7, (height // size + 3, width // size + 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
