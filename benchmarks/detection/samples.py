"""The sets of pictures, and their labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.detection.faces import Face, face_of
from benchmarks.detection.no_faces import pictures_without_faces
from benchmarks.detection.perturbations import PERTURBATIONS, QUARTER_TURNS, Perturbation, scaled
from benchmarks.engines import LIMITS
from gateway.model import Box
from gateway.vision.decoding.decode import Picture, decode

PORTRAIT_SIDE_PX = 640
"""Longer side to which portraits are scaled."""

PORTRAITS: Mapping[str, tuple[float, float, float]] = {
    "alex_lacamoire/alex-lacamoire.png": (0.62, 0.60, 0.44),
    "alex_lacamoire/alex_lacamoire1.jpg": (0.515, 0.38, 0.22),
    "alex_lacamoire/img1.jpg": (0.505, 0.32, 0.40),
    "barack_obama/obama-480p.jpg": (0.515, 0.25, 0.135),
    "barack_obama/obama.jpg": (0.545, 0.235, 0.275),
    "barack_obama/obama1.jpg": (0.49, 0.49, 0.265),
    "barack_obama/obama2.jpg": (0.52, 0.385, 0.53),
    "barack_obama/obama3.jpg": (0.54, 0.205, 0.20),
    "barack_obama/obama_partial_face.jpg": (0.17, 0.235, 0.51),
    "barack_obama/obama_partial_face2.jpg": (0.87, 0.24, 0.45),
    "barack_obama/obama_small.jpg": (0.50, 0.54, 0.35),
    "joe_biden/biden.jpg": (0.605, 0.195, 0.29),
    "joe_biden/biden2.jpg": (0.53, 0.42, 0.44),
    "kit_harington/john1.jpeg": (0.625, 0.28, 0.13),
    "kit_harington/john2.jpeg": (0.61, 0.51, 0.27),
    "kit_harington/johnsnow_test1.jpg": (0.48, 0.235, 0.285),
    "lin_manuel_miranda/lin-manuel-miranda.png": (0.585, 0.53, 0.42),
    "rose_leslie/img1.jpg": (0.58, 0.30, 0.19),
    "rose_leslie/img2.jpg": (0.52, 0.37, 0.45),
}
"""The face in each portrait, by eye: its centre as shares of width and height, and its size as a share of the width.

The face is a square from the middle of the forehead to the chin. Of the four sizes of one scene (``obama-*p``) only one
is used.
"""

SCENES = {"wide stage": range(7), "pianist": range(7, 28), "singer": range(28, 71), "audience": range(71, 92)}
"""Scenes of the clip, by frame number.

The first scene shows two faces: one of 40 px, and one of 30 px in profile. The second shows one face in profile, which
is sometimes outside of the picture. The third shows one face, and the fourth shows four.
"""

CLIP_LABELS_FILE = Path(__file__).with_name("clip.json")
"""The faces of each frame of the clip, and how they were labelled."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture to detect faces in.

    ``kind``: the perturbation, or the scene. ``faint``: faces that are dark, blurred, turned away or cut off. They
    count neither as found nor as false.
    """

    kind: str
    picture: Picture
    faces: Sequence[Face]
    faint: Sequence[Face] = ()


def groups(folder: Path) -> Iterator[Sample]:
    for file in ("testing.xml", "training.xml"):
        for image in ElementTree.parse(folder / file).iter("image"):  # noqa: S314 (the user's own file)
            faces = [_labelled(**{edge: int(value) for edge, value in box.items()}) for box in image.iter("box")]
            yield Sample("people", _load(folder / image.attrib["file"]), faces)
    yield Sample("dogs", _load(folder / "dogs.jpg"), [])


def _labelled(left: int, top: int, width: int, height: int) -> Face:
    return face_of(Box(left, top, left + width, top + height))


def perturbed(folder: Path, perturbations: Mapping[str, Perturbation] = PERTURBATIONS) -> Iterator[Sample]:
    for file, (x, y, share) in PORTRAITS.items():
        picture = _load(folder / file)
        scale = min(PORTRAIT_SIDE_PX / max(picture.shape), 1)
        picture, _ = scaled(scale, scale)(picture, Face(0, 0, 0))
        height, width = picture.shape[:2]
        face = Face(x * width, y * height, share * width)
        for kind, perturb in perturbations.items():
            changed, transform = perturb(picture, face)
            yield Sample(kind, changed, [face.moved(transform)])


def clip(folder: Path) -> Iterator[Sample]:
    labels = json.loads(CLIP_LABELS_FILE.read_text())
    for scene, frames in SCENES.items():
        for number in frames:
            faces, faint = ([Face(*face) for face in labels[kind].get(str(number), ())] for kind in ("faces", "faint"))
            yield Sample(scene, _load(folder / f"frame_{number:03}.jpg"), faces, faint)


def no_faces(folder: Path) -> Iterator[Sample]:
    for kind, picture in pictures_without_faces(folder):
        yield Sample(kind, picture, ())


def _load(path: Path) -> Picture:
    return decode(path.read_bytes(), LIMITS)


SETS: Mapping[str, tuple[str, Callable[[Path], Iterator[Sample]]]] = {
    "groups": ("groups", groups),
    "perturbed": ("portraits", perturbed),
    "turned": ("portraits", partial(perturbed, perturbations=QUARTER_TURNS)),
    "clip": ("clip", clip),
    "no_faces": ("", no_faces),
}
"""The sets by name: their folder, and the function that reads it. The set ``no_faces`` has a folder of its own."""
