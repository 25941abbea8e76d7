from __future__ import annotations

import numpy as np
import pytest

from gateway.people.similarity import CROWD_WEIGHT, Similarity, typical_faces
from tests.examples import ALICE, BOB, descriptor, near
from tests.people.environment import LEVEL, gallery_of

ALICES, BOBS = descriptor(1), descriptor(2)


def test_similarity_without_typical_faces_is_the_cosine() -> None:
    plain = Similarity(None)
    assert plain.compare(ALICES, BOBS) == pytest.approx(float(ALICES @ BOBS), abs=1e-6)
    assert plain.compare(ALICES, ALICES) == pytest.approx(1, abs=1e-6)


def test_similarity_is_lower_for_faces_in_a_crowd() -> None:
    """Two pairs of faces have the same cosine. One pair is in a crowded region."""
    crowd = Similarity(ALICES[None])
    other = near(ALICES, 0.9)
    lonely = near(BOBS, 0.9)
    assert crowd.compare(ALICES, other) < crowd.compare(BOBS, lonely)
    assert crowd.compare(ALICES, other) == pytest.approx(0.9 + CROWD_WEIGHT * (1 - 0.9), abs=1e-5)


def test_similarity_is_symmetric() -> None:
    crowd = Similarity(typical_faces())
    assert crowd.compare(ALICES, BOBS) == pytest.approx(crowd.compare(BOBS, ALICES), abs=1e-6)


def test_gallery_uses_the_same_similarity() -> None:
    crowd = Similarity(typical_faces())
    gallery = gallery_of({ALICE: [ALICES], BOB: [BOBS]}, crowd)
    probe = near(ALICES, 0.95)
    best = gallery.nearest(probe, LEVEL).candidates[0]
    assert best.person == ALICE
    assert best.similarity == pytest.approx(crowd.compare(probe, ALICES), abs=1e-5)
    assert gallery.compare(probe, BOBS) == pytest.approx(crowd.compare(probe, BOBS), abs=1e-5)
    assert gallery.compare_person("alice", probe).similarity == pytest.approx(best.similarity, abs=1e-5)


def test_empty_gallery_with_typical_faces_finds_nobody() -> None:
    assert gallery_of({}, Similarity(typical_faces())).nearest(ALICES, LEVEL).candidates == ()


def test_similarities_of_many_faces_equal_those_of_single_faces() -> None:
    crowd = Similarity(typical_faces())
    faces = np.array([ALICES, BOBS, near(ALICES, 0.9)])
    alike = gallery_of({}, crowd).similarities(ALICES, faces)
    assert alike == pytest.approx([crowd.compare(ALICES, each) for each in faces], abs=1e-5)


def test_typical_faces_are_descriptors_of_unit_length() -> None:
    faces = typical_faces()
    assert faces.dtype == np.float32
    assert faces.shape[1] == 128
    assert 24 <= len(faces) <= 32
    assert np.linalg.norm(faces, axis=1) == pytest.approx(np.ones(len(faces)), abs=1e-5)


@pytest.mark.parametrize("dimensions", [1, 5, 64, 512])
@pytest.mark.parametrize("crowded", [False, True])
def test_similarity_of_any_number_of_dimensions(dimensions: int, crowded: bool) -> None:
    faces = np.stack([descriptor(1, dimensions), descriptor(2, dimensions)])
    similarity = Similarity(faces[:1] if crowded else None, dimensions)
    one, other = faces
    correction = CROWD_WEIGHT * (1 - float(one @ other)) if crowded else 0
    assert similarity.compare(one, other) == pytest.approx(float(one @ other) + correction, abs=1e-5)
    assert similarity.probes(faces).shape == (2, similarity.columns)
    assert similarity.columns % 4 == 0
    assert (similarity.as_probes(similarity.templates(faces)) == similarity.probes(faces)).all()


def test_templates_become_the_probes_of_the_same_faces() -> None:
    faces = np.stack([descriptor(1), descriptor(2)])
    similarity = Similarity(typical_faces())
    assert (similarity.as_probes(similarity.templates(faces)) == similarity.probes(faces)).all()
