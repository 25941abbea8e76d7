"""The operations ``people/…``: each method is one row of the table in contract/operations.py."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from functools import partial

from gateway.contract import fields as f
from gateway.contract import people as documents
from gateway.contract.base import Document
from gateway.contract.coded_warnings import warning_fields
from gateway.errors import Expired
from gateway.model import AdministrationRequest
from gateway.model.coded_warnings import CodedWarning
from gateway.people.archive import read_archive, write_archive
from gateway.people.enrolment import EnrolmentSample
from gateway.people.services import PeopleServices
from gateway.people.vision import EnrolmentVision
from gateway.service.documents import write_audit_line, write_person
from gateway.service.enrolment import change_once, enrol_once
from gateway.store.records import ExportedPerson


class PeopleOperations:
    """The operations on enrolled people."""

    def __init__(self, people: PeopleServices, vision: EnrolmentVision) -> None:
        self._people = people
        self._registry = people.registry
        self._vision = vision

    def list(self, _request: AdministrationRequest, fields: f.ListPeople) -> documents.PeopleDocument:
        # One more than asked for: it says whether there is another page.
        entries = self._people.store.people.list_entries(
            after=fields.after, containing=fields.search, limit=fields.limit + 1
        )
        return documents.PeopleDocument(
            people=[write_person(entry) for entry in entries[: fields.limit]],
            known=len(self._people.gallery),
            next=entries[fields.limit - 1].person.slug if len(entries) > fields.limit else None,
        )

    def show(self, _request: AdministrationRequest, fields: f.OnePerson) -> documents.PersonDocument:
        return write_person(self._people.store.people.read_entry(fields.person))

    def add(self, request: AdministrationRequest, fields: f.AddPictures) -> documents.EnrolledDocument:
        samples = self._samples(request, fields.images)
        enrol = partial(self._registry.enrol, fields.name, samples, request.caller, person=fields.person)
        return enrol_once(self._registry, request.effect, enrol)

    def add_counter_examples(
        self, request: AdministrationRequest, fields: f.CounterExamples
    ) -> documents.PersonDocument:
        samples = self._samples(request, fields.images)
        return change_once(
            self._registry,
            request.effect,
            lambda: write_person(self._registry.add_counter_examples(fields.person, samples, request.caller)),
            documents.PersonDocument,
        )

    def rename(self, request: AdministrationRequest, fields: f.RenamePerson) -> documents.ChangedPersonDocument:
        return change_once(
            self._registry,
            request.effect,
            lambda: write_person(self._registry.rename(fields.person, fields.name, request.caller)),
            documents.ChangedPersonDocument,
            find_warnings=lambda: self._people.updater.warnings_about(fields.person),
        )

    def merge(self, request: AdministrationRequest, fields: f.MergePeople) -> documents.ChangedPersonDocument:
        return change_once(
            self._registry,
            request.effect,
            lambda: write_person(self._registry.merge(fields.person, fields.into, request.caller)),
            documents.ChangedPersonDocument,
            find_warnings=lambda: self._people.updater.warnings_about(fields.into),
        )

    def remove(self, request: AdministrationRequest, fields: f.OnePerson) -> documents.RemovedDocument:
        removed = documents.RemovedDocument(person=fields.person)

        def remove() -> documents.RemovedDocument:
            self._registry.remove(fields.person, request.caller)
            return removed

        return change_once(self._registry, request.effect, remove, documents.RemovedDocument, removed)

    def remove_picture(
        self, request: AdministrationRequest, fields: f.RemovePicture
    ) -> documents.RemovedPictureDocument:
        removed = documents.RemovedPictureDocument(person=fields.person, pictures=[])

        def remove() -> documents.RemovedPictureDocument:
            entry = self._registry.remove_picture(fields.person, fields.picture, request.caller)
            return documents.RemovedPictureDocument(**write_person(entry).document()) if entry else removed

        return change_once(self._registry, request.effect, remove, documents.RemovedPictureDocument, removed)

    def erase(self, request: AdministrationRequest, fields: f.OnePerson) -> documents.ErasedDocument:
        def erase() -> Document:
            self._registry.erase(fields.person, request.caller)
            return self._find_skipped_files()

        # The stored reply has no person, since nothing may name an erased person. The request names the person.
        with self._registry.erasing():
            reply = self._registry.apply_once(request.effect, erase) or self._find_skipped_files()
        return documents.ErasedDocument(person=fields.person, **{name: each for name, each in reply.items() if each})

    def export(self, request: AdministrationRequest, fields: f.ExportPeople) -> documents.ArchiveDocument:
        archive = write_archive(self._registry.export(fields.person, request.caller))
        return documents.ArchiveDocument(archive=base64.b64encode(archive).decode())

    def import_archive(self, request: AdministrationRequest, fields: f.ImportPeople) -> documents.ImportDocument:
        people = read_archive(fields.archive, self._people.rules.limits)

        def add() -> documents.ImportCountsDocument:
            added = self._registry.import_people(people, request.caller, merge=fields.merge)
            return documents.ImportCountsDocument(people=len(people), pictures=added)

        return change_once(
            self._registry,
            request.effect,
            add,
            documents.ImportDocument,
            find_warnings=lambda: [*self._warnings_about_pictures(people), *self._warnings_about(people)],
        )

    def audit(self, _request: AdministrationRequest, fields: f.ListEntries) -> documents.AuditDocument:
        lines = self._people.store.audit.read_lines(fields.limit)
        return documents.AuditDocument(audit=[write_audit_line(line) for line in lines])

    def _find_skipped_files(self) -> Document:
        skipped = self._people.store.backups.skipped_warnings()
        return warning_fields(CodedWarning(text, "skipped_files") for text in skipped)

    def _warnings_about_pictures(self, people: Sequence[ExportedPerson]) -> Sequence[str]:
        """Return a warning about pictures whose descriptors this engine cannot use or make again."""
        recipe = self._people.rules.pictures.recipe
        pictures = [picture for each in people for picture in each.pictures]
        useless = sum(each.recipe != recipe and not each.face.chips for each in pictures)
        if not useless:
            return ()
        text = f"{useless} pictures were described by another engine and have no chips: they are of no use"
        return (CodedWarning(text, "useless_pictures"),)

    def _warnings_about(self, people: Sequence[ExportedPerson]) -> Sequence[str]:
        # Of as many people as a message is likely to name. The log and /readyz have the others.
        found = [self._people.store.people.find_person(each.person.name) for each in people[: f.MAX_ENTRIES]]
        return self._people.updater.warnings_about(*(person.slug for person in found if person))

    def _samples(self, request: AdministrationRequest, images: Sequence[bytes]) -> Sequence[EnrolmentSample]:
        """Analyse the pictures one after the other. Raise Expired if that takes too long."""
        samples: list[EnrolmentSample] = []
        for image in images:
            if time.monotonic() > request.deadline:
                raise Expired(
                    f"only {len(samples)} of {len(images)} pictures were analysed in time: send fewer at once"
                )
            samples.append(EnrolmentSample(image, self._vision.describe_picture(image)))
        return samples
