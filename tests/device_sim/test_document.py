from __future__ import annotations

import json
from typing import Any

import pytest

from device_sim.document import read

BIDEN = {"verdict": "match", "name": "Joe Biden", "person": "joe_biden", "box": [0, 0, 9, 9]}
STRANGER = {"verdict": "unknown", "name": None, "box": [0, 0, 9, 9]}


def result(**changes: Any) -> bytes:
    document = {"schema": 1, "status": "ok", "op": "face_rec", "name": None, "score": None, "faces": []}
    return json.dumps(document | changes).encode()


@pytest.mark.parametrize(
    ("faces", "label"),
    [
        ([], "nobody"),
        ([STRANGER], "stranger"),
        ([BIDEN, STRANGER], "Joe Biden, stranger"),
        ([{"verdict": "too_small", "box": [0, 0, 9, 9]}], "too small"),
    ],
)
def test_result_label_names_the_faces(faces: list[Any], label: str) -> None:
    assert read(result(faces=faces)).label == label


def test_result_people_are_matched_faces_only() -> None:
    assert read(result(faces=[BIDEN, STRANGER])).people == ("Joe Biden",)


@pytest.mark.parametrize(("match", "label"), [(True, "same"), (False, "different")])
def test_comparison_label_is_same_or_different(match: bool, label: str) -> None:
    assert read(result(op="verify", match=match, faces=[BIDEN])).label == label


def test_detection_label_has_the_number_of_faces() -> None:
    assert read(result(op="detect", faces=[{}, {}])).label == "2 faces"


def test_error_document_has_its_code() -> None:
    document = read(b'{"schema": 1, "status": "error", "code": "busy", "error": "try again"}')
    assert (document.code, document.label) == ("busy", "busy")


def test_error_document_has_retry_after_and_missing_pieces() -> None:
    assert read(result(status="error", code="busy", retry_after=3)).retry_after == 3
    assert read(result(status="error", code="incomplete", missing=[1, 4])).missing == (1, 4)


def test_enrolment_has_no_faces() -> None:
    document = read(b'{"schema": 1, "status": "ok", "op": "enroll", "person": "joe_biden", "name": "Joe Biden"}')
    assert (document.code, document.label) == (None, "enrolled Joe Biden")


def test_result_has_score_size_and_dropped() -> None:
    document = read(result(score=0.83, image={"bytes": 102795}, dropped=2))
    assert (document.score, document.size, document.dropped) == (0.83, 102795, 2)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not json",
        b"[]",
        b"\xff\xfe",
        b'{"schema": 2, "status": "ok"}',
        b'{"schema": 1}',
        b'{"schema": 1, "status": "error"}',
        result(faces=None),
        result(faces=[{"name": "a face without a verdict"}]),
        result(score="high"),
        result(status="error", code="busy", retry_after="soon"),
        result(status="error", code="incomplete", missing="all"),
    ],
)
def test_invalid_document_is_unreadable(payload: bytes) -> None:
    assert read(payload).code == "unreadable"
