"""The operations ``people/…``: each method is one row of the table in contract/operations.py."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import partial

from gateway.contract import fields as f
from gateway.contract import people as documents
from gateway.contract.base import Document, UnchangedDocument
from gateway.contract.coded_warnings import warning_fields
from gateway.contract.field_types import MAX_ENTRIES
from gateway.errors import UnknownPerson
from gateway.model import AdministrationRequest
from gateway.model.coded_warnings import CodedWarning
from gateway.people.archive import read_archive, write_archive
from gateway.people.services import PeopleServices
from gateway.people.vision import EnrolmentVision
from gateway.service.documents import write_audit_line, write_person
from gateway.service.enrolment import change_once
from gateway.service.picture_enrolment import ExaminedPicture, PictureEnrolment
from gateway.store.records import ExportedPerson


class PeopleOperations:
    """The operations on enrolled people."""

    def __init__(self, people: PeopleServices, vision: EnrolmentVision) -> None:
        self._people = people
        self._registry = people.registry
        self._vision = vision
        self._pictures = PictureEnrolment(people.store.people, people.registry, vision)

    def list(self, _request: AdministrationRequest, fields: f.ListNamed) -> documents.PeopleDocument:
        # One more than asked for: it says whether there is another page.
        entries = self._people.store.people.list_entries(
            after=fields.after, containing=fields.search, limit=fields.limit + 1
        )
        return documents.PeopleDocument(
            people=[write_person(entry) for entry in entries[: fields.limit]],
            known=len(self._people.gallery),
            found=self._people.store.people.count_people(containing=fields.search),
            next=entries[fields.limit - 1].person.slug if len(entries) > fields.limit else None,
        )

    def picture(
        self, request: AdministrationRequest, fields: f.ShownPicture
    ) -> documents.PersonPictureDocument | UnchangedDocument:
        store = self._people.store
        picture = fields.picture or store.people.read_entry(fields.person).shown
        chips = None if picture is None else store.faces.read_picture_chips(fields.person, picture)
        if picture is None or chips is None:
            raise UnknownPerson(f"no picture of {fields.person} is stored, only how the face is recognised")
        drawing = self._vision.show_chips(chips)
        if drawing.version in request.held_versions:
            return UnchangedDocument(version=drawing.version)
        image = base64.b64encode(drawing.draw()).decode()
        return documents.PersonPictureDocument(
            person=fields.person, picture=picture, image=image, version=drawing.version
        )

    def add(self, request: AdministrationRequest, fields: f.AddPictures) -> documents.EnrolledDocument:
        # The pictures of a request that was done are not analysed again: nothing may hide its stored reply.
        examined = [] if self._registry.was_applied(request.effect) else self._examine(request, fields)
        enrol = partial(self._pictures.enrol, examined, request, fields.name, fields.person)
        return change_once(self._registry, request.effect, enrol, documents.EnrolledDocument)

    def add_counter_examples(
        self, request: AdministrationRequest, fields: f.CounterExamples
    ) -> documents.PersonDocument:
        was_done = self._registry.was_applied(request.effect)
        samples = [] if was_done else self._pictures.read_samples(request, fields.images)
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
        # The reply is of the other person: by it a repetition could not know that this one is gone.
        with self._registry.change(removes=True):
            return change_once(
                self._registry,
                request.effect,
                lambda: write_person(self._registry.merge(fields.person, fields.into, request.caller)),
                documents.ChangedPersonDocument,
                find_warnings=lambda: self._people.updater.warnings_about(fields.into),
            )

    def split(self, request: AdministrationRequest, fields: f.SplitPerson) -> documents.ChangedPersonDocument:
        def split() -> documents.PersonDocument:
            entry = self._registry.split(
                fields.person, fields.pictures, request.caller, into=fields.into, name=fields.name
            )
            return write_person(entry)

        return change_once(
            self._registry,
            request.effect,
            split,
            documents.ChangedPersonDocument,
            find_warnings=lambda: self._people.updater.warnings_about(fields.person),
        )

    def feature(self, request: AdministrationRequest, fields: f.OnePicture) -> documents.PersonDocument:
        return change_once(
            self._registry,
            request.effect,
            lambda: write_person(self._registry.choose_shown(fields.person, fields.picture, request.caller)),
            documents.PersonDocument,
        )

    def remove(self, request: AdministrationRequest, fields: f.OnePerson) -> documents.RemovedDocument:
        removed = documents.RemovedDocument(person=fields.person)

        def remove() -> documents.RemovedDocument:
            self._registry.remove(fields.person, request.caller)
            return removed

        return change_once(self._registry, request.effect, remove, documents.RemovedDocument, removed)

    def remove_picture(self, request: AdministrationRequest, fields: f.OnePicture) -> documents.RemovedPictureDocument:
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

    def audit(self, _request: AdministrationRequest, fields: f.ListAudit) -> documents.AuditDocument:
        lines = self._people.store.audit.read_lines(fields.limit + 1, before=fields.before)
        return documents.AuditDocument(
            audit=[write_audit_line(line) for line in lines[: fields.limit]],
            next=lines[fields.limit - 1].line if len(lines) > fields.limit else None,
        )

    def _examine(self, request: AdministrationRequest, fields: f.AddPictures) -> Sequence[ExaminedPicture]:
        if fields.partial:
            return self._pictures.examine(request, fields.images)
        samples = self._pictures.read_samples(request, fields.images)
        return [ExaminedPicture(number, each.file, each) for number, each in enumerate(samples, 1)]

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
        found = [self._people.store.people.find_person(each.person.name) for each in people[:MAX_ENTRIES]]
        return self._people.updater.warnings_about(*(person.slug for person in found if person))
