"""The table of an upload's states is what the code does: each transition happens, and no other one can."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.mqtt.delivery.upload_state import TRANSITIONS, Upload, UploadEvent, UploadState
from tests.mqtt.delivery.upload_harness import TOPICS, UploadHarness, upload_and_answer

INITIAL = (UploadState.COLLECTING, UploadState.REPEATED)
KEEP_S = 1000

Transition = tuple[UploadState, UploadEvent, UploadState]


def make_harness(tmp_path: Path) -> UploadHarness:
    return UploadHarness(tmp_path / "uploads", idle_s=5, keep_s=KEEP_S, at_once=2)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Transition]:
    """All transitions of all uploads, in order."""
    seen: list[Transition] = []
    apply = Upload.apply

    def record(upload: Upload, event: UploadEvent) -> None:
        before = upload.state
        apply(upload, event)
        seen.append((before, event, upload.state))

    monkeypatch.setattr(Upload, "apply", record)
    return seen


def be_idle(harness: UploadHarness) -> None:
    harness.wait_until_idle()
    harness.uploads.tick()


def reach(state: UploadState, harness: UploadHarness, pieces: int) -> None:
    """Bring the upload face_rec/1 into the state, by messages and time only."""
    if state in (UploadState.REPEATED, UploadState.ABANDONED):
        upload_and_answer(harness, "1", pieces)
    collected = pieces if state in (UploadState.COMPLETE, UploadState.HANDED_ON) else 1
    for number in range(collected):
        harness.send_piece(number, pieces)
    if state in (UploadState.INCOMPLETE, UploadState.ABANDONED):
        be_idle(harness)
    if state is UploadState.COMPLETE:
        harness.restart()


def send_other_uploads(harness: UploadHarness) -> None:
    for camera in ("hall", "yard"):
        harness.send_piece_on(f"facegate/{camera}/part/0/2/face_rec/1", b"x")


def send_copy(harness: UploadHarness) -> None:
    harness.connect()
    harness.send_piece(0, 3)


def confirm_answer(harness: UploadHarness) -> None:
    harness.answer_last()
    harness.uploads.tick()


def grow_old(harness: UploadHarness) -> None:
    for upload in harness.uploads._uploads.values():
        upload.began_at -= KEEP_S + 1
    harness.uploads.tick()


TRIGGERS: dict[UploadEvent, Callable[[UploadHarness], object]] = {
    UploadEvent.PIECE: lambda harness: harness.send_piece(1, 3),
    UploadEvent.LAST_PIECE: lambda harness: harness.send_piece(1, 2),
    UploadEvent.IDLE: be_idle,
    UploadEvent.HAND_ON: send_copy,
    UploadEvent.ANSWERED: confirm_answer,
    UploadEvent.DISPLACED: send_other_uploads,
    UploadEvent.EXPIRED: grow_old,
}


@pytest.mark.parametrize(
    ("state", "event", "following"),
    [(state, event, following) for state, row in TRANSITIONS.items() for event, following in row.items()],
)
def test_each_transition_of_the_table_happens(
    tmp_path: Path, seen: list[Transition], state: UploadState, event: UploadEvent, following: UploadState
) -> None:
    harness = make_harness(tmp_path)
    reach(state, harness, pieces=2 if event is UploadEvent.LAST_PIECE else 3)
    before = len(seen)
    TRIGGERS[event](harness)
    assert (state, event, following) in seen[before:]


def test_table_has_a_row_for_each_state_and_reaches_each() -> None:
    assert TRANSITIONS.keys() == set(UploadState)
    reached: set[UploadState] = set()
    to_visit = list(INITIAL)
    while to_visit:
        state = to_visit.pop()
        if state not in reached:
            reached.add(state)
            to_visit += TRANSITIONS[state].values()
    assert reached == set(UploadState)


def test_table_uses_each_event() -> None:
    assert {event for row in TRANSITIONS.values() for event in row} == set(UploadEvent) == TRIGGERS.keys()


def test_every_upload_can_be_removed() -> None:
    """An upload without an end would keep its place for ever."""
    for state in set(UploadState) - {UploadState.REMOVED}:
        assert TRANSITIONS[state][UploadEvent.EXPIRED] is UploadState.REMOVED
    assert TRANSITIONS[UploadState.REMOVED] == {}


@pytest.mark.parametrize(
    ("state", "event"),
    [(state, event) for state in UploadState for event in UploadEvent if event not in TRANSITIONS[state]],
)
def test_state_changes_only_along_the_table(tmp_path: Path, state: UploadState, event: UploadEvent) -> None:
    address = TOPICS.read("facegate/porch/part/0/2/face_rec/1")
    assert address is not None
    upload = Upload(address, tmp_path)
    upload._state = state
    assert not upload.allows(event)
    with pytest.raises(KeyError):
        upload.apply(event)
    assert upload.state is state


def test_random_messages_and_pauses_meet_only_events_of_the_table(tmp_path: Path, seen: list[Transition]) -> None:
    harness, chance = make_harness(tmp_path), random.Random(7)

    def send() -> None:
        camera, number, request = chance.choice("ab"), chance.randrange(3), chance.choice("12")
        harness.send_piece_on(f"facegate/{camera}/part/{number}/3/face_rec/{request}", b"x")

    pauses: list[Callable[[UploadHarness], object]] = [*[be_idle, confirm_answer] * 5, grow_old, UploadHarness.restart]
    for _ in range(3000):
        try:
            chance.choice(pauses)(harness) if chance.random() < 0.2 and harness.last else send()
        except GatewayError:
            continue  # busy: another message of the random sequence takes its place
    states = {state for state, _, _ in seen}
    assert states == set(UploadState) - {UploadState.REMOVED}
