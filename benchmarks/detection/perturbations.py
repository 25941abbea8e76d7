"""Changes of a picture that make its face harder to find."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from benchmarks.detection.faces import Face, Transform
from gateway.vision.decoding.decode import Picture

IDENTITY: Transform = np.eye(2, 3)

Perturbation = Callable[[Picture, Face], tuple[Picture, Transform]]


def turned(degrees: float) -> Perturbation:
    """Return a rotation of the whole picture, with black corners."""

    def perturb(picture: Picture, _face: Face) -> tuple[Picture, Transform]:
        size = np.array(picture.shape[1::-1])
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        turn = np.array([[cos, -sin], [sin, cos]])
        room = np.ceil(np.abs(turn) @ size)
        shift = room / 2 - turn @ (size / 2)
        of_middles = np.column_stack(
            [turn, shift + turn @ (0.5, 0.5) - 0.5]
        )  # OpenCV counts from the centres of pixels
        changed = cv2.warpAffine(picture, of_middles, room.astype(int).tolist())
        return changed.astype(np.uint8), np.column_stack([turn, shift])

    return perturb


def scaled(across: float, down: float) -> Perturbation:
    def perturb(picture: Picture, _face: Face) -> tuple[Picture, Transform]:
        height, width = picture.shape[:2]
        size = round(width * across), round(height * down)
        transform = np.diag([size[0] / width, size[1] / height]) @ IDENTITY
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8), transform

    return perturb


def still(change: Callable[[Picture, Face], NDArray[Any]]) -> Perturbation:
    """Return a perturbation that changes only colours."""

    def perturb(picture: Picture, face: Face) -> tuple[Picture, Transform]:
        changed: Picture = np.clip(change(picture, face), 0, 255).astype(np.uint8)
        return changed, IDENTITY

    return perturb


def masked(top: float, bottom: float, across: float, grey: int) -> Perturbation:
    """Return a mask from ``top`` to ``bottom`` of the face's centre, ``across`` wide, as shares of its size."""

    def mask(picture: Picture, face: Face) -> Picture:
        covered: Picture = picture.copy()
        left, right = face.x - face.size * across / 2, face.x + face.size * across / 2
        rows = slice(max(round(face.y + face.size * top), 0), round(face.y + face.size * bottom))
        covered[rows, max(round(left), 0) : round(right)] = grey
        return covered

    return still(mask)


def _noisy(picture: Picture, _face: Face) -> NDArray[np.float64]:
    noisy: NDArray[np.float64] = np.random.default_rng(0).normal(picture, 25)
    return noisy


PERTURBATIONS: Mapping[str, Perturbation] = {
    "as it is": still(lambda picture, _: picture),
    "turned 15": turned(15),
    "turned 30": turned(30),
    "turned 60": turned(60),
    "narrow": scaled(0.6, 1),
    "flat": scaled(1, 0.6),
    "dark": still(lambda picture, _: picture * 0.25),
    "pale": still(lambda picture, _: picture * 0.35 + 160),
    "blurred": still(lambda picture, face: cv2.GaussianBlur(picture, (0, 0), face.size / 20)),
    "lower half masked": masked(0, 0.55, 1.1, 128),
    "eyes masked": masked(-0.36, -0.1, 1.1, 20),
    "half size": scaled(0.5, 0.5),
    "quarter size": scaled(0.25, 0.25),
    "JPEG 10": still(lambda picture, _: simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(picture, quality=10))),
    "noisy": still(_noisy),
}

QUARTER_TURNS: Mapping[str, Perturbation] = {f"turned {degrees}": turned(degrees) for degrees in (90, 180, 270)}
"""Turns of the whole picture, clockwise in degrees."""
