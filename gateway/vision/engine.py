"""The interface of an engine, the models that find and describe faces: the gateway's own, or dlib's stock models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2

from gateway.allocator import keep_freed_memory
from gateway.model import Box, Descriptor
from gateway.vision.align import Aligner, Predictor68
from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.model_files import model_file
from gateway.vision.engines.options import EngineOptions
from gateway.vision.upright import UprightScorer


class FaceFinder(Protocol):
    def detect(self, picture: Picture, min_face: int, max_face: int | None) -> list[Box]:
        """Return the boxes of the faces, which may reach beyond the picture.

        ``min_face``, ``max_face``: the sizes of the faces to look for, in pixels.
        """


class Detector(FaceFinder, UprightScorer, Protocol):
    """A model that finds faces, and tells how upright a face is."""


class Embedder(Protocol):
    def embed(self, faces: Sequence[Picture]) -> list[Descriptor]:
        """Return a descriptor for each face: float32, (128,), of unit length.

        ``faces``: for each face its chips, uint8 RGB, (1 or 3, 150, 150, 3).
        """


@dataclass(frozen=True, slots=True)
class Engine:
    """The models that the analysis of a picture uses."""

    detector: Detector
    embedder: Embedder
    aligner: Aligner
    predictor_68: Predictor68


def open_engine(options: EngineOptions) -> Engine:
    """Load the models, except the one of 68 points, and set up this process for image analysis."""
    # There is one worker process for each core already.
    cv2.setNumThreads(1)
    keep_freed_memory()
    detector, embedder = _networks(options)
    return Engine(detector, embedder, Aligner(model_file("landmarks_5")), Predictor68())


def _networks(options: EngineOptions) -> tuple[Detector, Embedder]:
    # Each engine imports its libraries here, so that a process loads those of its own engine only.
    if options.name == "facegate":
        from gateway.vision.engines.networks import open_detector, open_embedder

        assert options.models is not None
        return open_detector(options.models, options.detector), open_embedder(options.models, options.descriptor)
    from gateway.vision.engines.stock import StockDetector, StockEmbedder

    return StockDetector("cnn" if options.name == "dlib-cnn" else "hog"), StockEmbedder()
