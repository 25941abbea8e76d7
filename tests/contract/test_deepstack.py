"""The numbers of DeepStack's face interface: on the side of every usual line that the gateway decided for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract.deepstack import (
    UNKNOWN_USERID,
    named_confidence,
    write_found_faces,
    write_recognised_faces,
    write_similarity,
)
from gateway.model import Box, Comparison, Detection, Face, Image, Judgement, Person, Quality, Recognition

ADA = Person("ada", "Ada Lovelace")
BOX = Box(top=10, right=60, bottom=80, left=20)
CLIENT_LINES = (0.4, 0.45, 0.6, 0.67, 0.8)
"""The lines of DeepStack's clients, and its own default for names, 0.67."""

scores = st.floats(0, 1)


def recognition(*faces: Face, threshold: float = 0.5) -> Recognition:
    return Recognition(faces=faces, image=Image(100, 100, 1000), threshold=threshold, timing={"total": 123.4})


def ada(score: float) -> Face:
    return Face(BOX, judgement=Judgement("match", ADA, score, 0.7))


def compare(score: float, threshold: float) -> float:
    reply = Comparison(match=score >= threshold, score=score, threshold=threshold, faces=(), timing={})
    return write_similarity(reply).similarity


def test_faces_have_names_boxes_and_confidences() -> None:
    stranger = Face(BOX, judgement=Judgement("unknown", None, 0.3, 0.2))
    document = write_recognised_faces(recognition(ada(0.75), stranger), 0.0).document()
    corners = {"x_min": 20, "y_min": 10, "x_max": 60, "y_max": 80}
    assert document == {
        "success": True,
        "predictions": [
            {"confidence": 0.9, **corners, "userid": "Ada Lovelace"},
            {"confidence": 0.0, **corners, "userid": UNKNOWN_USERID},
        ],
        "duration": 0.1234,
    }


@settings(deadline=None)
@given(scores, scores, st.floats(0.01, 1.5))
def test_confidence_grows_with_the_score(one: float, other: float, threshold: float) -> None:
    low, high = sorted((one, other))
    assert 0.8 <= named_confidence(low, threshold) <= named_confidence(high, threshold) <= 1


def test_confidence_is_08_at_the_threshold_and_1_at_the_best_score() -> None:
    assert named_confidence(0.5, 0.5) == 0.8
    assert named_confidence(1.0, 0.5) == 1.0


@pytest.mark.parametrize(("least", "name"), [(0.0, "Ada Lovelace"), (0.9, "Ada Lovelace"), (0.91, UNKNOWN_USERID)])
def test_min_confidence_raises_the_line(least: float, name: str) -> None:
    (found,) = write_recognised_faces(recognition(ada(0.75)), least).predictions
    assert (found.userid, found.confidence) == (name, 0.9 if name != UNKNOWN_USERID else 0)


def test_min_confidence_never_lowers_the_line() -> None:
    stranger = Face(BOX, judgement=Judgement("unknown", None, 0.499, 0.4))
    (found,) = write_recognised_faces(recognition(stranger), 0.0).predictions
    assert (found.userid, found.confidence) == (UNKNOWN_USERID, 0)


@settings(deadline=None)
@given(scores, scores, st.floats(0.01, 0.99))
def test_similarity_grows_with_the_score(one: float, other: float, threshold: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= compare(low, threshold) <= compare(high, threshold) <= 1


@settings(deadline=None)
@given(scores, st.floats(0.01, 0.99))
def test_every_line_of_a_client_decides_as_the_gateway(score: float, threshold: float) -> None:
    assert {compare(score, threshold) >= line for line in CLIENT_LINES} == {score >= threshold}


def test_unconfirmed_face_has_a_low_confidence() -> None:
    faces = [Face(BOX, Quality(60, 0.5, 0.5, 0.5, 1, confirmed=confirmed)) for confirmed in (True, False)]
    reply = Detection(faces=tuple(faces), image=Image(100, 100, 1000), timing={"total": 10})
    assert [face.confidence for face in write_found_faces(reply, 0.0).predictions] == [1.0, 0.5]
    assert [face.confidence for face in write_found_faces(reply, 0.55).predictions] == [1.0]
