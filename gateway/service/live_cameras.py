"""The live cameras, as the operations of administrators see them. The package live is above this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from gateway.model import Person
from gateway.model.cameras import CameraReport, LastFrame
from gateway.model.sightings import CameraState, Presence, Sighting

CorrectionEvent = Literal["not_them", "confirmed"]


class CameraChanges(Protocol):
    """The changes that users make. Any thread may call the methods."""

    def set_enabled(self, camera: str | None, on: bool) -> None:
        """Switch recognition on or off for a camera, or for all cameras (None). The switch outlives a restart."""

    def forget_camera(self, camera: str) -> None:
        """Forget a camera, with its switch and its sightings. Its next frame makes it known again."""

    def correct(self, sighting: Sighting, event_type: CorrectionEvent, previous: Person | None) -> None:
        """Note and announce that a user corrected a sighting, which may have ended.

        ``sighting``: as it is now in the store; ``previous``: the person whom it was named as before.
        """


class LiveCameras(CameraChanges, Protocol):
    """The live cameras of a gateway. Any thread may call the methods."""

    @property
    def all_enabled(self) -> bool:
        """The switch for all cameras."""

    def cameras(self) -> Sequence[CameraState]:
        """Return the state of each camera that is known."""

    def presences(self) -> Sequence[Presence]:
        """Return the people on each camera that is known."""

    def camera_reports(self) -> Mapping[str, CameraReport]:
        """Return what the last frames of each camera showed, if frames of it came."""

    def last_frame(self, camera: str) -> LastFrame | None:
        """Return the last frame of a camera, if it is still in memory."""

    def follow_people(self) -> None:
        """Wait until nothing here names or shows a person who was removed, or has an old name."""
