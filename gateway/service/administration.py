"""The operations of administrators: reading their fields, their order, and their threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import partial
from typing import Any

from gateway.contract import fields as f
from gateway.contract.base import WireModel
from gateway.contract.health import HealthDocument, write_health
from gateway.contract.operations import ADMINISTRATION, check_command, read_fields
from gateway.contract.people import CalibrationDocument
from gateway.errors import Busy, Expired
from gateway.model import AdministrationRequest
from gateway.model.health import Health
from gateway.people.calibration import calibrate
from gateway.people.services import PeopleServices
from gateway.people.vision import EnrolmentVision
from gateway.service.camera_operations import CameraOperations
from gateway.service.live_cameras import LiveCameras
from gateway.service.named_answers import BeforeReading, check_nothing
from gateway.service.people_operations import PeopleOperations
from gateway.service.resemblance_operations import ResemblanceOperations
from gateway.service.sighting_operations import SightingOperations
from gateway.service.token_operations import TokenOperations
from gateway.service.turns import RETRY_AFTER_S, Turns
from gateway.service.unknown_operations import UnknownOperations

MAX_ATTEMPTS = 3
"""The most times that an operation is done because somebody was removed while it was done."""

Handler = Callable[[AdministrationRequest, Any], WireModel]


class Administration:
    """The operations of administrators. ``changes``: those of one thread, so that changes never overlap.

    ``reads``: those of another thread, for all others: the pictures of cameras take long, and must not hold up changes.
    ``live``: the live cameras; None if they are switched off.
    ``known_cameras``: cameras that are known although they may have sent nothing yet. ``keep_admin``: refuse to revoke
    the last token with the role admin.
    """

    def __init__(
        self,
        people: PeopleServices,
        vision: EnrolmentVision,
        changes: Turns,
        reads: Turns,
        health: Callable[[], Health],
        live: LiveCameras | None = None,
        known_cameras: Collection[str] = (),
        *,
        keep_admin: bool = False,
    ) -> None:
        self._people = people
        self._live = live
        self._health_now = health
        self._changes = changes
        self._reads = reads
        self._handlers: dict[str, Handler] = {
            **_people_handlers(PeopleOperations(people, vision)),
            **_resemblance_handlers(ResemblanceOperations(people)),
            **_unknown_handlers(UnknownOperations(people)),
            **_sighting_handlers(SightingOperations(people, live)),
            **_camera_handlers(CameraOperations(people, vision, live, known_cameras)),
            **_token_handlers(TokenOperations(people, keep_admin=keep_admin)),
            "calibrate": self._calibrate,
            "health": self._health,
        }

    @property
    def operations(self) -> frozenset[str]:
        """The names of the operations that have a handler. A test compares them with the contract."""
        return frozenset(self._handlers)

    def submit(
        self, request: AdministrationRequest, before_reading: BeforeReading = check_nothing
    ) -> Future[WireModel]:
        """Return the future of the result. The future also gets every exception; none is raised here.

        ``before_reading``: called at each attempt of an operation that only reads, before it reads the people.
        """
        try:
            # The role comes first: a caller that may not ask learns nothing about the fields.
            check_command(request.caller, request.operation)
            fields = read_fields(request.operation, request.fields)
            handle = partial(self._handlers[request.operation], request, fields)
            is_change = ADMINISTRATION[request.operation].changes
            if is_change:
                return self._changes.submit(request.origin.party, partial(self._change, request, handle))
            return self._reads.submit(request.origin.party, partial(self._read, request, handle, before_reading))
        except Exception as error:
            failed: Future[WireModel] = Future()
            failed.set_exception(error)
            return failed

    def _change(self, request: AdministrationRequest, handle: Callable[[], WireModel]) -> WireModel:
        """Return the reply to a change. From then on nothing shows or names a person whom it removed.

        A change that was made before has the same reply at any time.
        """
        if _is_late(request) and not self._people.registry.was_applied(request.effect):
            raise _expired_error()
        before = self._people.gallery.changes
        reply = handle()
        # Other changes do not wait: the thread of the live cameras may be busy.
        if self._live is not None and self._people.gallery.changes != before:
            self._live.follow_people()
        return reply

    def _read(
        self, request: AdministrationRequest, handle: Callable[[], WireModel], before_reading: BeforeReading
    ) -> WireModel:
        """Return the reply to an operation that changes nothing. It shows nobody who was removed in the meantime.

        Raise Busy if people are removed all the time.
        """
        updater = self._people.updater
        for _ in range(MAX_ATTEMPTS):
            if _is_late(request):
                raise _expired_error()
            removals = updater.removal_count
            before_reading()
            reply = handle()
            # A worker process may have drawn a picture for a while.
            if updater.removal_count == removals:
                return reply
        message = f"people were removed during each of {MAX_ATTEMPTS} attempts: try again later"
        raise Busy(message, RETRY_AFTER_S)

    def _calibrate(self, _request: AdministrationRequest, fields: f.Calibrate) -> CalibrationDocument:
        people = self._people
        recipe = people.rules.pictures.recipe
        found = calibrate(people.store, people.gallery, people.decision, recipe=recipe, plot=fields.plot)
        return CalibrationDocument.model_validate(found)

    def _health(self, _request: AdministrationRequest, _fields: f.NoFields) -> HealthDocument:
        return write_health(self._health_now())


def _is_late(request: AdministrationRequest) -> bool:
    return time.monotonic() > request.deadline


def _expired_error() -> Expired:
    return Expired("the request expired while it waited for another operation: send it again")


def _people_handlers(people: PeopleOperations) -> dict[str, Handler]:
    return {
        "people/list": people.list,
        "people/picture": people.picture,
        "people/add": people.add,
        "people/not_them": people.add_counter_examples,
        "people/rename": people.rename,
        "people/merge": people.merge,
        "people/split": people.split,
        "people/feature": people.feature,
        "people/remove": people.remove,
        "people/remove_picture": people.remove_picture,
        "people/erase": people.erase,
        "people/export": people.export,
        "people/import": people.import_archive,
        "people/audit": people.audit,
    }


def _resemblance_handlers(resemblances: ResemblanceOperations) -> dict[str, Handler]:
    return {"people/show": resemblances.show, "people/suggestions": resemblances.suggest}


def _unknown_handlers(unknowns: UnknownOperations) -> dict[str, Handler]:
    return {
        "unknowns/list": unknowns.list,
        "unknowns/show": unknowns.show,
        "unknowns/name": unknowns.name,
        "unknowns/forget": unknowns.forget,
        "unknowns/export": unknowns.export,
        "unknowns/ignore": unknowns.ignore,
        "unknowns/unignore": unknowns.unignore,
        "unknowns/join": unknowns.join,
    }


def _sighting_handlers(sightings: SightingOperations) -> dict[str, Handler]:
    return {
        "sightings/list": sightings.list,
        "sightings/show": sightings.show,
        "sightings/not_them": sightings.not_them,
        "sightings/confirm": sightings.confirm,
    }


def _camera_handlers(cameras: CameraOperations) -> dict[str, Handler]:
    return {
        "cameras/list": cameras.list,
        "cameras/show": cameras.show,
        "cameras/snapshot": cameras.snapshot,
        "cameras/switch": cameras.switch,
        "cameras/enable": cameras.enable,
        "cameras/disable": cameras.disable,
        "cameras/forget": cameras.forget,
    }


def _token_handlers(tokens: TokenOperations) -> dict[str, Handler]:
    return {
        "tokens/list": tokens.list,
        "tokens/add": tokens.add,
        "tokens/revoke": tokens.revoke,
        "tokens/rotate": tokens.rotate,
    }
