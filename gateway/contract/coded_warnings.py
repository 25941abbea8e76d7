"""The warnings of a reply.

Over MQTT ``warnings`` are sentences, which a small device shows as they are, and ``coded_warnings`` are the same ones
with codes for programs. REST has only one list: its ``warnings`` are those with codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.contract.base import Document, Omitted, WireModel
from gateway.model.coded_warnings import CodedWarning, WarningCode


class WarningDocument(WireModel):
    """A warning. ``people``: the ids of the people that it names. ``picture``: its number in the request, from 1."""

    code: WarningCode
    text: str
    people: Omitted[list[str]] = None
    picture: Omitted[int] = None


CodedWarnings = Omitted[list[WarningDocument]]
"""The type of a field with the codes of the texts in ``warnings``, in the same order. Without texts it is left out."""


def warning_fields(warnings: Iterable[str]) -> dict[str, Any]:
    """Return the fields ``warnings`` and ``coded_warnings`` of a document, in the types of JSON."""
    texts = list(warnings)
    fields: dict[str, Any] = {"warnings": [str(text) for text in texts]}
    return {**fields, "coded_warnings": [_write(text).document() for text in texts]} if texts else fields


def read_warnings(texts: Iterable[str], documents: Iterable[WarningDocument] | None) -> tuple[str, ...]:
    """Return the warnings of a document."""
    if documents is None:
        return tuple(texts)
    return tuple(CodedWarning(each.text, each.code, tuple(each.people or ()), each.picture) for each in documents)


def merge_warnings(document: Document) -> Document:
    """Return a document of MQTT as REST has it."""
    if (coded := document.get("coded_warnings")) is None:
        return document
    return {name: value for name, value in {**document, "warnings": coded}.items() if name != "coded_warnings"}


def merge_warning_fields(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a document of MQTT as REST has it."""
    fields = schema.get("properties", {})
    return {**schema, "properties": merge_warnings(fields)} if "coded_warnings" in fields else schema


def _write(text: str) -> WarningDocument:
    if not isinstance(text, CodedWarning):
        return WarningDocument(code="other", text=text)
    return WarningDocument(code=text.code, text=str(text), people=[*text.people] or None, picture=text.picture)
