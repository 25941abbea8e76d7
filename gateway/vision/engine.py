"""The seam between the way of a frame and what finds and describes faces: our own engine, or dlib's as it comes."""

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
        """The faces; a box may reach beyond the picture."""


class Detector(FaceFinder, UprightScorer, Protocol):
    """Finds faces, and judges whether a face is upright."""


class Embedder(Protocol):
    def embed(self, faces: Sequence[Picture]) -> list[Descriptor]:
        """A descriptor for each face, of which the chips are given, uint8 RGB, (1 or 3, 150, 150, 3)."""


@dataclass(frozen=True, slots=True)
class Engine:
    detector: Detector
    embedder: Embedder
    aligner: Aligner
    predictor_68: Predictor68


def open_engine(options: EngineOptions) -> Engine:
    """Loads the models, but for that of 68 points. From then on this process is made for pictures."""
    cv2.setNumThreads(1)  # there is a worker process for each core already
    keep_freed_memory()
    detector, embedder = _networks(options)
    return Engine(detector, embedder, Aligner(model_file("landmarks_5")), Predictor68())


def _networks(options: EngineOptions) -> tuple[Detector, Embedder]:
    """Each imports its libraries only here: nobody pays for those of the other."""
    if options.name == "facegate":
        from gateway.vision.engines.networks import open_detector, open_embedder

        assert options.models is not None
        return open_detector(options.models, options.detector), open_embedder(options.models, options.descriptor)
    from gateway.vision.engines.stock import StockDetector, StockEmbedder

    return StockDetector("cnn" if options.name == "dlib-cnn" else "hog"), StockEmbedder()
