"""The recognition of rotated faces: ``python -m benchmarks.rolls --pictures DIR [--people N] [--angles …]``.

DIR is as for ``benchmarks.accuracy``. The first picture of each person is rotated by each angle. For each angle the
command prints, as JSON:

- ``found``: pictures in which the face nearest to the centre was found. ``turned``: faces that are not used for
  identification, because no direction is certainly upright.
- ``recognised``: people with another picture whom verification recognises, with the gateway's default settings.
- ``pairs`` and ``same``: pairs of different people at this angle, and those that face_match takes for one person.
- ``asked`` and ``named``: each person is enrolled alone by the rotated picture, if enrolment accepts it. Then the faces
  of all others at this angle are identified, and some get this name.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # before the import of numpy and dlib

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import click
import numpy as np
import PIL.Image

from benchmarks.engines import LIMITS, engine
from gateway.config import DecisionSettings
from gateway.model import AnalyseTask, FoundFace, Purpose
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.labelled_pictures import labelled_pictures
from gateway.people.similarity import Similarity, typical_faces
from gateway.vision.analyse import analyse
from gateway.vision.engine import Engine

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
        "pairs": len(pairs),
        "same": sum(decision_maker.verified(*pair) for pair in pairs),
        "asked": len(asked),
        "named": sum(decision_maker.named(*pair) for pair in asked),
    }


def measure(folder: Path, people: int, angles: Sequence[int]) -> dict[str, Any]:
    facegate, decision_maker = engine(), PairDecision()
    grouped = [
        [each.path for each in group] for _, group in groupby(labelled_pictures(folder), lambda each: each.person)
    ]
    drawn = sorted(np.random.default_rng(0).permutation(len(grouped))[:people].tolist())
    result: dict[str, Any] = {"people": len(drawn)}
    uprights = {n: describe(grouped[n][1].read_bytes(), facegate, "enrolment") for n in drawn if len(grouped[n]) > 1}
    for degrees in angles:
        faces = []
        for number in drawn:
            data = turn(grouped[number][0].read_bytes(), degrees)
            stream, enrolment = (describe(data, facegate, purpose) for purpose in ("stream", "enrolment"))
            if stream is not None and enrolment is not None:
                faces.append(TurnedFaces(stream, enrolment, uprights.get(number)))
        result[str(degrees)] = figures(faces, decision_maker)
    return result


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="Folder of photographs by person.",
)  # fmt: skip
@click.option("--people", default=30, show_default=True, help="Number of randomly chosen people.")
@click.option(
    "--angles", type=int, multiple=True, default=ANGLES, show_default=True, help="Angles in degrees, anticlockwise."
)
def main(pictures: Path, people: int, angles: tuple[int, ...]) -> None:
    click.echo(json.dumps(measure(pictures, people, angles), indent=1))


if __name__ == "__main__":
    main()
