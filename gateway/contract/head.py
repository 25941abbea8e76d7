"""The part that the replies to recognition requests begin with."""

from __future__ import annotations

from typing import Any, Literal

from gateway.contract.base import VersionedModel
from gateway.model import Origin


class Head(VersionedModel):
    """The fields before the result or the error. ``id``: given by the gateway; ``request_id``: by the caller."""

    id: str
    type: Literal["face"] = "face"
    op: str
    camera: str | None
    timestamp: float
    request_id: str | None


def head_of(origin: Origin, operation: str) -> dict[str, Any]:
    """Return the fields of Head for a request."""
    return {
        "id": origin.id,
        "op": operation,
        "camera": origin.camera,
        "timestamp": round(origin.timestamp, 3),
        "request_id": origin.request_id,
    }
