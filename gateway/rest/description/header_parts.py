"""The headers that many routes share: repeated changes, and conditional requests."""

from __future__ import annotations

from gateway.contract.components import Schema
from gateway.rest.idempotency import KEY_HEADER, MAX_KEY_LENGTH

IDEMPOTENCY_KEY: Schema = {
    "name": KEY_HEADER,
    "in": "header",
    "description": "A new text for each change. A request that is sent again with the same key changes nothing more.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": "^[!#-~]+$"},
}
IF_NONE_MATCH: Schema = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of the answer that the client has.",
    "schema": {"type": "string"},
}
ETAG: Schema = {"ETag": {"description": "The version of the content.", "schema": {"type": "string"}}}


def conditional_answers(answer: Schema) -> dict[str, Schema]:
    """Return the answers of a route whose content a client may have already."""
    unchanged = {"description": "The content is that of If-None-Match.", "headers": ETAG}
    return {"200": {**answer, "headers": ETAG}, "304": unchanged}


def header_parameters(method: str, *, changes: bool) -> list[Schema]:
    """Return the headers that a request for an operation may have."""
    if method == "GET":
        return [IF_NONE_MATCH]
    return [IDEMPOTENCY_KEY] if changes else []
