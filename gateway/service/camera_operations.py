"""The operations ``cameras/…``: each method is one row of the table in contract/operations.py."""

from __future__ import annotations

import builtins
from collections.abc import Collection

from gateway.contract import fields as f
from gateway.contract import sightings as documents
from gateway.contract.coded_warnings import warning_fields
from gateway.errors import UnknownPerson, Unsupported
from gateway.model import AdministrationRequest
from gateway.model.coded_warnings import CodedWarning
from gateway.model.sightings import NOBODY
from gateway.people.services import PeopleServices
from gateway.service.enrolment import change_once
from gateway.service.live_cameras import LiveCameras


class CameraOperations:
    """The operations on live cameras. ``live``: None if live cameras are switched off (live.enabled).

    ``known``: cameras that are known although they may have sent nothing yet.
    """

    def __init__(self, people: PeopleServices, live: LiveCameras | None, known: Collection[str] = ()) -> None:
        self._registry = people.registry
        self._sightings = people.sightings
        self._audit = people.store.audit
        self._known = known
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
            if not self._is_known(fields.camera):
                raise UnknownPerson(f"no camera {fields.camera!r} is known: cameras/list has the names of all cameras")
            self._live.forget_camera(fields.camera)
            self._audit.record(request.caller, request.operation, detail=fields.camera)
            return documents.ForgottenCameraDocument(camera=fields.camera)

        return change_once(self._registry, request.effect, forget, documents.ForgottenCameraDocument)

    def _switch(
        self, request: AdministrationRequest, camera: str | None, *, on: bool
    ) -> documents.CameraSwitchDocument:
        def switch() -> documents.CameraSwitchDocument:
            warnings = warning_fields(self._find_warnings(camera, "on" if on else "off"))
            self._live.set_enabled(camera, on)
            self._audit.record(request.caller, request.operation, detail=camera or "all cameras")
            told = warnings if warnings["warnings"] else {}
            return documents.CameraSwitchDocument(camera=camera, enabled=on, **told)

        return change_once(self._registry, request.effect, switch, documents.CameraSwitchDocument)

    def _find_warnings(self, camera: str | None, state: str) -> builtins.list[str]:
        """Return a warning about a camera that is not known: its name may be misspelled."""
        if camera is None or self._is_known(camera):
            return []
        text = f"the camera {camera} is not known yet: it will be {state} when it sends its first picture"
        return [CodedWarning(text, "unknown_camera")]

    def _is_known(self, camera: str) -> bool:
        if camera in self._known or camera in self._sightings.cameras():
            return True
        return any(each.camera == camera for each in self._live.cameras())

    @property
    def _live(self) -> LiveCameras:
        """The live cameras. Raise Unsupported if there are none."""
        if self._live_or_none is None:
            raise Unsupported("cameras are not followed by this gateway: set live.enabled to true")
        return self._live_or_none
