from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from gateway.errors import BadImage, TooLarge
from gateway.model import Image, Look
from gateway.vision.decode import decode
from gateway.vision.engine import Engine
from gateway.vision.look import look
from tests.examples import encoded
from tests.support import frame

MAX_PIXELS = 25_000_000


def test_a_face_is_found_and_described(engine: Engine) -> None:
    data = frame("obama_1")
    seen = look(data, engine, Look(), MAX_PIXELS)
    (face,) = seen.faces
    assert seen.image == Image(853, 480, len(data))
    assert face.descriptor is not None
    assert np.linalg.norm(face.descriptor) == pytest.approx(1)
    assert face.landmarks is None
    assert list(seen.timing) == ["decode", "detect", "embed"]


def test_only_what_is_wanted_is_made(engine: Engine) -> None:
    seen = look(frame("obama_1"), engine, Look(descriptors=False), MAX_PIXELS)
    assert [(face.descriptor, face.landmarks) for face in seen.faces] == [(None, None)]
    assert list(seen.timing) == ["decode", "detect"]


def test_landmarks_are_68_points_in_groups_within_the_picture(engine: Engine) -> None:
    seen = look(frame("obama_1"), engine, Look(descriptors=False, landmarks=True), MAX_PIXELS)
    landmarks = seen.faces[0].landmarks
    assert landmarks is not None
    points = [point for group in landmarks.values() for point in group]
    assert len(set(points)) == 68
    assert all(0 <= x < 853 and 0 <= y < 480 for x, y in points)
    assert list(seen.timing) == ["decode", "detect", "landmarks"]


def test_a_large_picture_is_shrunk_for_detection_alone(engine: Engine) -> None:
    """A phone's 12 megapixels: the box is given in its own pixels, and the person is still the same."""
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as small:
        large = encoded(small.resize((4265, 2400)), "JPEG")
    (before,) = look(frame("obama_1"), engine, Look(), MAX_PIXELS).faces
    (after,) = look(large, engine, Look(), MAX_PIXELS).faces
    assert abs(after.box.left / 5 - before.box.left) < 20
    assert abs(after.box.bottom / 5 - before.box.bottom) < 20
    assert before.descriptor is not None
    assert after.descriptor is not None
    assert before.descriptor @ after.descriptor > 0.97


def test_a_picture_of_nobody_has_no_faces(engine: Engine) -> None:
    assert look(frame("empty_1"), engine, Look(landmarks=True), MAX_PIXELS).faces == ()


def test_a_picture_stored_lying_is_seen_upright(engine: Engine) -> None:
    """As phones store them: turned, with the EXIF tag that says so."""
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as image:
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        lying = encoded(image.transpose(PIL.Image.Transpose.ROTATE_90), "PNG", exif=exif)
    upright = engine.detect(decode(frame("obama_1"), MAX_PIXELS))
    seen = look(lying, engine, Look(descriptors=False), MAX_PIXELS)
    assert seen.image == Image(853, 480, len(lying))
    assert [face.box for face in seen.faces] == upright


def test_grey_is_good_enough_for_a_face(engine: Engine) -> None:
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as image:
        grey = encoded(image.convert("L"), "JPEG")
    assert len(look(grey, engine, Look(descriptors=False), MAX_PIXELS).faces) == 1


@pytest.mark.parametrize(("data", "pixels", "error"), [(b"", MAX_PIXELS, BadImage), (frame("obama_1"), 1000, TooLarge)])
def test_what_cannot_be_looked_at_is_refused(engine: Engine, data: bytes, pixels: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        look(data, engine, Look(), pixels)
