"""What goes to a worker and comes back, as plain CBOR values."""

from __future__ import annotations

from dataclasses import asdict, astuple
from typing import Any

import numpy as np

from gateway.errors import GatewayError, wire_errors
from gateway.model import Box, Descriptor, FoundFace, Image, Landmarks, Look, Seen


def write_job(pictures: tuple[bytes, ...], look: Look) -> dict[str, Any]:
    return {"pictures": pictures, "look": asdict(look)}


def read_job(message: dict[str, Any]) -> tuple[tuple[bytes, ...], Look]:
    return tuple(message["pictures"]), Look(**message["look"])


def write_report(seen: list[Seen]) -> dict[str, Any]:
    return {"seen": [_write_seen(each) for each in seen]}


def write_failure(error: GatewayError) -> dict[str, Any]:
    return {"code": error.code, "message": str(error)}


def read_report(message: dict[str, Any]) -> tuple[Seen, ...]:
    """Raises the error that the worker reported."""
    if "seen" not in message:
        raise wire_errors()[message["code"]](message["message"])
    return tuple(_read_seen(each) for each in message["seen"])


def _write_seen(seen: Seen) -> dict[str, Any]:
    return {
        "image": astuple(seen.image),
        "timing": seen.timing,
        "faces": [
            (astuple(face.box), None if face.descriptor is None else face.descriptor.tobytes(), face.landmarks)
            for face in seen.faces
        ],
    }


def _read_seen(message: dict[str, Any]) -> Seen:
    faces = tuple(
        FoundFace(Box(*box), _read_descriptor(descriptor), _read_landmarks(landmarks))
        for box, descriptor, landmarks in message["faces"]
    )
    return Seen(Image(*message["image"]), faces, message["timing"])


def _read_landmarks(groups: dict[str, list[list[int]]] | None) -> Landmarks | None:
    return None if groups is None else {name: [(x, y) for x, y in points] for name, points in groups.items()}


def _read_descriptor(data: bytes | None) -> Descriptor | None:
    return None if data is None else np.frombuffer(data, np.float32)
