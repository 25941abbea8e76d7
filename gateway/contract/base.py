"""The base of all documents that cross a wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Document = Mapping[str, Any]
"""A JSON object as Python has it."""

SCHEMA: Literal[1] = 1
"""The version of the contract, which every document states."""

MAX_LISTED = 100
"""Entries of a list that has no limit of its own, such as the pieces that are missing."""

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound="WireModel")


def _is_none(value: object) -> bool:
    return value is None


Omitted = Annotated[T | None, Field(exclude_if=_is_none)]
"""A field that a document does not have at all where its value is None."""


class WireModel(BaseModel):
    """A document that crosses a wire. The order of the fields is the order in the JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @classmethod
    def read_stored(cls: type[ModelT], document: Document) -> ModelT | None:
        """Return the stored document, or None if it is not a document of this version."""
        # Another version may have stored it, with a field more or less.
        try:
            return cls.model_validate(document, extra="ignore")
        except ValidationError:
            return None

    def document(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True)


class UnchangedDocument(WireModel):
    """The result of an operation whose caller has it already. ``version``: of the result. REST alone asks for it."""

    version: str


class VersionedModel(WireModel):
    """A document that begins with the version of the contract."""

    # BaseModel has an attribute ``schema``: the field needs another name in Python.
    schema_version: Literal[1] = Field(default=SCHEMA, alias="schema")


def dump(document: WireModel | Document) -> bytes:
    """Return the shortest JSON of a document, in UTF-8. Raise ValueError for NaN and infinity."""
    # Not the encoder of pydantic, which writes very small floats in another form (1e-5 for 1e-05).
    return _JSON.encode(document.document() if isinstance(document, WireModel) else document).encode()
