"""The recognition of rotated faces: ``python -m benchmarks.rolls --pictures DIR [--method METHOD] [--people N]
[--angles …]``.

DIR is as for ``benchmarks.accuracy``. The first picture of each person is rotated by each angle. For each angle the
command prints, as JSON:

- ``found``: pictures in which the face nearest to the centre was found. ``turned``: faces that are not used for
  identification, because no direction is certainly upright.
- ``recognised``: people with another picture whom verification recognises, with the gateway's default settings.
- ``pairs`` and ``same``: pairs of different people at this angle, and those that face_match takes for one person.
- ``asked`` and ``named``: each person is enrolled alone by the rotated picture, if enrolment accepts it. Then the faces
  of all others at this angle are identified, and some get this name.
- ``known_named``: people with another picture who get their name among one enrolled person.

``lying`` compares the angles 90, 180 and 270 with the promises: of 1,000 pairs of different people turned by 90 degrees
at most 5 are taken for one person, and known people are named at least 0.8 times as often as upright. A face that is
not found gets no name. Only people with two pictures are drawn, and 46 people make 1,035 pairs.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # before the import of numpy and dlib

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
import PIL.Image

from benchmarks.engines import LIMITS, engine
from gateway.config import DecisionSettings
from gateway.model import AnalyseTask, DetectionMethod, FoundFace, Purpose
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.labelled_pictures import labelled_pictures
from gateway.people.similarity import Similarity, typical_faces
from gateway.vision.analyse import analyse
from gateway.vision.engine import Engine

MAX_SAME_OF_1000, MIN_NAMED_SHARE = 5, 0.8
LYING_ANGLES = ("90", "180", "270")
ANGLES = (0, 15, 30, 45, 60, 75, 90, 120, 150, 180, 210, 240, 270, 300, 330)


@dataclass(frozen=True, slots=True, eq=False)
class TurnedFaces:
    """A face in a rotated picture, described for a stream and for enrolment, and in another, upright picture."""

    stream: FoundFace
    enrolment: FoundFace
    upright: FoundFace | None


class PairDecision:
    """Decisions about pairs of faces with the gateway's default settings, and one enrolled person."""

    def __init__(self) -> None:
        settings = DecisionSettings()
        self._similarity = Similarity(typical_faces())
        self.decision = Decision(
            settings.max_false_identification, settings.max_false_match, measured_curves("facegate")
        )

    def verified(self, one: FoundFace, other: FoundFace) -> bool:
        return self._score(one, other) >= self.decision.verification_threshold()

    def named(self, probe: FoundFace, enrolled: FoundFace) -> bool:
        return self.usable(probe) and self._score(probe, enrolled) >= self.decision.identification_threshold(1)

    def usable(self, face: FoundFace) -> bool:
        return face.descriptor is not None and self.decision.unfit_reason(face.quality) is None

    def _score(self, one: FoundFace, other: FoundFace) -> float:
        if one.descriptor is None or other.descriptor is None:
            return 0.0
        return self.decision.score(self._similarity.compare(one.descriptor, other.descriptor))


def turn(data: bytes, degrees: int) -> bytes:
    """Return the whole picture, rotated anticlockwise, as PNG."""
    with PIL.Image.open(io.BytesIO(data)) as image:
        turned = image.convert("RGB").rotate(degrees, PIL.Image.Resampling.BICUBIC, expand=True)
    buffer = io.BytesIO()
    turned.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def describe(data: bytes, facegate: Engine, purpose: Purpose) -> FoundFace | None:
    """Return the face nearest to the centre."""
    seen = analyse(data, facegate, AnalyseTask(descriptors=purpose), LIMITS)
    middle = np.array([seen.image.width, seen.image.height]) / 2

    def away(face: FoundFace) -> float:
        box = face.box
        return float(np.hypot(*(np.array([box.left + box.right, box.top + box.bottom]) / 2 - middle)))

    return min(seen.faces, key=away, default=None)


def figures(faces: Sequence[TurnedFaces], decision_maker: PairDecision) -> dict[str, int]:
    pairs = [(a.enrolment, b.enrolment) for a, b in combinations(faces, 2)]
    enrolled = [face for face in faces if decision_maker.usable(face.enrolment)]
    asked = [(probe.stream, face.enrolment) for face in enrolled for probe in faces if probe is not face]
    known = [(face.stream, face.upright) for face in faces if face.upright is not None]
    return {
        "found": len(faces),
        "turned": sum(not decision_maker.usable(face.stream) for face in faces),
        "known": len(known),
        "recognised": sum(decision_maker.verified(*pair) for pair in known),
        "known_named": sum(decision_maker.named(*pair) for pair in known),
        "pairs": len(pairs),
        "same": sum(decision_maker.verified(*pair) for pair in pairs),
        "asked": len(asked),
        "named": sum(decision_maker.named(*pair) for pair in asked),
    }


def lying(result: Mapping[str, Any]) -> dict[str, Any]:
    """Compare lying faces with the promises. ``result``: the figures by angle, and the number of people."""
    pairs = result["people"] * (result["people"] - 1) / 2
    upright = max(result["0"]["known_named"], 1)
    same = {angle: round(1000 * result[angle]["same"] / pairs, 1) for angle in LYING_ANGLES}
    named = {angle: round(result[angle]["known_named"] / upright, 3) for angle in LYING_ANGLES}
    kept = same["90"] <= MAX_SAME_OF_1000 and min(named.values()) >= MIN_NAMED_SHARE
    return {"same_of_1000": same, "named_share": named, "kept": kept}


def measure(folder: Path, people: int, angles: Sequence[int], method: DetectionMethod = "two-stage") -> dict[str, Any]:
    facegate, decision_maker = engine(method=method), PairDecision()
    grouped = [
        [each.path for each in group] for _, group in groupby(labelled_pictures(folder), lambda each: each.person)
    ]
    grouped = [paths for paths in grouped if len(paths) > 1]
    drawn = sorted(np.random.default_rng(0).permutation(len(grouped))[:people].tolist())
    result: dict[str, Any] = {"people": len(drawn)}
    uprights = {n: describe(grouped[n][1].read_bytes(), facegate, "enrolment") for n in drawn}
    for degrees in angles:
        faces = []
        for number in drawn:
            data = turn(grouped[number][0].read_bytes(), degrees)
            stream, enrolment = (describe(data, facegate, purpose) for purpose in ("stream", "enrolment"))
            if stream is not None and enrolment is not None:
                faces.append(TurnedFaces(stream, enrolment, uprights.get(number)))
        result[str(degrees)] = figures(faces, decision_maker)
    return {**result, "lying": lying(result)} if {"0", *LYING_ANGLES} <= result.keys() else result


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="Folder of photographs by person.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(get_args(DetectionMethod)), default="two-stage", show_default=True,
    help="Method of facegate, as the setting detection.method.",
)  # fmt: skip
@click.option("--people", default=46, show_default=True, help="Number of randomly chosen people.")
@click.option(
    "--angles", type=int, multiple=True, default=ANGLES, show_default=True, help="Angles in degrees, anticlockwise."
)
def main(pictures: Path, method: DetectionMethod, people: int, angles: tuple[int, ...]) -> None:
    click.echo(json.dumps(measure(pictures, people, angles, method), indent=1))


if __name__ == "__main__":
    main()
