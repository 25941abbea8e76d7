"""The analysis of one picture: decode, detect, align, embed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from gateway.metrics import Stopwatch
from gateway.model import (
    AnalyseTask,
    Analysis,
    Box,
    Descriptor,
    FoundFace,
    Image,
    Landmarks,
    PictureLimits,
    Points,
    Quality,
)
from gateway.vision.align import AlignedFace, align, turned_part
from gateway.vision.blackout import black_out
from gateway.vision.chips import (
    CHIP_SIDE_PX,
    cut_chips,
    cut_window,
    decode_chips,
    encode_chips,
    encode_crop,
    window_of_chips,
)
from gateway.vision.decoding.decode import Picture
from gateway.vision.engine import Detection, Engine, MeshPoints
from gateway.vision.head_pose import measure_head_pose, roll_of_points
from gateway.vision.landmark_groups import MESH_POINTS_68, name_5_points, name_68_points, name_mesh_points
from gateway.vision.quality import measure_quality
from gateway.vision.regions import search
from gateway.vision.scaled import ScaledPicture, open_picture

MAX_FACES = 32
"""Faces that are analysed in one picture: the largest ones.

One face of a stream takes 25 ms (two cores, AVX2). 32 faces take 0.8 s; 484 took 12 s, more than a worker's time limit.
"""


def analyse(data: bytes, engine: Engine, wanted: AnalyseTask, limits: PictureLimits) -> Analysis:
    """Return the faces in an encoded picture, with the details that ``wanted`` asks for.

    Raises BadImage, TooLarge or Unsupported if ``data`` cannot be decoded.
    """
    clock = Stopwatch()
    opened = open_picture(data, limits, wanted.search.mounting)
    return analyse_parts(opened, engine, wanted, None, clock)


def analyse_parts(
    opened: ScaledPicture, engine: Engine, wanted: AnalyseTask, parts: Sequence[Box] | None, clock: Stopwatch
) -> Analysis:
    """Return the faces in parts of a decoded picture, or in the whole picture if ``parts`` is None.

    ``parts``: in pixels of the picture as it was sent. ``clock``: gets the times; the last step was the decoding.
    """
    picture = opened.pixels
    clock.lap("decode")
    found = search(picture, wanted.search, engine.detector, opened.in_own_boxes(parts))
    detections = largest(found, MAX_FACES)
    left_out = len(found) - len(detections)
    clock.lap("detect")
    height, width = picture.shape[:2]
    # The caller refuses a picture with several faces: describing them would be wasted time.
    if wanted.single_face and len(detections) > 1:
        only_boxes = (FoundFace(each.box.clipped_to(width, height)) for each in detections)
        return Analysis(opened.image, tuple(map(opened.in_sent_pixels, only_boxes)), clock.laps, left_out=left_out)
    alignments = [align(picture, each, engine.predictor_5, engine.detector) for each in detections]
    chips = [cut_chips(picture, each.points, wanted.descriptors or "stream") for each in alignments]
    clock.lap("align")
    descriptors: Sequence[Descriptor | None] = [None] * len(detections)
    if wanted.descriptors:
        descriptors = _describe(picture, engine, alignments, chips)
        clock.lap("embed")
    stored = _stored_chips(picture, wanted, alignments, chips)
    faces = (
        _face(picture, engine, wanted, *parts)
        for parts in zip(detections, alignments, chips, descriptors, stored, strict=True)
    )
    sent = tuple(map(opened.in_sent_pixels, faces))
    clock.lap("details")
    return Analysis(opened.image, sent, clock.laps, left_out=left_out)


def largest(faces: Sequence[Detection], count: int) -> list[Detection]:
    """Return the ``count`` largest faces in their original order. Confirmed faces are kept before others.

    Of faces of one size, the first ones are kept.
    """

    def rank(number: int) -> tuple[bool, int]:
        return not faces[number].confirmed, -faces[number].box.area

    chosen = sorted(range(len(faces)), key=rank)[:count]
    return [faces[number] for number in sorted(chosen)]


def redescribe(chips: bytes, engine: Engine) -> Analysis:
    """Return a new descriptor of an enrolled face, computed from its stored chips. Raises BadImage."""
    clock = Stopwatch()
    stored, window = decode_chips(chips), engine.embedder.window
    (descriptor,) = engine.embedder.embed([stored if window is None else window_of_chips(stored, window)])
    clock.lap("embed")
    face = FoundFace(Box(0, 0, CHIP_SIDE_PX, CHIP_SIDE_PX), descriptor)
    return Analysis(Image(CHIP_SIDE_PX, CHIP_SIDE_PX, len(chips)), (face,), clock.laps)


def _describe(
    picture: Picture, engine: Engine, alignments: Sequence[AlignedFace], chips: Sequence[Picture]
) -> list[Descriptor | None]:
    """Return the descriptor of each upright face, and None for the others."""
    window = engine.embedder.window
    seen = [
        cut if window is None else cut_window(picture, each.points, window)
        for each, cut in zip(alignments, chips, strict=True)
        if each.upright
    ]
    found = iter(engine.embedder.embed(seen))
    return [next(found) if each.upright else None for each in alignments]


def _stored_chips(
    picture: Picture, wanted: AnalyseTask, alignments: Sequence[AlignedFace], chips: Sequence[Picture]
) -> Sequence[Picture]:
    """Return the chips that are stored. In them the regions ``never`` are black.

    The faces are described from the whole chips: black parts would change the descriptors.
    """
    if not (wanted.chips and wanted.search.never and alignments):
        return chips
    height, width = picture.shape[:2]
    shown = black_out(picture, wanted.search.never, Box(0, 0, width, height), width, height)
    return [cut_chips(shown, each.points, wanted.descriptors or "stream") for each in alignments]


def _face(
    picture: Picture,
    engine: Engine,
    wanted: AnalyseTask,
    detection: Detection,
    found: AlignedFace,
    chips: Picture,
    about: Descriptor | None,
    stored: Picture,
) -> FoundFace:
    """Return a face with its details. ``stored``: its chips as they are stored.

    A face without a certain upright direction gets no descriptor and pose 0, as does one that is not confirmed.
    """
    box = detection.box
    measured = measure_quality(picture, box, found.points, chips[len(chips) // 2])
    seen = replace(measured, confirmed=detection.confirmed)
    clipped = box.clipped_to(picture.shape[1], picture.shape[0])
    if not found.upright:
        return FoundFace(clipped, quality=replace(seen, pose=0.0))
    mesh = _mesh(picture, engine, wanted, box, found)
    return FoundFace(
        clipped,
        about,
        _landmarks(picture, engine, wanted, box, found, mesh),
        _with_head_pose(seen, mesh),
        encode_chips(stored) if wanted.chips else None,
        encode_crop(picture, box, found.turns, wanted.search.never) if wanted.chips else None,
    )


def _mesh(picture: Picture, engine: Engine, wanted: AnalyseTask, box: Box, alignment: AlignedFace) -> MeshPoints | None:
    """Return the mesh of an upright face, or None if the task does not need it: it takes 5 ms."""
    if not wanted.head_pose and wanted.landmarks in (0, 5):
        return None
    return engine.mesh.points(picture, box, roll_of_points(alignment.points))


def _with_head_pose(quality: Quality, mesh: MeshPoints | None) -> Quality:
    return quality if mesh is None else replace(quality, **asdict(measure_head_pose(mesh)))


def _landmarks(
    picture: Picture, engine: Engine, wanted: AnalyseTask, box: Box, alignment: AlignedFace, mesh: MeshPoints | None
) -> Landmarks | None:
    match wanted.landmarks:
        case 0:
            return None
        case 5:
            return name_5_points(alignment.points)
        case 68:
            return name_68_points(_points_68(picture, engine, box, alignment.turns, mesh))
        case 468:
            assert mesh is not None
            return name_mesh_points(mesh)


def _points_68(picture: Picture, engine: Engine, box: Box, turns: int, mesh: MeshPoints | None) -> Points:
    if engine.predictor_68 is None:
        assert mesh is not None
        return mesh[list(MESH_POINTS_68), :2]
    if not turns:
        return engine.predictor_68.points(picture, box)
    part = turned_part(picture, box, turns)
    return part.points_in_picture(engine.predictor_68.points(part.of(picture), part.box(box)))
