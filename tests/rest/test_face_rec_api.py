"""The answer to ``/face_rec``."""

from __future__ import annotations

from gateway.contract.face_rec import write_face_rec
from gateway.model import Box, Face, Image, Judgement, Likeness, Recognition
from tests.examples import ALICE, BOB

AMBIGUOUS = Judgement("ambiguous", None, 1.0, 0.99, 0.01, (Likeness(ALICE, 1.0, 0.99), Likeness(BOB, 0.95, 0.98)))


def answer(*judgements: Judgement) -> dict[str, object]:
    faces = tuple(Face(Box(0, 0, 9, 9), judgement=judgement) for judgement in judgements)
    reply = Recognition(faces=faces, image=Image(640, 480, 5000), threshold=0.4, timing={})
    return write_face_rec(reply, features=False, locations=False).document()


def test_face_rec_names_the_candidates_of_an_ambiguous_face() -> None:
    assert answer(AMBIGUOUS) == {
        "name": "Unknown",
        "verdict": "ambiguous",
        "candidates": [
            {"name": "Alice", "person": "alice", "score": 1.0, "similarity": 0.99},
            {"name": "Bob", "person": "bob", "score": 0.95, "similarity": 0.98},
        ],
    }


def test_face_rec_names_no_candidates_unless_a_face_is_ambiguous() -> None:
    assert answer(Judgement("match", ALICE, 0.9), AMBIGUOUS) == {"name": "Alice", "verdict": "match"}
    assert answer(Judgement("unknown", None, 0.2)) == {"name": "Unknown", "verdict": "unknown"}


def test_face_rec_tells_a_stranger_from_a_picture_without_a_usable_face() -> None:
    assert answer(Judgement("too_dark")) == {"name": "Unknown", "verdict": "too_dark"}
    assert answer() == {"name": "Unknown", "verdict": "no_face"}


def test_face_rec_reports_faces_that_were_left_out() -> None:
    reply = Recognition(faces=(), image=Image(640, 480, 5000), threshold=0.4, timing={}, left_out=452)
    assert write_face_rec(reply, features=False, locations=False).document() == {
        "name": "Unknown",
        "verdict": "no_face",
        "left_out": 452,
    }
