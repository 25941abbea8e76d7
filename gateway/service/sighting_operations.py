"""The operations ``sightings/…``: each method is one row of the table in contract/operations.py."""

from __future__ import annotations

import base64
from collections.abc import Callable

from gateway.contract import fields as f
from gateway.contract import sightings as documents
from gateway.contract.coded_warnings import warning_fields
from gateway.model import AdministrationRequest
from gateway.model.names import unknown_sighting_error
from gateway.people.services import PeopleServices
from gateway.people.sighting_corrections import Correction, SightingCorrections
from gateway.service.enrolment import change_once
from gateway.service.live_cameras import CorrectionEvent, LiveCameras


class SightingOperations:
    """The operations on stored sightings. ``live``: the live cameras, which learn of corrections; None without any."""

    def __init__(self, people: PeopleServices, live: LiveCameras | None) -> None:
        self._registry = people.registry
        self._sightings = people.sightings
        self._live = live
        self._corrections = SightingCorrections(people.store, people.sightings, people.registry)

    def list(self, _request: AdministrationRequest, fields: f.ListSightings) -> documents.SightingsDocument:
        filters = fields.model_dump(exclude={"limit"})
        # One more than asked for: it says whether there is another page.
        found = self._sightings.list_sightings(**filters, limit=fields.limit + 1)
        return documents.SightingsDocument(
            sightings=[documents.write_sighting(each) for each in found[: fields.limit]],
            next=found[fields.limit - 1].id if len(found) > fields.limit else None,
        )

    def show(self, _request: AdministrationRequest, fields: f.OneSighting) -> documents.SightingPictureDocument:
        if (record := self._sightings.find(fields.sighting)) is None:
            raise unknown_sighting_error(fields.sighting)
        crop = self._sightings.read_crop(fields.sighting)
        picture = base64.b64encode(crop).decode() if crop else None
        return documents.SightingPictureDocument(**documents.sighting_fields(record.sighting), picture=picture)

    def not_them(
        self, request: AdministrationRequest, fields: f.CorrectSighting
    ) -> documents.CorrectedSightingDocument:
        return self._correct(
            request,
            "not_them",
            lambda: self._corrections.not_them(fields.sighting, fields.person, request.caller),
        )

    def confirm(self, request: AdministrationRequest, fields: f.CorrectSighting) -> documents.CorrectedSightingDocument:
        return self._correct(
            request,
            "confirmed",
            lambda: self._corrections.confirm(fields.sighting, fields.person, request.caller),
        )

    def _correct(
        self, request: AdministrationRequest, event_type: CorrectionEvent, correct: Callable[[], Correction]
    ) -> documents.CorrectedSightingDocument:
        done: list[Correction] = []

        def change() -> documents.CorrectedSightingDocument:
            done.append(correct())
            return _document(done[0])

        document = change_once(self._registry, request.effect, change, documents.CorrectedSightingDocument)
        # A repeated request changes nothing, and is not announced again.
        if done and self._live is not None:
            self._live.correct(done[0].sighting, event_type, done[0].previous)
        return document


def _document(correction: Correction) -> documents.CorrectedSightingDocument:
    return documents.CorrectedSightingDocument(
        **documents.sighting_fields(correction.sighting),
        picture=correction.picture,
        picture_of=correction.person.slug,
        **warning_fields(correction.warnings),
    )
