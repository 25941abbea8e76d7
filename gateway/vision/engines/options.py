"""The options of an engine.

The gateway's main process imports this module, so it must not import the libraries of an engine.
"""

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
"""How each engine makes descriptors. Descriptors of two recipes must never be compared, so every enrolled picture
stores its recipe.

The gateway's own engine takes the mean over chips and their mirror images: two for a face of a stream, six for an
enrolled picture. The stock engines take one chip, as face_recognition.face_encodings does by default. They differ from
each other only in their face detector.
"""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The options of an engine. ``models``: the folder of the converted networks, for the gateway's own engine."""

    name: EngineName
    models: Path | None = None
    detector: DetectorPrecision = "auto"
    descriptor: DescriptorPrecision = "auto"
