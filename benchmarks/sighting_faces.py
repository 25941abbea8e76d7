"""Faces of named people for the benchmark of sightings: in their photographs, and in frames made of one of these."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import get_args

import click
import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.engines import LIMITS, engine
from benchmarks.perturbed import MOTIONS, Kind, make_frame
from gateway.config import WorkerSettings
from gateway.errors import GatewayError
from gateway.model import AnalyseTask, Analysis, Descriptor, FoundFace, Purpose
from gateway.model.geometry import UPRIGHT
from gateway.people.labelled_pictures import labelled_pictures
from gateway.vision.analyse import analyse
from gateway.vision.engine import Engine
from gateway.vision.scaled import ScaledPicture, open_picture

MAX_PHOTOGRAPHS = 8
"""Photographs of one person: three that are enrolled, and five frames."""

FRAMES = 5
"""Frames that are made of one photograph, for each kind."""


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """The face in the middle of a photograph: as a frame shows it, its descriptor for an enrolment, and frames of it.

    ``frames``: for the last photograph of a person only. None stands for a face that was not found.
    """

    face: FoundFace | None
    enrolled: Descriptor | None
    frames: Mapping[Kind, Sequence[FoundFace | None]]


@dataclass(frozen=True, slots=True, eq=False)
class PhotographedPerson:
    name: str
    photographs: Sequence[Photograph]


def describe_people(folder: Path) -> list[PhotographedPerson]:
    """Describe all photographs of a folder, on all cores. Raises ClickException if there are none."""
    found = labelled_pictures(folder, MAX_PHOTOGRAPHS)
    if not found:
        raise click.ClickException(f"{folder} has no pictures of people.")
    last = {each.person: each.path for each in found}
    work = [(each.path, each.path == last[each.person]) for each in found]
    # The progress bar is a thread, so this process must not fork.
    with ProcessPoolExecutor(WorkerSettings().count, multiprocessing.get_context("spawn")) as executor:
        results = executor.map(_describe, *zip(*work, strict=True), chunksize=4)
        console = Console(stderr=True)
        shown = track(results, "photographs", len(work), console=console, disable=not sys.stderr.isatty())
        described = list(zip((each.person for each in found), shown, strict=True))
    people = groupby(described, lambda each: each[0])
    return [PhotographedPerson(name, [photograph for _, photograph in own]) for name, own in people]


def _describe(path: Path, with_frames: bool) -> Photograph:
    data = path.read_bytes()
    try:
        opened = open_picture(data, LIMITS, UPRIGHT)
    except GatewayError as error:
        click.echo(f"cannot read {path}: {error}", err=True)
        return Photograph(None, None, {})
    face, enrolled = _middle_face(data, "stream"), _middle_face(data, "enrolment")
    # Each photograph has its own random numbers, so that the result does not depend on the order of the work.
    random = np.random.default_rng(list(data[-64:]))
    frames = {kind: _frames(opened, face, kind, random) for kind in get_args(Kind)} if face and with_frames else {}
    return Photograph(face, enrolled.descriptor if enrolled else None, frames)


def _frames(opened: ScaledPicture, face: FoundFace, kind: Kind, random: np.random.Generator) -> list[FoundFace | None]:
    box = face.box.scaled_by(1 / opened.scale)
    made = [make_frame(opened.pixels, box, MOTIONS[kind], random) for _ in range(FRAMES)]
    return [_middle_face(each, "stream") for each in made]


def _middle_face(data: bytes, purpose: Purpose) -> FoundFace | None:
    seen = analyse(data, _engine(), AnalyseTask(descriptors=purpose), LIMITS)
    return min(seen.faces, key=lambda face: _distance_to_middle(face, seen), default=None)


def _distance_to_middle(face: FoundFace, seen: Analysis) -> float:
    across = face.box.left + face.box.right - seen.image.width
    return float(np.hypot(across, face.box.top + face.box.bottom - seen.image.height))


@cache
def _engine() -> Engine:
    return engine()
