"""Answers to frames of an unchanged scene: few, but never one too few."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.live import unchanged_answers as module
from gateway.live.unchanged_answers import UnchangedAnswers
from gateway.model import Face, Image, Judgement, Recognition
from gateway.model.sightings import Sighting
from tests.examples import ALICE, BOX

NOBODY = Recognition(faces=(), image=Image(1, 1, 1), threshold=0.5, timing={}, unchanged=True)
SIGHTING = Sighting(id="s1", visit="s1", camera="porch", since=1.0, last_seen=2.0)
SOMEBODY = Face(BOX, judgement=Judgement("unknown"), track="t1", sighting=SIGHTING)
PAUSE_S = 2.0


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def answers(clock: Clock) -> UnchangedAnswers:
    return UnchangedAnswers(PAUSE_S, 3)


def test_first_frame_is_answered_and_equal_ones_after_the_pause(answers: UnchangedAnswers, clock: Clock) -> None:
    answered = []
    for _ in range(9):
        answered.append(answers.needs_answer("porch", NOBODY))
        clock.now += PAUSE_S / 4
    assert answered == [True, False, False, False, True, False, False, False, True]


def test_frame_with_a_change_is_answered(answers: UnchangedAnswers) -> None:
    """A device may draw the boxes of somebody who walks."""
    assert answers.needs_answer("porch", NOBODY)
    assert answers.needs_answer("porch", replace(NOBODY, unchanged=False))


@pytest.mark.parametrize(
    "after",
    [
        replace(NOBODY, faces=(SOMEBODY,)),
        replace(NOBODY, hint="too_dark"),
        replace(NOBODY, left_out=1),
    ],
)
def test_frame_with_another_outcome_is_answered(answers: UnchangedAnswers, after: Recognition) -> None:
    assert answers.needs_answer("porch", NOBODY)
    assert answers.needs_answer("porch", after)
    assert not answers.needs_answer("porch", after)


def test_new_name_of_somebody_who_stands_still_is_answered(answers: UnchangedAnswers) -> None:
    named = replace(SOMEBODY, sighting=replace(SIGHTING, outcome="named", person=ALICE))
    assert answers.needs_answer("porch", replace(NOBODY, faces=(SOMEBODY,)))
    assert answers.needs_answer("porch", replace(NOBODY, faces=(named,)))


def test_requested_picture_is_answered(answers: UnchangedAnswers) -> None:
    for _ in range(2):
        assert answers.needs_answer("porch", replace(NOBODY, annotated=b"picture"))


def test_frame_after_an_error_is_answered(answers: UnchangedAnswers) -> None:
    assert answers.needs_answer("porch", NOBODY)
    answers.forget("porch")
    assert answers.needs_answer("porch", NOBODY)


def test_pause_of_zero_answers_every_frame(clock: Clock) -> None:
    answers = UnchangedAnswers(0, 3)
    assert [answers.needs_answer("porch", NOBODY) for _ in range(3)] == [True] * 3


def test_cameras_do_not_share_a_pause_and_their_number_is_bounded(answers: UnchangedAnswers) -> None:
    """Any topic can name a camera."""
    assert all(answers.needs_answer(camera, NOBODY) for camera in "abcd")
    assert not any(answers.needs_answer(camera, NOBODY) for camera in "bcd")
    assert answers.needs_answer("a", NOBODY)
