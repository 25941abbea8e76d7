"""The counts of found faces and of false detections."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.detection.detectors import Detector
from benchmarks.detection.faces import match
from benchmarks.detection.samples import Sample
from gateway.vision.engine import Detection


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one detector for one sample.

    ``labelled``: the number of labelled faces. ``unconfirmed``: the number of detections that only the proposer made;
    ``false_unconfirmed`` are the false ones of these.
    """

    kind: str
    detector: Detector
    labelled: int
    found: int
    false: int
    unconfirmed: int
    false_unconfirmed: int
    ms: float


def detect_all(samples: Iterable[Sample], competing: Sequence[Detector]) -> Iterator[Outcome]:
    for sample in samples:
        for detector in competing:
            if detector.prepares:
                detector.detect(sample.picture)
            begun = time.perf_counter()
            detections = detector.detect(sample.picture)
            yield _outcome(sample, detector, detections, 1000 * (time.perf_counter() - begun))


def _outcome(sample: Sample, detector: Detector, detections: Sequence[Detection], ms: float) -> Outcome:
    confirmed = [each for each in detections if each.confirmed]
    found = match((each.box for each in detections), sample.faces)
    false, false_confirmed = _false(detections, sample), _false(confirmed, sample)
    unconfirmed = len(detections) - len(confirmed)
    return Outcome(
        sample.kind, detector, len(sample.faces), found, false, unconfirmed, max(false - false_confirmed, 0), ms
    )


def _false(detections: Sequence[Detection], sample: Sample) -> int:
    return len(detections) - match((each.box for each in detections), [*sample.faces, *sample.faint])


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures by smallest face and detector. ``by_kind``: the found faces in each kind of samples."""
    by_size: dict[str, Any] = {}
    by_kind: dict[str, Any] = {}
    own: list[Outcome] = []
    for detector in dict.fromkeys(each.detector for each in outcomes):
        own = [each for each in outcomes if each.detector is detector]
        px = f"{detector.smallest}px"
        by_size.setdefault(px, {})[detector.name] = {
            **{name: sum(getattr(each, name) for each in own) for name in COUNTS},
            "ms": round(statistics.median(each.ms for each in own), 2),
        }
        for kind in dict.fromkeys(each.kind for each in own):
            of_kind = [each for each in own if each.kind == kind]
            counts = by_kind.setdefault(kind, {"pictures": len(of_kind)}).setdefault(px, {})
            counts[detector.name] = sum(each.found for each in of_kind)
    return {"pictures": len(own), "labelled": sum(each.labelled for each in own), **by_size, "by_kind": by_kind}


COUNTS = ("found", "false", "unconfirmed", "false_unconfirmed")
RATIO_SETS = ("groups", "perturbed", "clip")


def ratios(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the faces of facegate, divided by those of stock: of its best detector, and of HOG, by smallest face."""
    found = {}
    for name in set(RATIO_SETS) & result.keys():
        for px in ("40px", "80px"):
            figures = {detector: each["found"] for detector, each in result[name][px].items()}
            facegate_found = figures.pop("facegate")
            found[f"{name}_{px}"] = round(facegate_found / max(*figures.values(), 1), 3)
            if px == "40px":
                found[f"{name}_40px_to_hog1"] = round(facegate_found / max(figures["hog1"], 1), 3)
    return dict(sorted(found.items()))


MIN_RATIO = 0.95
RATIO_FLOORS = {
    **{f"{name}_{px}": MIN_RATIO for name in RATIO_SETS for px in ("40px", "80px")},
    "perturbed_40px_to_hog1": 1.25,
    "clip_40px_to_hog1": 2.0,
}
"""Smallest allowed value of each ratio."""


def floors(result: Mapping[str, Any]) -> dict[str, bool]:
    """Return whether each ratio is large enough, and whether facegate has at most as many false detections as HOG."""
    kept = {name: result["ratios"][name] >= floor for name, floor in RATIO_FLOORS.items() if name in result["ratios"]}
    for px, hog in (("40px", "hog1"), ("80px", "hog0")) if "no_faces" in result else ():
        figures = result["no_faces"][px]
        kept[f"no_faces_{px}"] = figures["facegate"]["false"] <= figures[hog]["false"]
    return kept
