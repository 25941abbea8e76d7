"""The last frame of a live camera, and the report of its frames."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.replies import Face, Recognition


@dataclass(frozen=True, slots=True, eq=False)
class LastFrame:
    """The last frame of a camera: the picture as it came, its time in seconds since 1970, and its faces."""

    picture: bytes
    timestamp: float
    faces: tuple[Face, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason why frames named nobody. ``last``: the time of the last such frame, in seconds since 1970."""

    reason: str
    count: int
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraReport:
    """A report of the last frames of a camera.

    ``rate``: frames a second. ``delay_ms``: from the arrival of a frame to its result. ``dropped``: frames that newer
    ones replaced. ``hint``: why the last frame named nobody, None if it named somebody. ``result``: of the last frame,
    whose time is ``result_at``.
    """

    rate: float
    delay_ms: float | None
    dropped: int
    hint: str | None
    reasons: tuple[Reason, ...]
    result: Recognition | None
    result_at: float
