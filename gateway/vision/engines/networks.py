"""Our own engine: dlib's networks, converted, in the numbers that the processor is fast at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gateway.model import Descriptor, DescriptorPrecision, DetectorPrecision
from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.detector import CnnDetector
from gateway.vision.engines.runtime import Graph, fast_float, has_fast_int8

MAX_BATCH = 24
"""Chips at a time: four faces to enrol, twelve of a frame. Larger batches are no faster, and take memory."""


class CnnEmbedder:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def embed(self, faces: Sequence[Picture]) -> list[Descriptor]:
        """The mean over the chips of a face and their mirrors, of unit length."""
        if not faces:
            return []
        at_once = max(1, MAX_BATCH // (2 * len(faces[0])))
        return [each for n in range(0, len(faces), at_once) for each in self._embed(faces[n : n + at_once])]

    def _embed(self, faces: Sequence[Picture]) -> list[Descriptor]:
        raw = self._graph.run(np.concatenate([part for face in faces for part in (face, face[:, :, ::-1])]))
        ends = np.cumsum([2 * len(face) for face in faces])[:-1]
        means = [each.mean(axis=0) for each in np.split(raw, ends)]
        return [mean / np.linalg.norm(mean) for mean in means]


def open_detector(folder: Path, precision: DetectorPrecision) -> CnnDetector:
    """``folder``: what vision/converted.py filled."""
    if precision == "auto":
        precision = "int8" if has_fast_int8() else "f32"
    if precision == "int8":
        return CnnDetector(Graph(folder / "detector-int8.xml", fast_float()))
    return CnnDetector(Graph(folder / "detector-f32.xml", precision))


def open_embedder(folder: Path, precision: DescriptorPrecision) -> CnnEmbedder:
    return CnnEmbedder(Graph(folder / "descriptor.xml", fast_float() if precision == "auto" else precision))
