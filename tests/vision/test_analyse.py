from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from gateway.errors import BadImage, TooLarge
from gateway.model import AnalyseTask, Box, FoundFace, Image, PictureLimits, Polygon, Purpose, Search
from gateway.vision import analyse as module
from gateway.vision.analyse import analyse, largest, redescribe
from gateway.vision.chips import decode_chips
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Detection, Engine
from gateway.vision.engines.landmarks import Predictor68
from gateway.vision.engines.options import EngineOptions
from gateway.vision.engines.registry import open_engine
from tests.examples import encoded
from tests.support import frame

LIMITS = PictureLimits()


def crop_obama(left: int, top: int, right: int, bottom: int) -> bytes:
    """Return a part of obama_1. The face is at 386, 96 to 551, 260."""
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as image:
        return encoded(image.crop((left, top, right, bottom)), "PNG")


PORTRAIT = crop_obama(310, 30, 630, 320)


@pytest.fixture(scope="module", params=["facegate", "engine"])
def either(request: pytest.FixtureRequest) -> Engine:
    """The gateway's own engine, and the stock engine."""
    found: Engine = request.getfixturevalue(request.param)
    return found


def analyse_single_face(data: bytes, engine: Engine, wanted: AnalyseTask) -> FoundFace:
    return analyse(data, engine, wanted, LIMITS).single_face()


def test_analyse_finds_and_describes_a_face(either: Engine) -> None:
    data = PORTRAIT
    seen = analyse(data, either, AnalyseTask(), LIMITS)
    (face,) = seen.faces
    assert seen.image == Image(320, 290, len(data))
    assert face.descriptor is not None
    assert np.linalg.norm(face.descriptor) == pytest.approx(1)
    assert face.quality is not None
    assert face.quality.pixels == pytest.approx(face.box.right - face.box.left, abs=2)
    assert (face.landmarks, face.chips, seen.drawn) == (None, None, None)
    assert list(seen.timing) == ["decode", "detect", "align", "embed", "details"]


def test_analyse_omits_details_that_are_not_requested(either: Engine) -> None:
    seen = analyse(PORTRAIT, either, AnalyseTask(descriptors=None), LIMITS)
    assert [(face.descriptor, face.landmarks, face.chips) for face in seen.faces] == [(None, None, None)]
    assert list(seen.timing) == ["decode", "detect", "align", "details"]


@pytest.mark.parametrize(("chips", "count"), [(False, None), (True, 3)])
def test_analyse_returns_chips_on_request(either: Engine, chips: bool, count: int | None) -> None:
    face = analyse_single_face(PORTRAIT, either, AnalyseTask(descriptors="enrolment", chips=chips))
    assert (face.chips and len(decode_chips(face.chips))) == count


@pytest.mark.parametrize("data", [PORTRAIT, frame("biden_2"), frame("hopper_1")], ids=["obama", "biden", "hopper"])
def test_redescribed_face_has_a_similar_descriptor(facegate: Engine, data: bytes) -> None:
    check_redescription(facegate, data)


def test_face_redescribed_by_the_stock_engine_has_a_similar_descriptor(engine: Engine) -> None:
    check_redescription(engine, PORTRAIT)


def check_redescription(engine: Engine, data: bytes) -> None:
    """Check the descriptor that is made from the stored chips, which are JPEG."""
    face = analyse_single_face(data, engine, AnalyseTask(descriptors="enrolment", chips=True))
    assert face.chips is not None
    seen = redescribe(face.chips, engine)
    again = seen.single_face()
    assert again.descriptor is not None
    assert face.descriptor is not None
    assert again.descriptor @ face.descriptor > 0.999
    # The store has the chips already.
    assert again.chips is None
    assert (seen.image, again.box) == (Image(150, 150, len(face.chips)), Box(0, 0, 150, 150))
    assert list(seen.timing) == ["embed"]


def test_task_for_a_sole_face_does_not_describe_several(either: Engine) -> None:
    """A collage of a thousand faces would take gigabytes, and would be refused anyway."""
    two = np.hstack([decode(PORTRAIT, LIMITS)] * 2)
    data = encoded(PIL.Image.fromarray(two), "PNG")
    for sole in (True, False):
        faces = analyse(data, either, AnalyseTask(descriptors="enrolment", single_face=sole), LIMITS).faces
        assert len(faces) == 2
        assert all((face.descriptor is None) == sole for face in faces)


def test_largest_keeps_the_order_of_the_faces() -> None:
    faces = [Detection(Box(0, 0, side, side), 1.0) for side in (3, 9, 5, 9, 1, 7)]
    assert largest(faces, 3) == [faces[1], faces[3], faces[5]]
    assert largest(faces, 1) == [faces[1]]
    assert largest(faces, 9) == faces
    assert largest([], 3) == []


@pytest.mark.parametrize("wanted", [AnalyseTask(descriptors=None), AnalyseTask(single_face=True)])
def test_analyse_describes_the_largest_faces_and_counts_the_others(
    either: Engine, wanted: AnalyseTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: a picture with 484 faces took a worker longer than its time limit."""
    monkeypatch.setattr(module, "MAX_FACES", 2)
    portrait = decode(PORTRAIT, LIMITS)
    smaller = np.full_like(portrait, 128)
    smaller[:174, :192] = np.asarray(PIL.Image.fromarray(portrait).resize((192, 174)))
    data = encoded(PIL.Image.fromarray(np.hstack([portrait, smaller, portrait])), "PNG")
    seen = analyse(data, either, wanted, LIMITS)
    assert (len(seen.faces), seen.left_out) == (2, 1)
    assert not any(320 <= face.box.left < 640 for face in seen.faces)


@pytest.mark.parametrize("data", [b"", b"no chips", PORTRAIT])
def test_redescribe_refuses_data_that_are_no_chips(facegate: Engine, data: bytes) -> None:
    with pytest.raises(BadImage):
        redescribe(data, facegate)


def test_descriptors_for_enrolment_and_stream_are_similar(either: Engine) -> None:
    """The descriptors are made of six and two chips, or of one and one, and must be comparable."""
    tasks = [AnalyseTask(descriptors="enrolment"), AnalyseTask(descriptors="stream")]
    known, streamed = (analyse_single_face(PORTRAIT, either, task) for task in tasks)
    assert known.descriptor is not None
    assert streamed.descriptor is not None
    assert known.descriptor @ streamed.descriptor > 0.99


def test_analyse_returns_the_five_landmarks_of_the_alignment(either: Engine) -> None:
    face = analyse_single_face(PORTRAIT, either, AnalyseTask(landmarks=5))
    assert face.landmarks is not None
    assert {name: len(points) for name, points in face.landmarks.items()} == {
        "nose_tip": 1,
        "left_eye": 2,
        "right_eye": 2,
    }
    assert all(
        face.box.left < x < face.box.right and face.box.top < y < face.box.bottom
        for points in face.landmarks.values()
        for x, y in points
    )


def test_analyse_returns_68_landmarks_inside_the_picture(either: Engine) -> None:
    landmarks = analyse_single_face(PORTRAIT, either, AnalyseTask(descriptors=None, landmarks=68)).landmarks
    assert landmarks is not None
    points = [point for group in landmarks.values() for point in group]
    assert len(set(points)) == 68
    assert all(0 <= x < 320 and 0 <= y < 290 for x, y in points)


def test_analyse_returns_the_mesh_of_a_lying_face_on_the_face(facegate: Engine) -> None:
    def mesh(data: bytes) -> list[tuple[int, int]]:
        landmarks = analyse_single_face(data, facegate, AnalyseTask(descriptors=None, landmarks=468)).landmarks
        assert landmarks is not None
        return landmarks["mesh"]

    with PIL.Image.open(io.BytesIO(PORTRAIT)) as image:
        lying = encoded(image.rotate(-60, expand=True), "PNG")
        width, height = image.rotate(-60, expand=True).size
    upright = np.array(mesh(PORTRAIT)) - [160, 145]
    cos, sin = np.cos(np.radians(60)), np.sin(np.radians(60))
    expected = upright @ np.array([[cos, sin], [-sin, cos]]) + [width / 2, height / 2]
    assert np.linalg.norm(np.array(mesh(lying)) - expected, axis=1).mean() < 6


def test_network_of_the_mesh_runs_only_when_it_is_needed(models: Path) -> None:
    engine = open_engine(EngineOptions("facegate", models))
    assert engine.predictor_68 is None
    for wanted in (AnalyseTask(), AnalyseTask(landmarks=5), AnalyseTask(descriptors="enrolment", landmarks=5)):
        quality = analyse_single_face(PORTRAIT, engine, wanted).quality
        assert quality is not None
        assert (quality.yaw, quality.pitch, quality.roll) == (None, None, None)
    for wanted in (AnalyseTask(landmarks=68), AnalyseTask(landmarks=468), AnalyseTask(head_pose=True)):
        quality = analyse_single_face(PORTRAIT, engine, wanted).quality
        assert quality is not None
        assert None not in (quality.yaw, quality.pitch, quality.roll)


def test_68_point_model_is_loaded_at_the_start_only_if_the_settings_want_it(models: Path) -> None:
    """The model takes 100 MB. A confined process cannot open its file later."""
    assert open_engine(EngineOptions("facegate", models)).predictor_68 is None
    assert isinstance(open_engine(EngineOptions("facegate", models, dlib_68=True)).predictor_68, Predictor68)


@pytest.mark.parametrize(
    "edges", [(430, 0, 853, 480), (100, 0, 500, 400), (380, 130, 853, 480), (300, 0, 640, 220)], ids=str
)
def test_box_of_a_cut_off_face_is_inside_the_picture(facegate: Engine, edges: tuple[int, int, int, int]) -> None:
    seen = analyse(crop_obama(*edges), facegate, AnalyseTask(landmarks=5), LIMITS)
    assert seen.faces
    for face in seen.faces:
        assert face.box.clipped_to(seen.image.width, seen.image.height) == face.box
        assert face.quality is not None
        assert face.quality.inside < 1


def test_analyse_returns_only_faces_that_match_the_search(facegate: Engine) -> None:
    left = (((0, 0), (0.2, 0), (0.2, 1), (0, 1)),)
    assert analyse(PORTRAIT, facegate, AnalyseTask(Search(only=left)), LIMITS).faces == ()
    assert len(analyse(PORTRAIT, facegate, AnalyseTask(Search(never=left)), LIMITS).faces) == 1
    assert analyse(PORTRAIT, facegate, AnalyseTask(Search(min_face=300)), LIMITS).faces == ()
    assert analyse(PORTRAIT, facegate, AnalyseTask(Search(max_face=60)), LIMITS).faces == ()


@pytest.mark.parametrize("purpose", ["stream", "enrolment"])
def test_chips_are_black_where_faces_never_count_but_the_descriptor_is_the_same(
    facegate: Engine, purpose: Purpose
) -> None:
    """Regression: exports contained the regions that no picture may show."""
    right: Polygon = ((0.6, 0), (1, 0), (1, 1), (0.6, 1))
    faces = [
        analyse_single_face(PORTRAIT, facegate, AnalyseTask(Search(never=never), purpose, chips=True))
        for never in ((), (right,))
    ]
    plain, hidden = faces
    assert plain.descriptor is not None
    assert hidden.descriptor is not None
    assert (plain.descriptor == hidden.descriptor).all()
    before, after = (decode_chips(each.chips or b"").astype(int) for each in faces)
    # The middle of the face is left of the region.
    assert np.abs(after - before)[:, :, :75].max() < 40
    assert after[:, :, 125:].max() < 30
    assert before[:, :, 125:].max() > 100


def test_enlarged_picture_shows_the_same_person(either: Engine) -> None:
    """The stock engine reduces pictures above 4 megapixels. The box must be in pixels of the original."""
    with PIL.Image.open(io.BytesIO(PORTRAIT)) as small:
        large = encoded(small.resize((8 * 320, 8 * 290)), "JPEG")
    before, after = (
        analyse_single_face(PORTRAIT, either, AnalyseTask()),
        analyse_single_face(large, either, AnalyseTask()),
    )
    small_box, large_box = (np.array([[box.left, box.top], [box.right, box.bottom]]) for box in (before.box, after.box))
    # The face is found on the same level of the pyramid, or on the next one, whose windows are a fifth larger.
    assert np.abs(large_box.mean(axis=0) / 8 - small_box.mean(axis=0)).max() < 33
    larger = np.ptp(large_box, axis=0) / 8 / np.ptp(small_box, axis=0)
    assert (np.abs(np.log(larger)) < np.log(1.5)).all()
    assert before.descriptor is not None
    assert after.descriptor is not None
    assert before.descriptor @ after.descriptor > 0.97


def test_analyse_finds_no_face_in_an_empty_picture(either: Engine) -> None:
    for wanted in (AnalyseTask(landmarks=68), AnalyseTask(descriptors="enrolment"), AnalyseTask(descriptors=None)):
        assert analyse(crop_obama(0, 0, 300, 300), either, wanted, LIMITS).faces == ()


def test_analyse_rotates_a_picture_by_its_exif_orientation(either: Engine) -> None:
    """Phones store pictures rotated, with the rotation in an EXIF tag."""
    with PIL.Image.open(io.BytesIO(PORTRAIT)) as image:
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        lying = encoded(image.transpose(PIL.Image.Transpose.ROTATE_90), "PNG", exif=exif)
    upright = either.detector.detect(decode(PORTRAIT, LIMITS), 56, None)
    seen = analyse(lying, either, AnalyseTask(descriptors=None), LIMITS)
    assert seen.image == Image(320, 290, len(lying))
    assert [face.box for face in seen.faces] == [face.box for face in upright]


def test_analyse_finds_a_face_in_a_grey_picture(either: Engine) -> None:
    with PIL.Image.open(io.BytesIO(PORTRAIT)) as image:
        grey = encoded(image.convert("L"), "JPEG")
    assert len(analyse(grey, either, AnalyseTask(descriptors=None), LIMITS).faces) == 1


@pytest.mark.parametrize(
    ("data", "limits", "error"), [(b"", LIMITS, BadImage), (frame("obama_1"), PictureLimits(1000), TooLarge)]
)
def test_analyse_refuses_undecodable_data(
    facegate: Engine, data: bytes, limits: PictureLimits, error: type[Exception]
) -> None:
    with pytest.raises(error):
        analyse(data, facegate, AnalyseTask(), limits)


def test_unconfirmed_face_is_found_but_not_described(facegate: Engine) -> None:
    class Proposing:
        """A detector whose second stage sees no face."""

        def detect(self, picture: Picture, min_face: int, max_face: int | None) -> list[Detection]:
            return [replace(each, confirmed=False) for each in facegate.detector.detect(picture, min_face, max_face)]

        def score_upright(self, tiles: Sequence[Picture]) -> list[float]:
            return facegate.detector.score_upright(tiles)

    unsure = replace(facegate, detector=Proposing())
    face = analyse_single_face(PORTRAIT, unsure, AnalyseTask(landmarks=5, chips=True))
    assert (face.descriptor, face.landmarks, face.chips, face.crop) == (None, None, None, None)
    assert face.quality is not None
    assert (face.quality.confirmed, face.quality.pose) == (False, 0)


def test_confirmed_faces_are_kept_before_larger_unconfirmed_ones() -> None:
    small, large = Detection(Box(0, 0, 60, 60), 1.0), Detection(Box(0, 0, 90, 90), -1.0, confirmed=False)
    assert largest([large, small], 1) == [small]


def test_pyramid_finds_and_describes_the_same_face(facegate: Engine, pyramid: Engine) -> None:
    one, other = (analyse_single_face(PORTRAIT, engine, AnalyseTask()).descriptor for engine in (facegate, pyramid))
    assert one is not None
    assert other is not None
    assert float(one @ other) > 0.98
