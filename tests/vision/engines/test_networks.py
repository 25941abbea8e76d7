from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.model import DetectorPrecision, PictureLimits
from gateway.vision.chips import cut_chips
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.landmarks import Predictor5
from gateway.vision.engines.model_files import model_file
from gateway.vision.engines.networks import MAX_BATCH, CnnEmbedder, open_detector, open_embedder
from gateway.vision.engines.processor import has_fast_int8
from gateway.vision.engines.runtime import Graph
from tests.support import frame


@pytest.fixture(scope="module")
def embedder(models: Path) -> CnnEmbedder:
    return open_embedder(models, "f32")


@pytest.fixture(scope="module")
def faces(models: Path) -> list[Picture]:
    """Return three chips each of two pictures of Obama and one of another person."""
    detector, predictor_5 = open_detector(models, "f32"), Predictor5(model_file("landmarks_5"))
    found = []
    for name in ("obama_1", "obama_2", "stranger_1"):
        picture = decode(frame(name), PictureLimits())
        (face,) = detector.detect(picture, 80)
        found.append(cut_chips(picture, predictor_5.points(picture, face.box), "enrolment"))
    return found


def test_descriptor_is_the_normalised_mean_over_chips_and_mirror_images(
    models: Path, embedder: CnnEmbedder, faces: list[Picture]
) -> None:
    graph = Graph(models / "descriptor-f32.xml", "f32")
    for face in (faces[0], faces[0][1:2]):
        six = [graph.run(np.ascontiguousarray(chip)[None])[0] for chips in (face, face[:, :, ::-1]) for chip in chips]
        mean = np.mean(six, axis=0)
        (descriptor,) = embedder.embed([face])
        np.testing.assert_allclose(descriptor, mean / np.linalg.norm(mean), rtol=0, atol=1e-5)


def test_descriptors_are_float32_of_unit_length(embedder: CnnEmbedder, faces: list[Picture]) -> None:
    for descriptor in embedder.embed(faces):
        assert descriptor.shape == (128,)
        assert descriptor.dtype == np.float32
        assert np.linalg.norm(descriptor) == pytest.approx(1, abs=1e-6)


def test_face_and_its_mirror_image_have_the_same_descriptor(embedder: CnnEmbedder, faces: list[Picture]) -> None:
    face, mirror = embedder.embed([faces[0], faces[0][:, :, ::-1]])
    np.testing.assert_allclose(face, mirror, rtol=0, atol=1e-5)


def test_embed_keeps_the_order_of_faces(embedder: CnnEmbedder, faces: list[Picture]) -> None:
    mixed = [faces[0][1:2], faces[1], faces[2][1:2], faces[0]]
    alone = [embedder.embed([face])[0] for face in mixed]
    np.testing.assert_allclose(embedder.embed(mixed), alone, rtol=0, atol=1e-5)


def test_embed_accepts_more_faces_than_a_batch(embedder: CnnEmbedder, faces: list[Picture]) -> None:
    """The limit of a batch is not a multiple of the chips of a face."""
    many = [faces[n % 3] for n in range(MAX_BATCH // 6 + 2)]
    assert len(many) * 6 > MAX_BATCH
    expected = embedder.embed(faces)
    for n, descriptor in enumerate(embedder.embed(many)):
        np.testing.assert_allclose(descriptor, expected[n % 3], rtol=0, atol=1e-5)


def test_embed_accepts_no_faces(embedder: CnnEmbedder) -> None:
    assert embedder.embed([]) == []


def test_descriptors_of_one_person_are_more_similar_than_those_of_two(
    embedder: CnnEmbedder, faces: list[Picture]
) -> None:
    obama, again, stranger = embedder.embed(faces)
    assert obama @ again > 0.95
    assert obama @ stranger < 0.9


@pytest.mark.parametrize("precision", ["auto", "int8", "bf16", "f32"])
def test_detector_of_any_precision_finds_a_face(models: Path, precision: DetectorPrecision) -> None:
    (face,) = open_detector(models, precision).detect(decode(frame("obama_1"), PictureLimits())[40:340, 320:620], 80)
    box = face.box
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((66, 56, 231, 220), abs=30)


def test_precision_auto_uses_the_fastest_precision(models: Path) -> None:
    found = open_detector(models, "auto").find_scored(decode(frame("obama_1"), PictureLimits()), 80)
    fast = open_detector(models, "int8" if has_fast_int8() else "f32").find_scored(
        decode(frame("obama_1"), PictureLimits()), 80
    )
    assert found == fast
