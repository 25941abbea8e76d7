"""The documents of stored values are the same, byte for byte, as before there were models for them."""

from __future__ import annotations

import json

from gateway.contract.base import dump
from gateway.model import Person
from gateway.service.documents import write_audit_line, write_group, write_person
from gateway.store.audit_records import AuditLine
from gateway.store.records import PersonEntry, PictureEntry, UnknownGroup
from tests.contract.expected import EXPECTED

ENTRY = PersonEntry(
    Person("jose", "José"),
    1790000000.5,
    (
        PictureEntry("ab" * 8, "mqtt:porch", 1790000001.25, False),
        PictureEntry("cd" * 8, "rest", 1790000002.0, True),
    ),
)


def test_person_document_is_unchanged() -> None:
    assert dump(write_person(ENTRY)).decode() == EXPECTED["people/feature"]


def test_unknown_group_document_is_unchanged() -> None:
    group = UnknownGroup(7, 1790000000.5, 1790000009.0, 3, ["porch", "yard"])
    assert json.dumps(json.loads(EXPECTED["unknowns/list"])["unknowns"]) == json.dumps([write_group(group).document()])


def test_audit_line_document_is_unchanged() -> None:
    line = AuditLine(1790000000.5, "mqtt:porch", "add", "ab12", 2, actor="porch", role="camera", line=7)
    assert json.dumps(json.loads(EXPECTED["people/audit"])["audit"]) == json.dumps([write_audit_line(line).document()])
