"""The states of the cameras: on or off, connected or not."""

from __future__ import annotations

from gateway.live.announcer import Announcer
from gateway.live.moment import Moment
from gateway.live.switches import Switches
from gateway.model.sightings import CameraState

ANNOUNCE_INTERVAL_S = 10.0
"""Time between two announcements of a camera that differ only in the time of its last frame."""

CHECK_INTERVAL_S = 1.0
"""Time between two looks for cameras that are not connected any more."""

ALIVE_S = 150.0
"""Time for which a camera counts as connected after another program said so: Frigate says it once a minute."""


class CameraBoard:
    """The states of all cameras that are known. Each change is announced. One thread calls all methods.

    ``lost_s``: the time without a frame after which a camera is not connected.
    """

    def __init__(self, announcer: Announcer, switches: Switches, lost_s: float) -> None:
        self._announcer = announcer
        self._switches = switches
        self._lost_s = lost_s
        self._last: dict[str, Moment] = {}
        self._alive: dict[str, float] = {}
        self._announced: dict[str, tuple[CameraState, float]] = {}
        self._checked_at = float("-inf")

    def __len__(self) -> int:
        """Return the number of cameras that are announced."""
        return len(self._announced)

    def knows(self, name: str) -> bool:
        """Return whether a camera is announced."""
        return name in self._announced

    def add_known(self, name: str, last_frame: float | None, moment: Moment) -> None:
        """Announce a camera before its first frame. ``last_frame``: the time of one of an earlier run."""
        if last_frame is not None:
            # It came too long ago for a connection.
            self._last[name] = Moment(float("-inf"), last_frame)
        self.announce(name, moment)

    def note_frame(self, name: str, moment: Moment) -> None:
        """Note that a frame of a camera came."""
        self._last[name] = moment
        self.announce(name, moment)

    def note_alive(self, name: str, moment: Moment) -> None:
        """Note that a camera works, although none of its frames came. A camera that is not known stays unknown."""
        if name in self._announced:
            self._alive[name] = moment.monotonic
            self.announce(name, moment)

    def is_connected(self, name: str, moment: Moment) -> bool:
        """Return whether frames of a camera come in, or would come if anything happened."""
        if moment.monotonic <= self._alive.get(name, float("-inf")) + ALIVE_S:
            return True
        return name in self._last and moment.monotonic - self._last[name].monotonic <= self._lost_s

    def tick(self, moment: Moment) -> None:
        """Announce the cameras that are not connected any more. Called several times a second."""
        if moment.monotonic < self._checked_at + CHECK_INTERVAL_S:
            return
        self._checked_at = moment.monotonic
        for name in list(self._announced):
            self.announce(name, moment)

    def states(self, moment: Moment) -> list[CameraState]:
        """Return the states of all cameras that are known, in the order of their names."""
        return [self._state(name, moment) for name in sorted({*self._announced, *self._switches.switched_off})]

    def announce(self, name: str, moment: Moment) -> None:
        """Announce the state of a camera if it has changed, and the time of its last frame now and then."""
        if self._is_announced(name, moment):
            return
        state = self._state(name, moment)
        self._announced[name] = state, moment.monotonic
        self._announcer.announce_camera(state)

    def forget(self, name: str) -> None:
        """Withdraw everything about a camera, also if only an earlier run has announced it."""
        self.release(name)
        self._announcer.remove_camera(name)

    def release(self, name: str) -> None:
        """Announce a camera no more, since another replica does."""
        self._last.pop(name, None)
        self._alive.pop(name, None)
        self._announced.pop(name, None)

    def _is_announced(self, name: str, moment: Moment) -> bool:
        """Return whether the last announcement of a camera is still good enough."""
        # This is called for each camera several times a second. So it makes no new state to compare.
        if name not in self._announced:
            return False
        (before, at), last = self._announced[name], self._last.get(name)
        if (before.enabled, before.connected) != (self._switches.is_on(name), self.is_connected(name, moment)):
            return False
        is_recent = moment.monotonic < at + ANNOUNCE_INTERVAL_S
        return is_recent or before.last_frame == (None if last is None else last.timestamp)

    def _state(self, name: str, moment: Moment) -> CameraState:
        last = self._last.get(name)
        return CameraState(
            camera=name,
            enabled=self._switches.is_on(name),
            connected=self.is_connected(name, moment),
            last_frame=None if last is None else last.timestamp,
        )
