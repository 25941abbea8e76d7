from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from gateway.errors import BadImage, TooLarge
from gateway.model import Box, FoundFace, Image, Look, Purpose, Search
from gateway.vision.align import unpack
from gateway.vision.decode import decode
from gateway.vision.engine import Engine, open_engine
from gateway.vision.look import look, look_again
from gateway.vision.options import EngineOptions
from tests.examples import encoded
from tests.support import frame

MAX_PIXELS = 25_000_000


@pytest.fixture(scope="module", params=["facegate", "engine"])
def either(request: pytest.FixtureRequest) -> Engine:
    """Our own engine, and stock."""
    found: Engine = request.getfixturevalue(request.param)
    return found


def sole(data: bytes, engine: Engine, wanted: Look) -> FoundFace:
    return look(data, engine, wanted, MAX_PIXELS).sole_face()


def test_a_face_is_found_and_described(either: Engine) -> None:
    data = frame("obama_1")
    seen = look(data, either, Look(), MAX_PIXELS)
    (face,) = seen.faces
    assert seen.image == Image(853, 480, len(data))
    assert face.descriptor is not None
    assert np.linalg.norm(face.descriptor) == pytest.approx(1)
    assert face.quality is not None
    assert face.quality.pixels == pytest.approx(face.box.right - face.box.left, abs=2)
    assert (face.landmarks, face.chips, seen.drawn) == (None, None, None)
    assert list(seen.timing) == ["decode", "detect", "align", "embed", "details"]


def test_only_what_is_wanted_is_made(either: Engine) -> None:
    seen = look(frame("obama_1"), either, Look(descriptors=None), MAX_PIXELS)
    assert [(face.descriptor, face.landmarks, face.chips) for face in seen.faces] == [(None, None, None)]
    assert list(seen.timing) == ["decode", "detect", "align", "details"]


def test_the_stages_take_what_they_say(either: Engine) -> None:
    timing = look(frame("obama_1"), either, Look(), MAX_PIXELS).timing
    assert all(0 <= ms < 60_000 for ms in timing.values())


@pytest.mark.parametrize(("purpose", "count"), [("stream", None), ("enrolment", 3)])
def test_chips_are_kept_of_who_is_to_be_known(either: Engine, purpose: Purpose, count: int | None) -> None:
    face = sole(frame("obama_1"), either, Look(descriptors=purpose))
    assert (face.chips and len(unpack(face.chips))) == count


@pytest.mark.parametrize("name", ["obama_1", "biden_2", "hopper_1"])
def test_a_face_looked_at_again_is_described_alike(either: Engine, name: str) -> None:
    """From its chips alone, which are JPEG."""
    face = sole(frame(name), either, Look(descriptors="enrolment"))
    assert face.chips is not None
    seen = look_again(face.chips, either)
    again = seen.sole_face()
    assert again.descriptor is not None
    assert face.descriptor is not None
    assert again.descriptor @ face.descriptor > 0.999
    assert again.chips == face.chips
    assert (seen.image, again.box) == (Image(150, 150, len(face.chips)), Box(0, 0, 150, 150))
    assert list(seen.timing) == ["embed"]


@pytest.mark.parametrize("data", [b"", b"no chips", frame("obama_1")])
def test_what_are_no_chips_is_not_looked_at_again(
    request: pytest.FixtureRequest, facegate: Engine, data: bytes
) -> None:
    if not data:
        request.applymarker(pytest.mark.xfail(strict=True, reason="align.unpack: of no bytes OpenCV raises its own"))
    with pytest.raises(BadImage):
        look_again(data, facegate)


def test_a_known_face_and_one_of_a_stream_are_described_much_alike(either: Engine) -> None:
    """Six chips against two, or one against one: they are made to be compared."""
    known, streamed = (sole(frame("obama_1"), either, Look(descriptors=each)) for each in ("enrolment", "stream"))
    assert known.descriptor is not None
    assert streamed.descriptor is not None
    assert known.descriptor @ streamed.descriptor > 0.99


def test_five_landmarks_are_those_that_the_face_was_aligned_by(either: Engine) -> None:
    face = sole(frame("obama_1"), either, Look(landmarks=5))
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


def test_landmarks_are_68_points_in_groups_within_the_picture(either: Engine) -> None:
    landmarks = sole(frame("obama_1"), either, Look(descriptors=None, landmarks=68)).landmarks
    assert landmarks is not None
    points = [point for group in landmarks.values() for point in group]
    assert len(set(points)) == 68
    assert all(0 <= x < 853 and 0 <= y < 480 for x, y in points)


@pytest.mark.parametrize("name", ["facegate", "dlib-hog"])
def test_the_68_point_model_is_loaded_for_68_points_alone(models: Path, name: str) -> None:
    engine = open_engine(EngineOptions(name, models))  # type: ignore[arg-type]
    for wanted in (Look(), Look(landmarks=5), Look(descriptors="enrolment", landmarks=5)):
        look(frame("obama_1"), engine, wanted, MAX_PIXELS)
    assert engine.predictor_68._predictor is None
    look(frame("empty_1"), engine, Look(landmarks=68), MAX_PIXELS)
    assert engine.predictor_68._predictor is None
    look(frame("obama_1"), engine, Look(landmarks=68), MAX_PIXELS)
    assert engine.predictor_68._predictor is not None


@pytest.mark.parametrize("cut", [(430, 0, 853, 480), (0, 0, 500, 480), (380, 130, 853, 480), (300, 0, 640, 220)])
def test_boxes_lie_within_the_picture_also_of_faces_that_do_not(
    facegate: Engine, cut: tuple[int, int, int, int]
) -> None:
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as image:
        part = image.crop(cut)
    seen = look(encoded(part, "PNG"), facegate, Look(landmarks=5), MAX_PIXELS)
    assert seen.faces
    for face in seen.faces:
        assert 0 <= face.box.left < face.box.right <= part.width
        assert 0 <= face.box.top < face.box.bottom <= part.height
        assert face.quality is not None
        assert face.quality.inside < 1


def test_only_faces_that_count_are_described(facegate: Engine) -> None:
    left = Search(only=(((0, 0), (0.3, 0), (0.3, 1), (0, 1)),))
    assert look(frame("obama_1"), facegate, Look(left), MAX_PIXELS).faces == ()
    assert len(look(frame("obama_1"), facegate, Look(Search(never=left.only)), MAX_PIXELS).faces) == 1
    assert look(frame("obama_1"), facegate, Look(Search(min_face=300)), MAX_PIXELS).faces == ()
    assert look(frame("obama_1"), facegate, Look(Search(max_face=60)), MAX_PIXELS).faces == ()


def test_a_large_picture_is_the_same_person(either: Engine) -> None:
    """A phone's 12 megapixels: the box is given in its own pixels."""
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as small:
        large = encoded(small.resize((3412, 1920)), "JPEG")
    before, after = sole(frame("obama_1"), either, Look()), sole(large, either, Look())
    assert abs(after.box.left / 4 - before.box.left) < 25
    assert abs(after.box.bottom / 4 - before.box.bottom) < 25
    assert before.descriptor is not None
    assert after.descriptor is not None
    assert before.descriptor @ after.descriptor > 0.97


def test_a_picture_of_nobody_has_no_faces(either: Engine) -> None:
    for wanted in (Look(landmarks=68), Look(descriptors="enrolment"), Look(descriptors=None)):
        assert look(frame("empty_1"), either, wanted, MAX_PIXELS).faces == ()


def test_a_picture_stored_lying_is_seen_upright(either: Engine) -> None:
    """As phones store them: turned, with the EXIF tag that says so."""
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as image:
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        lying = encoded(image.transpose(PIL.Image.Transpose.ROTATE_90), "PNG", exif=exif)
    upright = either.detector.detect(decode(frame("obama_1"), MAX_PIXELS), 56, None)
    seen = look(lying, either, Look(descriptors=None), MAX_PIXELS)
    assert seen.image == Image(853, 480, len(lying))
    assert [face.box for face in seen.faces] == upright


def test_grey_is_good_enough_for_a_face(either: Engine) -> None:
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as image:
        grey = encoded(image.convert("L"), "JPEG")
    assert len(look(grey, either, Look(descriptors=None), MAX_PIXELS).faces) == 1


@pytest.mark.parametrize(("data", "pixels", "error"), [(b"", MAX_PIXELS, BadImage), (frame("obama_1"), 1000, TooLarge)])
def test_what_cannot_be_looked_at_is_refused(
    facegate: Engine, data: bytes, pixels: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        look(data, facegate, Look(), pixels)
