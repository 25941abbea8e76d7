"""The gateway's own engine: dlib's networks, converted, in the number format that is fast on the processor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gateway.model import Descriptor, DescriptorPrecision, DetectorPrecision
from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.detector import CnnDetector
from gateway.vision.engines.processor import Float, Format, descriptor_format, detector_format, fast_float
from gateway.vision.engines.proposer import BlazeFaceProposer
from gateway.vision.engines.runtime import Graph
from gateway.vision.engines.two_stage import TwoStageDetector
from gateway.vision.windows import ChipWindow

MAX_BATCH = 24
"""Chips per batch: four faces to enrol, or twelve faces of a stream. Larger batches are not faster, and take memory."""


MAX_PROPOSER_SHAPES = 16
"""Sizes of input after which the proposer is compiled again. Each size takes up to 20 MB."""


class CnnEmbedder:
    """The network that describes faces. ``graph``: from ``graphs.descriptor_graph``."""

    window: ChipWindow | None = None

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def embed(self, faces: Sequence[Picture]) -> list[Descriptor]:
        """Return the mean descriptor of each face's chips and their mirror images: float32, (128,), of unit length."""
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
    """Open dlib's CNN as a detector on a full pyramid. ``folder``: of the converted networks (conversion.py)."""
    return CnnDetector(_open(folder, "detector", detector_format() if precision == "auto" else precision))


def open_two_stage_detector(folder: Path, precision: DetectorPrecision) -> TwoStageDetector:
    """Open the detector that proposes places first. ``folder``: of the converted networks (conversion.py)."""
    floats: Float = "f32" if precision == "f32" else fast_float()
    first, others = (Graph(folder / "proposer-f32.xml", floats, MAX_PROPOSER_SHAPES) for _ in range(2))
    return TwoStageDetector(BlazeFaceProposer(first, others), open_detector(folder, precision))


def open_embedder(folder: Path, precision: DescriptorPrecision) -> CnnEmbedder:
    """Open the network that describes faces. ``folder``: of the converted networks (conversion.py)."""
    return CnnEmbedder(_open(folder, "descriptor", descriptor_format() if precision == "auto" else precision))


def _open(folder: Path, network: str, precision: Format) -> Graph:
    if precision == "int8":
        # The layers that are not in 8 bits.
        return Graph(folder / f"{network}-int8.xml", fast_float())
    return Graph(folder / f"{network}-f32.xml", precision)
