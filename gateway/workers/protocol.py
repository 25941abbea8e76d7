"""The messages between the gateway and a worker process, in MessagePack. Pickle is never used.

The types of ``gateway.model`` are the schema: a message with another type anywhere is refused while it is decoded. A
worker process decodes pictures from anyone, so ``answer_check.py`` also bounds everything in its answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np

from gateway.confinement.report import Confinement
from gateway.errors import GatewayError, wire_errors
from gateway.model import AnalyseTask, Analysis, DrawTask, LiveTask, RedescribeTask, ShowChipsTask, Task
from gateway.workers.answer_check import check_answer

T = TypeVar("T")

MAX_STARTED_BYTES = 1 << 16
"""Longest first message of a worker process."""

MAX_ANSWER_BYTES, MAX_DRAWING_BYTES = 1 << 24, 1 << 27
"""Longest answer to a task: at most 32 faces with their pictures, or a whole picture as a JPEG."""

_TASKS: dict[str, type[Task]] = {
    each.__name__: each for each in (AnalyseTask, LiveTask, RedescribeTask, ShowChipsTask, DrawTask)
}


@dataclass(frozen=True, slots=True)
class Started:
    """The first message of a worker process. ``error``: the reason why it cannot use a model, as a sentence."""

    error: str | None = None
    confinement: Confinement = field(default_factory=Confinement)


@dataclass(frozen=True, slots=True)
class _Job:
    name: Literal["AnalyseTask", "LiveTask", "RedescribeTask", "ShowChipsTask", "DrawTask"]
    task: msgspec.Raw
    picture_bytes: int
    limit_s: float


@dataclass(frozen=True, slots=True)
class _Answer:
    """Either an analysis, or an error with its code."""

    analysis: Analysis | None = None
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Drawing:
    """The only part of an answer that may be longer than MAX_ANSWER_BYTES."""

    drawn: bytes | None = None


@dataclass(frozen=True, slots=True)
class _DrawingAnswer:
    analysis: _Drawing | None = None


def write_started(started: Started) -> bytes:
    return _encode(started)


def read_started(data: bytes) -> Started:
    """Return the first message of a worker process. Raises ValueError."""
    return _decode(data, Started)


def write_job(task: Task, picture_bytes: int, limit_s: float) -> bytes:
    """Return the message for a task. Its picture follows the message.

    ``picture_bytes``: the length of the picture; ``limit_s``: the time after which the gateway ends the worker process.
    """
    name: Any = type(task).__name__
    return _encode(_Job(name, msgspec.Raw(_encode(task)), picture_bytes, limit_s))


def read_job(data: bytes) -> tuple[Task, int, float]:
    """Return the task, ``picture_bytes`` and ``limit_s`` of a message. Raises ValueError."""
    job = _decode(data, _Job)
    return _decode(job.task, _TASKS[job.name]), job.picture_bytes, job.limit_s


def most_answer_bytes(task: Task) -> int:
    """Return the length of the longest answer to a task."""
    return MAX_DRAWING_BYTES if isinstance(task, DrawTask) else MAX_ANSWER_BYTES


def write_report(analysis: Analysis) -> bytes:
    """Return the message for a result."""
    return _encode(_Answer(analysis))


def write_failure(error: GatewayError) -> bytes:
    """Return the message for an error."""
    return _encode(_Answer(code=error.code, message=str(error)))


def read_report(data: bytes, dimensions: int) -> Analysis:
    """Return the result of a message. Raises the error that the worker process reported, and ValueError.

    ``dimensions``: the number of dimensions of a descriptor.
    """
    _check_length(data)
    answer = _decode(data, _Answer)
    if answer.analysis is None:
        raise wire_errors()[answer.code](answer.message)
    check_answer(answer.analysis, dimensions)
    return answer.analysis


def _check_length(data: bytes) -> None:
    """Raise ValueError if an answer is too long without its drawing."""
    if len(data) <= MAX_ANSWER_BYTES:
        return
    # Fields that the type does not have are skipped without a value in memory. As values, small numbers take 25 times
    # their length.
    found = _decode(data, _DrawingAnswer).analysis
    rest = len(data) - len((found and found.drawn) or b"")
    if rest > MAX_ANSWER_BYTES:
        raise ValueError(f"expected at most {MAX_ANSWER_BYTES} bytes beside a drawing, found {rest}")


def _encode(message: object) -> bytes:
    return msgspec.msgpack.encode(message, enc_hook=_write_array)


def _decode(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Return the message. Raises ValueError."""
    return msgspec.msgpack.decode(data, type=kind, dec_hook=_read_array)


def _write_array(value: Any) -> object:
    """Return an array of float32 as bytes, and a number of numpy as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        return value.tobytes()
    raise TypeError(f"a message cannot contain {type(value).__name__}")


def _read_array(_kind: type, value: Any) -> object:
    if not isinstance(value, bytes):
        raise ValueError("expected the bytes of an array")
    return np.frombuffer(value, np.float32)
