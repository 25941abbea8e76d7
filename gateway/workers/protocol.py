"""The messages between the gateway and a worker process, as values for CBOR."""

from __future__ import annotations

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
    LiveTask,
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
        case LiveTask():
            boxes = {"faces": _write_boxes(task.faces), "look_at": _write_boxes(task.look_at)}
            return _write_fields(task) | boxes | {"search": _write_search(task.search)}
        case RedescribeTask():
            return {}
        case DrawTask():
            marks = [_write_mark(mark) for mark in task.marks]
            return {"marks": marks, "mounting": _write_fields(task.mounting), "never": task.never}


def _write_search(search: Search) -> dict[str, Any]:
    return _write_fields(search) | {"mounting": _write_fields(search.mounting)}


def _write_mark(mark: FaceMark) -> dict[str, Any]:
    return _write_fields(mark) | {"box": _write_fields(mark.box)}


def _write_boxes(boxes: tuple[Box, ...]) -> list[tuple[int, ...]]:
    return [_write_values(box) for box in boxes]


def _read_boxes(boxes: list[list[int]]) -> tuple[Box, ...]:
    return tuple(Box(*edges) for edges in boxes)


# ``dataclasses.asdict`` copies each value in depth: for a task that took a tenth of the gateway's time for a frame.
# ``dataclasses.fields`` makes a new tuple at each call.
def _write_fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _write_values(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, name) for name in value.__dataclass_fields__)


def _read_task(name: str, fields: dict[str, Any]) -> Task:
    match name:
        case "AnalyseTask":
            return AnalyseTask(**fields | {"search": _read_search(fields["search"])})
        case "LiveTask":
            boxes = {name: _read_boxes(fields[name]) for name in ("faces", "look_at")}
            return LiveTask(**fields | boxes | {"search": _read_search(fields["search"])})
        case "RedescribeTask":
            return RedescribeTask()
        case "DrawTask":
            marks = tuple(_read_mark(mark) for mark in fields["marks"])
            return DrawTask(marks, Mounting(**fields["mounting"]), _read_polygons(fields["never"]))
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
    still, changed = _write_boxes(analysis.still), _write_boxes(analysis.changed)
    rest = {"image": _write_values(analysis.image), "faces": faces, "still": still, "changed": changed}
    return _write_fields(analysis) | rest


def _read_analysis(message: dict[str, Any]) -> Analysis:
    faces = tuple(_read_face(face) for face in message["faces"])
    still, changed = _read_boxes(message["still"]), _read_boxes(message["changed"])
    rest = {"image": Image(*message["image"]), "faces": faces, "still": still, "changed": changed}
    return Analysis(**message | rest)


def _write_face(face: FoundFace) -> dict[str, Any]:
    return {
        "box": _write_values(face.box),
        "descriptor": None if face.descriptor is None else face.descriptor.tobytes(),
        "landmarks": face.landmarks,
        "quality": None if face.quality is None else _write_values(face.quality),
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
