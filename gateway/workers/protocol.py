"""The messages between the gateway and a worker process, as values for CBOR."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import Any

import numpy as np

from gateway.errors import GatewayError, wire_errors
from gateway.model import (
    AnalyseTask,
    Analysis,
    Box,
    Descriptor,
    DrawTask,
    FaceMark,
    FoundFace,
    Image,
    Landmarks,
    Mounting,
    Quality,
    RedescribeTask,
    Search,
    Task,
)

READY = "ready"
"""The first message of a worker process that has loaded its models. Otherwise the message is a sentence: the reason."""


def write_job(task: Task, picture_bytes: int, limit_s: float) -> dict[str, Any]:
    """Return the message for a task. Its picture follows the message.

    ``picture_bytes``: the length of the picture; ``limit_s``: the time after which the gateway ends the worker process.
    """
    return {"picture_bytes": picture_bytes, "limit_s": limit_s, "task": type(task).__name__, **_write_task(task)}


def read_job(message: dict[str, Any]) -> tuple[Task, int, float]:
    """Return the task, ``picture_bytes`` and ``limit_s`` of a message."""
    picture_bytes, limit_s = message.pop("picture_bytes"), message.pop("limit_s")
    return _read_task(message.pop("task"), message), picture_bytes, limit_s


def write_report(analysis: Analysis) -> dict[str, Any]:
    """Return the message for a result."""
    return {"analysis": _write_analysis(analysis)}


def write_failure(error: GatewayError) -> dict[str, Any]:
    """Return the message for an error."""
    return {"code": error.code, "message": str(error)}


def read_report(message: dict[str, Any]) -> Analysis:
    """Return the result of a message. Raises the error that the worker process reported."""
    if "analysis" not in message:
        raise wire_errors()[message["code"]](message["message"])
    return _read_analysis(message["analysis"])


def _write_task(task: Task) -> dict[str, Any]:
    match task:
        case AnalyseTask():
            return _write_fields(task) | {"search": _write_search(task.search)}
        case RedescribeTask():
            return {}
        case DrawTask():
            marks = [_write_mark(mark) for mark in task.marks]
            return {"marks": marks, "mounting": _write_fields(task.mounting)}


def _write_search(search: Search) -> dict[str, Any]:
    return _write_fields(search) | {"mounting": _write_fields(search.mounting)}


def _write_mark(mark: FaceMark) -> dict[str, Any]:
    return _write_fields(mark) | {"box": _write_fields(mark.box)}


# ``dataclasses.asdict`` copies each value in depth: for a task that took a tenth of the gateway's time for a frame.
def _write_fields(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


def _read_task(name: str, fields: dict[str, Any]) -> Task:
    match name:
        case "AnalyseTask":
            return AnalyseTask(**fields | {"search": _read_search(fields["search"])})
        case "RedescribeTask":
            return RedescribeTask()
        case "DrawTask":
            return DrawTask(tuple(_read_mark(mark) for mark in fields["marks"]), Mounting(**fields["mounting"]))
    raise ValueError(f"unknown task: {name}")


def _read_search(search: dict[str, Any]) -> Search:
    only, never = (_read_polygons(search.pop(name)) for name in ("only", "never"))
    return Search(only=only, never=never, mounting=Mounting(**search.pop("mounting")), **search)


def _read_polygons(polygons: list[list[list[float]]]) -> tuple[tuple[tuple[float, float], ...], ...]:
    return tuple(tuple((x, y) for x, y in polygon) for polygon in polygons)


def _read_mark(mark: dict[str, Any]) -> FaceMark:
    return FaceMark(Box(**mark.pop("box")), landmarks=_read_landmarks(mark.pop("landmarks")), **mark)


def _write_analysis(analysis: Analysis) -> dict[str, Any]:
    faces = [_write_face(face) for face in analysis.faces]
    rest = {"timing": analysis.timing, "drawn": analysis.drawn, "left_out": analysis.left_out}
    return {"image": astuple(analysis.image), "faces": faces, **rest}


def _read_analysis(message: dict[str, Any]) -> Analysis:
    faces = tuple(_read_face(face) for face in message["faces"])
    return Analysis(Image(*message["image"]), faces, message["timing"], message["drawn"], message["left_out"])


def _write_face(face: FoundFace) -> dict[str, Any]:
    return {
        "box": astuple(face.box),
        "descriptor": None if face.descriptor is None else face.descriptor.tobytes(),
        "landmarks": face.landmarks,
        "quality": None if face.quality is None else astuple(face.quality),
        "chips": face.chips,
        "crop": face.crop,
    }


def _read_face(face: dict[str, Any]) -> FoundFace:
    return FoundFace(
        Box(*face["box"]),
        _read_descriptor(face["descriptor"]),
        _read_landmarks(face["landmarks"]),
        None if face["quality"] is None else Quality(*face["quality"]),
        face["chips"],
        face["crop"],
    )


def _read_landmarks(groups: dict[str, list[list[int]]] | None) -> Landmarks | None:
    return None if groups is None else {name: [(x, y) for x, y in points] for name, points in groups.items()}


def _read_descriptor(data: bytes | None) -> Descriptor | None:
    return None if data is None else np.frombuffer(data, np.float32)
