"""The seam between the way of a frame and whatever finds and describes faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.model import Box, Descriptor, EngineName, Landmarks
from gateway.vision.decode import Picture


class Engine(Protocol):
    def detect(self, picture: Picture) -> list[Box]:
        """The faces, each box within the picture."""

    def embed(self, picture: Picture, boxes: Sequence[Box]) -> list[Descriptor]:
        """A descriptor for each box, in their order."""

    def landmarks(self, picture: Picture, boxes: Sequence[Box]) -> list[Landmarks]:
        """The 68 points for each box, in their order."""


RECIPE = "dlib-resnet/5-point/1-chip"
"""How descriptors are made: those of two recipes must never be compared.

The stock engines differ in where they find faces only; of each they take one chip, aligned by five points, as
face_recognition.face_encodings does by default.
"""


def open_engine(name: EngineName) -> Engine:
    """Loads the models: about a second."""
    from gateway.vision.stock import StockEngine  # only a worker process pays for loading dlib

    return StockEngine("cnn" if name == "dlib-cnn" else "hog")
