"""The start of a worker process and its jobs, as messages in MessagePack. Pickle is never used.

The types are the schema: a message with another type anywhere is refused while it is decoded. ``answers.py`` has the
answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np

from gateway.confinement.report import Confinement
from gateway.model import AnalyseTask, DrawTask, LiveTask, RedescribeTask, ShowChipsTask, Task

T = TypeVar("T")

MAX_STARTED_BYTES = 1 << 16
"""Longest first message of a worker process."""

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


def write_started(started: Started) -> bytes:
    return encode(started)


def read_started(data: bytes) -> Started:
    """Return the first message of a worker process. Raises ValueError."""
    return decode(data, Started)


def write_job(task: Task, picture_bytes: int, limit_s: float) -> bytes:
    """Return the message for a task. Its picture follows the message.

    ``picture_bytes``: the length of the picture; ``limit_s``: the time after which the gateway ends the worker process.
    """
    name: Any = type(task).__name__
    return encode(_Job(name, msgspec.Raw(encode(task)), picture_bytes, limit_s))


def read_job(data: bytes) -> tuple[Task, int, float]:
    """Return the task, ``picture_bytes`` and ``limit_s`` of a message. Raises ValueError."""
    job = decode(data, _Job)
    return decode(job.task, _TASKS[job.name]), job.picture_bytes, job.limit_s


def encode(message: object) -> bytes:
    """Return the message as MessagePack."""
    return msgspec.msgpack.encode(message, enc_hook=_write_array)


def decode(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Return the message. Raises ValueError."""
    return msgspec.msgpack.decode(data, type=kind)


def _write_array(value: Any) -> object:
    """Return an array of float32 as bytes, and a number of numpy as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        return value.tobytes()
    raise TypeError(f"a message cannot contain {type(value).__name__}")
