"""The answers to live frames: the decision about the sighting at the top, the single picture under each face."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.contract.replies import RecognitionDocument, write_reply
from gateway.contract.verdict import write_verdict
from gateway.live.answers import write_answer
from gateway.live.camera import FollowedFace
from gateway.model import Analysis, FoundFace, Judgement, Operation, Origin, Recognition, Request
from gateway.model.caller import camera_caller
from gateway.model.sightings import Sighting
from gateway.workers.job import Report
from tests.examples import ALICE, BOB, BOX, QUALITY
from tests.live.harness import IMAGE

REQUEST = Request(
    operation=Operation.FACE_REC,
    pictures=(b"x",),
    valid_for_s=60,
    origin=Origin(caller=camera_caller("porch")),
    live=True,
)
OPEN = Sighting(id="s1", visit="s1", camera="porch", since=1.0, last_seen=2.0)
NAMED = replace(OPEN, id="s2", outcome="named", person=ALICE, score=0.8, threshold=0.6)
STRANGER = replace(OPEN, id="s3", outcome="stranger", unknown=3, score=0.1, threshold=0.6)
MATCH, UNKNOWN, TURNED = Judgement("match", BOB, 0.9), Judgement("unknown", None, 0.2), Judgement("turned")


def answer(*faces: tuple[Judgement, Sighting], **analysed: object) -> Recognition:
    analysis = Analysis(IMAGE, (), {}, **analysed)  # type: ignore[arg-type]
    followed = [
        FollowedFace(FoundFace(BOX, quality=QUALITY), judgement, f"t{n}", sighting)
        for n, (judgement, sighting) in enumerate(faces)
    ]
    return write_answer(REQUEST, Report((analysis,), 1.0, 3), followed, 0.5, {"match": 0.2})


def document(reply: Recognition) -> RecognitionDocument:
    written = write_reply(REQUEST.origin, "face_rec", reply)
    assert isinstance(written, RecognitionDocument)
    return written


def test_name_at_the_top_is_that_of_the_sighting() -> None:
    written = document(answer((MATCH, NAMED)))
    top = (written.name, written.person, written.score, written.threshold, written.sighting)
    assert top == ("Alice", "alice", 0.8, 0.6, "s2")
    face = written.faces[0].document()
    assert (face["person"], face["verdict"], face["score"]) == ("bob", "match", 0.9)
    assert (face["track"], face["sighting"]) == ("t0", "s2")


def test_match_of_a_single_picture_is_not_the_decision() -> None:
    reply = answer((MATCH, OPEN))
    written = document(reply)
    assert (written.name, written.person, written.score, written.sighting) == (None, None, 0.0, "s1")
    assert write_verdict(reply) == "unknown undecided"


@pytest.mark.parametrize(
    ("faces", "verdict"),
    [
        ([(UNKNOWN, NAMED)], "match 0.80 alice"),
        ([(TURNED, NAMED)], "match 0.80 alice"),
        ([(UNKNOWN, STRANGER), (TURNED, NAMED)], "match 0.80 alice"),
        ([(MATCH, STRANGER)], "unknown"),
        ([(TURNED, OPEN)], "turned"),
        ([(UNKNOWN, OPEN)], "unknown undecided"),
        ([(UNKNOWN, replace(OPEN, outcome="turned"))], "unknown turned"),
        ([(UNKNOWN, replace(OPEN, outcome="ambiguous"))], "ambiguous"),
        ([], "no_face"),
    ],
)
def test_verdict_text_is_that_of_the_sighting(faces: list[tuple[Judgement, Sighting]], verdict: str) -> None:
    assert write_verdict(answer(*faces)) == verdict


def test_answer_about_an_unchanged_scene_says_so() -> None:
    assert answer(looked="nothing").unchanged
    assert not answer(looked="parts").unchanged


def test_answer_has_the_dropped_frames_and_those_left_out() -> None:
    reply = answer(left_out=5)
    assert (reply.dropped, reply.left_out, reply.threshold) == (3, 5, 0.5)


@pytest.mark.parametrize(("brightness", "text"), [(0.01, "no_face too_dark"), (0.3, "no_face"), (None, "no_face")])
def test_dark_frame_without_a_face_says_why_none_may_be_seen(brightness: float | None, text: str) -> None:
    assert write_verdict(answer(brightness=brightness)) == text


def test_dark_frame_with_a_face_has_no_hint_of_its_own() -> None:
    assert write_verdict(answer((MATCH, NAMED), brightness=0.01)).startswith("match")
