"""The detectors that are compared: those of stock face_recognition, and the gateway's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.engines import engine
from gateway.model import Box, DetectionMethod, Search
from gateway.vision.decoding.decode import Picture
from gateway.vision.engine import Detection


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector. ``smallest``: its smallest face, in pixels. ``prepares``: whether each size needs a preparation."""

    smallest: int
    name: str
    detect: Callable[[Picture], list[Detection]]
    prepares: bool = False


def detectors(cnn_enlarged: bool, method: DetectionMethod = "two-stage") -> list[Detector]:
    # The import loads the models.
    from gateway.vision.engines.stock import api

    facegate_detector = engine(method=method).detector

    def stock(enlarged: int, model: str) -> Callable[[Picture], list[Detection]]:
        return lambda picture: [
            Detection(Box(left, top, right, bottom), 0.0)
            for top, right, bottom, left in api.face_locations(picture, enlarged, model)
        ]  # fmt: skip

    def facegate(smallest: int) -> Detector:
        def detect(picture: Picture) -> list[Detection]:
            return facegate_detector.detect(picture, smallest, None)

        return Detector(smallest, "facegate", detect, prepares=True)

    return [
        Detector(40, "hog1", stock(1, "hog")),
        *([Detector(40, "cnn1", stock(1, "cnn"))] if cnn_enlarged else []),
        facegate(40),
        facegate(Search().min_face),
        Detector(80, "hog0", stock(0, "hog")),
        Detector(80, "cnn", stock(0, "cnn")),
        facegate(80),
    ]
