"""The description of one route."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.contract.components import Schema

_PATH_FIELD = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, slots=True)
class RouteDescription:
    """The description of one route.

    ``name``: its name in generated clients (``operationId``). ``answers``: by status, those that are no problem
    documents. ``problems``: the statuses of its problem documents.
    """

    name: str
    tag: str
    summary: str
    answers: Mapping[str, Schema]
    problems: Sequence[int] = ()
    parameters: Sequence[Schema] = ()
    body: Schema | None = None
    description: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)


def path_fields(path: str) -> list[str]:
    """Return the names of the fields in a path of Flask."""
    return _PATH_FIELD.findall(path)


def openapi_path(path: str) -> str:
    """Return a path of Flask as OpenAPI writes it: ``<person>`` becomes ``{person}``."""
    return _PATH_FIELD.sub(r"{\1}", path)


def json_answer(schema: Schema, text: str = "The result.") -> Schema:
    """Return the description of an answer in JSON."""
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def file_answer(kind: str, text: str) -> Schema:
    """Return the description of an answer that is a file. ``kind``: its media type."""
    return {"description": text, "content": {kind: {"schema": {"type": "string", "format": "binary"}}}}


def page_answer(text: str = "A page for a browser.") -> Schema:
    return {"description": text, "content": {"text/html": {"schema": {"type": "string"}}}}
