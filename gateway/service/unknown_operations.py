"""The operations ``unknowns/…``: each method is one row of the table in contract/operations.py."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from functools import partial

from gateway.contract import fields as f
from gateway.contract import people as documents
from gateway.model import AdministrationRequest
from gateway.model.names import unknown_group_error
from gateway.people.archive import write_archive
from gateway.people.services import PeopleServices
from gateway.service.documents import group_fields, write_group
from gateway.service.enrolment import change_once, enrol_once
from gateway.store.records import UnknownGroup


class UnknownOperations:
    """The operations on unknown groups."""

    def __init__(self, people: PeopleServices) -> None:
        self._registry = people.registry
        self._groups = people.groups
        self._audit = people.store.audit

    def list(self, _request: AdministrationRequest, fields: f.ListUnknowns) -> documents.UnknownGroupsDocument:
        self._groups.follow()
        groups = self._groups.list_groups()
        start = 0 if fields.after is None else _place_after(groups, fields.after)
        page = groups[start : start + fields.limit]
        return documents.UnknownGroupsDocument(
            unknowns=[write_group(group) for group in page],
            known=len(groups),
            next=page[-1].id if start + fields.limit < len(groups) else None,
        )

    def show(self, _request: AdministrationRequest, fields: f.OneUnknown) -> documents.UnknownGroupCropsDocument:
        self._groups.follow()
        group = self._groups.group(fields.unknown)
        crops = [base64.b64encode(face.crop).decode() for _, face in group.faces if face.crop]
        return documents.UnknownGroupCropsDocument(**group_fields(group), crops=crops)

    def name(self, request: AdministrationRequest, fields: f.NameUnknown) -> documents.EnrolledDocument:
        compared = self._registry.compare_unknown(fields.unknown)
        named = fields.unknown, fields.name, request.caller
        enrol = partial(self._registry.enrol_unknown, *named, person=fields.person, compared=compared)
        return enrol_once(self._registry, request.effect, enrol)

    def export(self, request: AdministrationRequest, fields: f.OneUnknown) -> documents.ArchiveDocument:
        archive = write_archive([self._registry.export_unknown(fields.unknown, request.caller)])
        return documents.ArchiveDocument(archive=base64.b64encode(archive).decode())

    def forget(self, request: AdministrationRequest, fields: f.OneUnknown) -> documents.ForgottenGroupDocument:
        def forget() -> documents.ForgottenGroupDocument:
            self._registry.forget_unknown(fields.unknown)
            self._record(request, fields.unknown)
            return documents.ForgottenGroupDocument(unknown=fields.unknown)

        return change_once(self._registry, request.effect, forget, documents.ForgottenGroupDocument)

    def ignore(self, request: AdministrationRequest, fields: f.OneUnknown) -> documents.UnknownGroupDocument:
        return self._change(request, fields.unknown, lambda: self._groups.ignore(fields.unknown))

    def unignore(self, request: AdministrationRequest, fields: f.OneUnknown) -> documents.UnknownGroupDocument:
        return self._change(request, fields.unknown, lambda: self._groups.unignore(fields.unknown))

    def join(self, request: AdministrationRequest, fields: f.JoinUnknowns) -> documents.UnknownGroupDocument:
        join = partial(self._registry.join_unknowns, fields.unknown, fields.into)
        return self._change(request, fields.unknown, join)

    def _change(
        self, request: AdministrationRequest, unknown: int, make_change: Callable[[], UnknownGroup]
    ) -> documents.UnknownGroupDocument:
        def change() -> documents.UnknownGroupDocument:
            changed = write_group(make_change())
            self._record(request, unknown)
            return changed

        return change_once(self._registry, request.effect, change, documents.UnknownGroupDocument)

    def _record(self, request: AdministrationRequest, unknown: int) -> None:
        """Add a line about a change of a group to the audit."""
        self._audit.record(request.caller, request.operation, detail=f"unknown {unknown}")


def _place_after(groups: Sequence[UnknownGroup], key: int) -> int:
    """Return the place behind the group with this id. Raise UnknownPerson if it is not there any more."""
    found = next((place for place, group in enumerate(groups) if group.id == key), None)
    if found is None:
        raise unknown_group_error(key)
    return found + 1
