"""The operations ``cameras/…``: each method is one row of the table in contract/operations.py."""

from __future__ import annotations

import base64
import builtins
from collections.abc import Collection, Mapping

from gateway.contract import cameras as documents
from gateway.contract import fields as f
from gateway.contract.base import UnchangedDocument
from gateway.contract.coded_warnings import warning_fields
from gateway.contract.live import round_time
from gateway.errors import UnknownPerson, Unsupported
from gateway.model import AdministrationRequest
from gateway.model.coded_warnings import CodedWarning
from gateway.model.sightings import Presence
from gateway.people.services import PeopleServices
from gateway.people.vision import EnrolmentVision
from gateway.service.enrolment import change_once
from gateway.service.jobs import mark_face
from gateway.service.live_cameras import LiveCameras

SNAPSHOT_SIGHTINGS = 10
"""Sightings in which a picture of a camera is looked for."""


class CameraOperations:
    """The operations on live cameras. ``live``: None if live cameras are switched off (live.enabled).

    ``known``: cameras that are known although they may have sent nothing yet.
    """

    def __init__(
        self, people: PeopleServices, vision: EnrolmentVision, live: LiveCameras | None, known: Collection[str] = ()
    ) -> None:
        self._registry = people.registry
        self._sightings = people.sightings
        self._audit = people.store.audit
        self._vision = vision
        self._known = known
        self._live_or_none = live
        self._refresh = people.updater.refresh

    def list(self, _request: AdministrationRequest, fields: f.ListNamed) -> documents.CamerasDocument:
        self._refresh()
        present = {each.camera: each for each in self._live.presences()}
        reports = self._live.camera_reports()
        states = sorted(self._live.cameras(), key=lambda each: each.camera)
        found = [each for each in states if fields.search.casefold() in each.camera.casefold()]
        # One more than asked for: it says whether there is another page.
        page = [each for each in found if each.camera > fields.after][: fields.limit + 1]
        return documents.CamerasDocument(
            enabled=self._live.all_enabled,
            cameras=[
                documents.write_camera(each, _presence(present, each.camera), reports.get(each.camera))
                for each in page[: fields.limit]
            ],
            known=len(states),
            found=len(found),
            next=page[fields.limit - 1].camera if len(page) > fields.limit else None,
        )

    def show(self, _request: AdministrationRequest, fields: f.OneCamera) -> documents.CameraDetailDocument:
        self._refresh()
        state = next((each for each in self._live.cameras() if each.camera == fields.camera), None)
        if state is None:
            raise self._unknown_camera_error(fields.camera)
        presence = _presence({each.camera: each for each in self._live.presences()}, fields.camera)
        return documents.write_camera_detail(state, presence, self._live.camera_reports().get(fields.camera))

    def snapshot(
        self, request: AdministrationRequest, fields: f.CameraSnapshot
    ) -> documents.SnapshotDocument | UnchangedDocument:
        # Another process may have erased somebody whom the frame shows.
        self._refresh()
        frame = self._live.last_frame(fields.camera)
        if frame is None:
            timestamp, crop = self._last_sighting(fields.camera)
            drawing = self._vision.show_picture(crop, fields.width)
        else:
            marks = [mark_face(face) for face in frame.faces] if fields.annotate else []
            timestamp = frame.timestamp
            drawing = self._vision.draw_frame(frame.picture, fields.camera, marks, fields.width)
        if drawing.version in request.held_versions:
            return UnchangedDocument(version=drawing.version)
        return documents.SnapshotDocument(
            camera=fields.camera,
            timestamp=round_time(timestamp),
            live=frame is not None,
            picture=base64.b64encode(drawing.draw()).decode(),
            version=drawing.version,
        )

    def switch(self, request: AdministrationRequest, fields: f.SwitchCamera) -> documents.CameraSwitchDocument:
        return self._switch(request, fields.camera, on=fields.enabled)

    def enable(self, request: AdministrationRequest, fields: f.CameraOrAll) -> documents.CameraSwitchDocument:
        return self._switch(request, fields.camera, on=True)

    def disable(self, request: AdministrationRequest, fields: f.CameraOrAll) -> documents.CameraSwitchDocument:
        return self._switch(request, fields.camera, on=False)

    def forget(self, request: AdministrationRequest, fields: f.OneCamera) -> documents.ForgottenCameraDocument:
        def forget() -> documents.ForgottenCameraDocument:
            if not self._is_known(fields.camera):
                raise self._unknown_camera_error(fields.camera)
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

    def _last_sighting(self, camera: str) -> tuple[float, bytes]:
        """Return the time and the picture of the last sighting that has one. Raise UnknownPerson."""
        if not self._is_known(camera):
            raise self._unknown_camera_error(camera)
        for sighting in self._sightings.list_sightings(camera=camera, limit=SNAPSHOT_SIGHTINGS):
            if crop := self._sightings.read_crop(sighting.id):
                return sighting.last_seen, crop
        raise UnknownPerson(f"there is no picture of the camera {camera}: none came since the start")

    def _unknown_camera_error(self, camera: str) -> UnknownPerson:
        return UnknownPerson(f"no camera {camera!r} is known: cameras/list has the names of all cameras")

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


def _presence(found: Mapping[str, Presence], camera: str) -> Presence:
    return found.get(camera) or Presence(camera=camera)
