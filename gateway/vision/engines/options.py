"""Which engine, and how. Light: the gateway itself needs this, and none of the libraries that an engine is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.model import DescriptorPrecision, DetectorPrecision, EngineName

RECIPES: Mapping[EngineName, str] = {
    "facegate": "dlib-resnet/5-point/2-of-6",
    "dlib-hog": "dlib-resnet/5-point/1-chip",
    "dlib-cnn": "dlib-resnet/5-point/1-chip",
}
"""How descriptors are made: kept with every known picture, since those of two recipes must never be compared.

Ours is the mean over chips and their mirrors, two of a frame's face and six of a known picture's. The stock engines
take one chip, as face_recognition.face_encodings does by default, and differ in where they find faces only.
"""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """``models``: the folder of the converted networks (vision/converted.py), which our own engine needs."""

    name: EngineName
    models: Path | None = None
    detector: DetectorPrecision = "auto"
    descriptor: DescriptorPrecision = "auto"
