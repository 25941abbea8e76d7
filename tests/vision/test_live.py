"""Tests of looks at live frames, with the gateway's own engine and real pictures."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from gateway.errors import BadImage, GatewayError, TooLarge
from gateway.model import AnalyseTask, Analysis, Box, LiveTask, Mounting, PictureLimits, Polygon, Search
from gateway.vision.analyse import analyse
from gateway.vision.decoding.decode import decode
from gateway.vision.engine import Engine
from gateway.vision.live import look
from gateway.vision.tasks import run_task
from tests.support import frame

LIMITS = PictureLimits()
OBAMA = frame("obama_1")
"""A picture of 853 x 480 pixels with one face."""
FACE = Box(386, 96, 551, 260)

Pixels = NDArray[np.uint8]


class Camera:
    """A camera whose frames are looked at one after the other, with the state that ``live/looks.py`` would keep."""

    def __init__(self, engine: Engine, search: Search | None = None) -> None:
        self._engine = engine
        self._task = LiveTask(search or Search())

    def show(self, data: bytes, **changes: object) -> Analysis:
        task = replace(self._task, **{"full": self._task.thumbnail is None, **changes})  # type: ignore[arg-type]
        seen = look(data, self._engine, task, LIMITS)
        faces = (*(face.box for face in seen.faces), *seen.still)
        self._task = replace(self._task, thumbnail=seen.thumbnail or self._task.thumbnail, faces=faces)
        return seen


@pytest.fixture
def camera(facegate: Engine) -> Camera:
    return Camera(facegate)


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.asarray(PIL.Image.open(io.BytesIO(OBAMA)).convert("RGB"), np.uint8)


@pytest.fixture(scope="module")
def empty(pixels: Pixels) -> Pixels:
    """The picture with a plain wall in front of the face."""
    covered: Pixels = pixels.copy()
    covered[40:, 340:600] = (120, 130, 140)
    return covered


def encoded(pixels: Pixels, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, kind, **({"quality": 90} | options))
    return buffer.getvalue()


def only_face(seen: Analysis) -> Box:
    (face,) = seen.faces
    return face.box


def overlap(one: Box, other: Box) -> float:
    both = one.intersection(other)
    return 0.0 if both is None else both.area / (one.area + other.area - both.area)


def test_first_frame_is_looked_at_as_a_picture_of_any_other_request(camera: Camera, facegate: Engine) -> None:
    seen, expected = camera.show(OBAMA), analyse(OBAMA, facegate, AnalyseTask(), LIMITS)
    assert seen.looked == "full"
    assert only_face(seen) == only_face(expected)
    assert seen.faces[0].descriptor is not None
    assert expected.faces[0].descriptor is not None
    assert np.array_equal(seen.faces[0].descriptor, expected.faces[0].descriptor)
    assert seen.image == expected.image


def test_unchanged_frame_is_answered_without_decoding_or_detection(camera: Camera) -> None:
    first = camera.show(OBAMA)
    seen = camera.show(OBAMA)
    assert (seen.looked, seen.faces, seen.still) == ("nothing", (), (only_face(first),))
    assert seen.thumbnail is None
    assert list(seen.timing) == ["gate"]
    assert seen.image == first.image


@pytest.mark.parametrize("forged", [b"", b"\0", bytes(4), bytes(40_000), b"\xff" * 40_000], ids=len)
def test_forged_thumbnail_does_not_blind_the_camera(camera: Camera, forged: bytes) -> None:
    """Regression: bytes from a worker process that a picture had taken over made each later frame of a camera fail."""
    first = camera.show(OBAMA)
    seen = camera.show(OBAMA, thumbnail=forged)
    assert (seen.looked, [face.box for face in seen.faces]) == ("full", [only_face(first)])
    assert seen.thumbnail is not None


def test_first_frame_without_a_full_look_gets_a_thumbnail(camera: Camera) -> None:
    first = camera.show(OBAMA, full=False)
    assert (first.looked, first.faces, list(first.timing)) == ("nothing", (), ["gate"])
    assert first.thumbnail is not None
    assert camera.show(OBAMA).looked == "nothing"
    assert len(camera.show(OBAMA, full=True).faces) == 1


def test_full_look_is_made_on_request(camera: Camera) -> None:
    first = camera.show(OBAMA)
    seen = camera.show(OBAMA, full=True)
    assert seen.looked == "full"
    assert only_face(seen) == only_face(first)


def test_face_that_comes_is_found_in_the_changed_part(camera: Camera, pixels: Pixels, empty: Pixels) -> None:
    assert camera.show(encoded(empty)).faces == ()
    seen = camera.show(encoded(pixels))
    assert seen.looked in ("parts", "full")
    assert overlap(only_face(seen), FACE) > 0.7


def test_small_change_is_looked_at_alone(facegate: Engine, pixels: Pixels) -> None:
    camera = Camera(facegate)
    face = only_face(camera.show(encoded(pixels)))
    seen = pixels.copy()
    seen[400:450, 40:90] = (230, 40, 40)
    found = camera.show(encoded(seen))
    assert (found.looked, found.faces, found.still) == ("parts", (), (face,))
    (place,) = found.changed
    assert place.intersection(Box(40, 400, 90, 450)) == Box(40, 400, 90, 450)
    # That place has been looked at now.
    assert camera.show(encoded(seen)).looked == "nothing"


def test_change_beside_a_face_looks_at_the_whole_face_again(facegate: Engine, pixels: Pixels) -> None:
    camera = Camera(facegate)
    face = only_face(camera.show(encoded(pixels)))
    seen = pixels.copy()
    seen[140:190, 560:610] = (230, 40, 40)
    found = camera.show(encoded(seen))
    assert found.looked != "nothing"
    assert found.still == ()
    assert overlap(only_face(found), face) > 0.8


def test_face_that_goes_is_not_still_there(camera: Camera, pixels: Pixels, empty: Pixels) -> None:
    camera.show(encoded(pixels))
    seen = camera.show(encoded(empty))
    assert (seen.faces, seen.still) == ((), ())
    assert seen.looked != "nothing"


def test_place_is_looked_at_on_request(camera: Camera) -> None:
    face = only_face(camera.show(OBAMA))
    seen = camera.show(OBAMA, look_at=(face,))
    assert seen.looked == "parts"
    assert seen.changed == ()
    assert overlap(only_face(seen), face) > 0.8


def test_change_of_the_whole_picture_is_a_full_look(camera: Camera, pixels: Pixels) -> None:
    camera.show(encoded(pixels[:, ::-1]))
    assert camera.show(encoded(255 - pixels)).looked == "full"


def test_picture_of_another_size_is_a_full_look(camera: Camera, pixels: Pixels) -> None:
    camera.show(encoded(pixels))
    seen = camera.show(encoded(pixels[:240]))
    assert (seen.looked, seen.image.height) == ("full", 240)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_other_files_pass_the_gate_too(camera: Camera, pixels: Pixels, empty: Pixels, kind: str) -> None:
    assert camera.show(encoded(empty, kind)).looked == "full"
    assert camera.show(encoded(empty, kind)).looked == "nothing"
    assert overlap(only_face(camera.show(encoded(pixels, kind))), FACE) > 0.7


@pytest.mark.parametrize(
    "options",
    [{"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"keep_rgb": True}, {"quality": 40}],
    ids=str,
)
def test_jpegs_of_all_kinds_have_about_the_same_thumbnail(camera: Camera, pixels: Pixels, options: object) -> None:
    camera.show(encoded(pixels))
    assert isinstance(options, dict)
    assert camera.show(encoded(pixels, **options)).looked == "nothing"


def test_grey_and_cmyk_jpegs_pass_the_gate(camera: Camera, pixels: Pixels) -> None:
    for mode in ("L", "CMYK"):
        buffer = io.BytesIO()
        PIL.Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", quality=90)
        camera.show(buffer.getvalue(), full=True)
        assert camera.show(buffer.getvalue()).looked == "nothing"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mounting", [Mounting(), Mounting(90), Mounting(180, mirror=True), Mounting(270, mirror=True)])
def test_places_are_in_pixels_of_the_upright_picture(facegate: Engine, orientation: int, mounting: Mounting) -> None:
    """The thumbnail is turned as the picture is: by its file, and by the mounting of the camera."""
    random = np.random.default_rng(1)
    before = np.kron(random.integers(60, 120, (20, 36, 1), dtype=np.uint8), np.ones((16, 16, 3), np.uint8))
    after = before.copy()
    after[20:60, 400:450] = 255
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    camera = Camera(facegate, Search(40, mounting=mounting))
    camera.show(encoded(before, exif=exif))
    seen = camera.show(encoded(after, exif=exif))
    (place,) = seen.changed
    shown = _upright(encoded(after, exif=exif), mounting)
    assert (seen.image.height, seen.image.width) == shown.shape[:2]
    rows, columns = np.nonzero(shown[:, :, 1] > 240)
    bright = Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    assert place.intersection(bright) == bright
    assert place.area < 6 * bright.area


def _upright(data: bytes, mounting: Mounting) -> Pixels:
    turned: Pixels = np.rot90(decode(data, LIMITS), -mounting.rotate // 90)
    return turned[:, ::-1] if mounting.mirror else turned


def test_reduced_jpeg_has_its_places_in_pixels_as_it_was_sent(facegate: Engine, pixels: Pixels, empty: Pixels) -> None:
    limits = PictureLimits(pixels=430 * 240, jpeg_pixels=853 * 480)
    task = LiveTask(Search(30))
    first = look(encoded(empty), facegate, replace(task, full=True), limits)
    seen = look(encoded(pixels), facegate, replace(task, thumbnail=first.thumbnail), limits)
    assert seen.looked in ("parts", "full")
    assert overlap(only_face(seen), FACE) > 0.6


def test_change_in_a_region_without_faces_is_ignored(facegate: Engine, pixels: Pixels, empty: Pixels) -> None:
    middle: Polygon = ((0.35, 0.0), (0.75, 0.0), (0.75, 1.0), (0.35, 1.0))
    camera = Camera(facegate, Search(never=(middle,)))
    camera.show(encoded(empty))
    assert camera.show(encoded(pixels)).looked == "nothing"


def test_stream_face_has_chips_and_a_crop_unless_they_are_not_wanted(camera: Camera) -> None:
    (face,) = camera.show(OBAMA).faces
    assert face.crop is not None
    assert face.chips is not None
    (plain,) = camera.show(OBAMA, full=True, pictures=False).faces
    assert (plain.crop, plain.chips) == (None, None)


def test_crop_has_regions_without_faces_in_black(facegate: Engine) -> None:
    beside: Polygon = ((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0))
    (plain,) = Camera(facegate).show(OBAMA).faces
    (face,) = Camera(facegate, Search(never=(beside,))).show(OBAMA).faces
    assert face.crop is not None
    assert plain.crop is not None
    before, after = (decode(each, LIMITS).astype(int) for each in (plain.crop, face.crop))
    # The region begins at 512 of 853 pixels. The crop begins a quarter of the face before its box.
    width = face.box.right - face.box.left
    border = round((512 - face.box.left + width // 4) / (1.5 * width) * after.shape[1])
    assert after[:, border + 4 :].max() < 30
    assert np.abs(after - before)[:, : border - 4].max() < 40


@pytest.mark.parametrize("missing", [0.3, 0.6, 0.9])
def test_cut_jpeg_is_refused_although_only_its_thumbnail_is_decoded(camera: Camera, missing: float) -> None:
    camera.show(OBAMA)
    with pytest.raises(BadImage, match="damaged"):
        camera.show(OBAMA[: int(len(OBAMA) * missing)])


def test_jpeg_that_is_too_large_is_refused(facegate: Engine) -> None:
    with pytest.raises(TooLarge):
        look(OBAMA, facegate, LiveTask(full=True), PictureLimits(pixels=1000))


def test_bytes_of_no_picture_are_refused_as_in_other_requests(camera: Camera) -> None:
    for data in (b"", b"GIF89a", OBAMA[:100]):
        errors: list[str] = []
        for show in (camera.show, lambda data: decode(data, LIMITS)):
            with pytest.raises(GatewayError) as caught:
                show(data)
            errors.append(str(caught.value))
        assert errors[0] == errors[1]


def test_landmarks_come_with_a_live_frame_on_request(camera: Camera) -> None:
    (face,) = camera.show(OBAMA, landmarks=5).faces
    assert face.landmarks is not None
    assert len(face.landmarks) == 3


def test_live_task_runs_as_a_task_of_a_worker(facegate: Engine) -> None:
    assert run_task(OBAMA, facegate, LiveTask(full=True), LIMITS).looked == "full"


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_frames_of_any_shape_are_looked_at(facegate: Engine, pixels: Pixels, kind: str) -> None:
    """Regression: a PNG that was narrower than a block of the small picture was answered with ``internal``."""
    failed = []
    sides = (1, 2, 7, 8, 9, 15, 16, 240)
    for width, height in ((width, height) for width in sides for height in sides):
        shown, changed = pixels[:height, :width], 255 - pixels[:height, :width]
        camera = Camera(facegate, Search(only=(), never=(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0)),)))
        for part in (shown, changed, shown):
            try:
                camera.show(encoded(part, kind))
            except GatewayError as error:
                failed.append(f"{width} x {height}: {error}")
            except Exception as error:
                failed.append(f"{width} x {height}: {error!r}")
    assert failed == []
