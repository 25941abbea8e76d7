"""The operations ``cameras/…``: each method is one row of the table in contract/operations.py."""

from __future__ import annotations

from gateway.contract import fields as f
from gateway.contract import sightings as documents
from gateway.errors import Unsupported
from gateway.model import AdministrationRequest
from gateway.model.sightings import NOBODY
from gateway.people.services import PeopleServices
from gateway.service.enrolment import change_once
from gateway.service.live_cameras import LiveCameras


class CameraOperations:
    """The operations on live cameras. ``live``: None if live cameras are switched off (live.enabled)."""

    def __init__(self, people: PeopleServices, live: LiveCameras | None) -> None:
        self._registry = people.registry
        self._live_or_none = live

    def list(self, _request: AdministrationRequest, _fields: f.NoFields) -> documents.CamerasDocument:
        present = {each.camera: each.text for each in self._live.presences()}
        states = sorted(self._live.cameras(), key=lambda each: each.camera)
        return documents.CamerasDocument(
            enabled=self._live.all_enabled,
            cameras=[documents.write_camera(each, present.get(each.camera, NOBODY)) for each in states],
        )

    def enable(self, request: AdministrationRequest, fields: f.CameraOrAll) -> documents.CameraSwitchDocument:
        return self._switch(request, fields.camera, on=True)

    def disable(self, request: AdministrationRequest, fields: f.CameraOrAll) -> documents.CameraSwitchDocument:
        return self._switch(request, fields.camera, on=False)

    def forget(self, request: AdministrationRequest, fields: f.OneCamera) -> documents.ForgottenCameraDocument:
        def forget() -> documents.ForgottenCameraDocument:
            self._live.forget_camera(fields.camera)
            return documents.ForgottenCameraDocument(camera=fields.camera)

        return change_once(self._registry, request.effect, forget, documents.ForgottenCameraDocument)

    def _switch(
        self, request: AdministrationRequest, camera: str | None, *, on: bool
    ) -> documents.CameraSwitchDocument:
        def switch() -> documents.CameraSwitchDocument:
            self._live.set_enabled(camera, on)
            return documents.CameraSwitchDocument(camera=camera, enabled=on)

        return change_once(self._registry, request.effect, switch, documents.CameraSwitchDocument)

    @property
    def _live(self) -> LiveCameras:
        """The live cameras. Raise Unsupported if there are none."""
        if self._live_or_none is None:
            raise Unsupported("cameras are not followed by this gateway: set live.enabled to true")
        return self._live_or_none
