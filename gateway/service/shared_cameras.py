"""The live cameras of a cluster, as the operations of one replica see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gateway.model import Person
from gateway.model.cameras import CameraReport, LastFrame
from gateway.model.sightings import CameraState, Presence, Sighting
from gateway.service.live_cameras import CorrectionEvent, LiveCameras
from gateway.service.live_notes import StoredCameras
from gateway.store.protocols.live_board import LiveBoard


class SharedCameras:
    """The cameras of all replicas (service/live_cameras.py). ``own``: those of this replica.

    ``notes``: leaves notes for all replicas. ``owns``: returns whether this replica follows a camera. ``is_on``:
    returns the switch of a camera.
    """

    def __init__(
        self,
        own: LiveCameras,
        notes: StoredCameras,
        board: LiveBoard,
        owns: Callable[[str], bool],
        is_on: Callable[[str], bool],
    ) -> None:
        self._own = own
        self._notes = notes
        self._board = board
        self._owns = owns
        self._is_on = is_on

    @property
    def all_enabled(self) -> bool:
        return self._own.all_enabled

    def cameras(self) -> Sequence[CameraState]:
        own = {each.camera: each for each in self._own.cameras()}
        noted = {each.state.camera: each.state for each in self._board.read().cameras}
        found = {**own, **noted, **{name: state for name, state in own.items() if self._owns(name)}}
        return [replace(found[name], enabled=self._is_on(name)) for name in sorted(found)]

    def presences(self) -> Sequence[Presence]:
        noted = {each.state.camera: each.presence for each in self._board.read().cameras}
        return list({**noted, **{each.camera: each for each in self._own.presences()}}.values())

    def camera_reports(self) -> Mapping[str, CameraReport]:
        return self._own.camera_reports()

    def last_frame(self, camera: str) -> LastFrame | None:
        return self._own.last_frame(camera)

    def follow_people(self) -> None:
        self._own.follow_people()

    def set_enabled(self, camera: str | None, on: bool) -> None:
        # The other replicas follow the switches in the store.
        self._own.set_enabled(camera, on)

    def forget_camera(self, camera: str) -> None:
        self._own.forget_camera(camera)
        self._board.forget(camera)
        self._notes.forget_camera(camera)

    def correct(self, sighting: Sighting, event_type: CorrectionEvent, previous: Person | None) -> None:
        if self._owns(sighting.camera):
            self._own.correct(sighting, event_type, previous)
        else:
            self._notes.correct(sighting, event_type, previous)
