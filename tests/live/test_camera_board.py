"""The states of the cameras, also of those whose pictures come only when something happens."""

from __future__ import annotations

from gateway.live.camera_board import ALIVE_S, CameraBoard
from tests.live.harness import LOST_S, LiveHarness, RecordedAnnouncer


def connected(live: LiveHarness) -> dict[str, bool]:
    return {each.camera: each.connected for each in live.state.camera_states(live.now)}


def test_camera_without_frames_is_connected_while_another_program_says_so(live: LiveHarness) -> None:
    live.frame()
    live.wait(LOST_S + 1)
    assert connected(live) == {"porch": False}
    live.state.note_alive("porch", live.now)
    assert live.announcer.cameras[-1].connected
    live.wait(ALIVE_S - 1)
    assert connected(live) == {"porch": True}
    live.wait(3)
    assert connected(live) == {"porch": False}
    assert not live.announcer.cameras[-1].connected


def test_camera_that_never_had_a_frame_stays_unknown(live: LiveHarness) -> None:
    live.state.note_alive("hall", live.now)
    assert connected(live) == {}


def test_camera_of_an_earlier_run_is_withdrawn(live: LiveHarness) -> None:
    """Regression: a camera that was silent since the start kept its retained topics when it was forgotten."""
    announcer = RecordedAnnouncer()
    CameraBoard(announcer, live.switches, LOST_S).forget("porch")
    assert announcer.removed == ["porch"]
