"""The documents of values that the store has."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gateway.contract.people import (
    AuditLineDocument,
    PersonDocument,
    PictureDocument,
    UnknownGroupDocument,
)
from gateway.contract.resemblance import NamedPersonDocument
from gateway.contract.tokens import TokenDocument
from gateway.store.audit_records import AuditLine
from gateway.store.records import PersonEntry, UnknownGroup
from gateway.store.tokens import Token


def write_person(entry: PersonEntry) -> PersonDocument:
    return PersonDocument(
        person=entry.person.slug,
        name=entry.person.name,
        added=entry.added,
        # A page has hundreds of pictures: asdict() takes as long as all the rest of the page.
        pictures=[PictureDocument(id=p.id, source=p.source, added=p.added, counter=p.counter) for p in entry.pictures],
        shown=entry.shown,
    )


def name_person(entry: PersonEntry) -> NamedPersonDocument:
    return NamedPersonDocument(person=entry.person.slug, name=entry.person.name, shown=entry.shown)


def write_group(group: UnknownGroup) -> UnknownGroupDocument:
    return UnknownGroupDocument(**group_fields(group))


def group_fields(group: UnknownGroup) -> dict[str, Any]:
    return {
        "unknown": group.id,
        "first": group.first,
        "last": group.last,
        "seen": group.seen,
        "cameras": list(group.cameras),
        "pictures": len(group.faces),
        "ignored": group.ignored,
    }


def write_audit_line(line: AuditLine) -> AuditLineDocument:
    return AuditLineDocument(**asdict(line))


def write_token(token: Token) -> TokenDocument:
    return TokenDocument(**asdict(token))
