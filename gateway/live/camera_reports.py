"""The last frames of each live camera, and a report of what they showed. One thread calls all methods.

The frames are in memory only: nothing of them is written to the disk.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median

from gateway.live.moment import Moment
from gateway.model import Face, Person, Recognition, Request
from gateway.model.cameras import CameraReport, LastFrame, Reason

RATE_S = 10.0
"""The time over which the rate of frames is measured."""

MAX_RATE_FRAMES = 600
"""Frames of one camera that the rate counts: 60 a second."""

DELAY_FRAMES = 20
"""Frames whose median is the delay."""

REASONS_S = 600.0
"""The time for which a reason why nobody was named is reported."""

MAX_FRAMES_BYTES = 32 << 20
"""The memory for the last frames of all cameras. Beyond it the frames that came first are forgotten."""


MAX_CAMERAS = 1_000
"""Cameras with a report. Beyond it the camera that was silent for longest is forgotten."""


@dataclass(slots=True)
class _Camera:
    """The last frames of one camera. ``moments``: of the last frames, in seconds of the monotonic clock."""

    moments: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_RATE_FRAMES))
    delays: deque[float] = field(default_factory=lambda: deque(maxlen=DELAY_FRAMES))
    # By reason: the number of frames, and the last moment.
    counts: Counter[str] = field(default_factory=Counter)
    last: dict[str, Moment] = field(default_factory=dict)
    dropped: int = 0
    result: Recognition | None = None
    result_at: float = 0.0

    def note(self, result: Recognition, timestamp: float, moment: Moment) -> None:
        """Note the result of a frame that came at this time, in seconds since 1970."""
        self.moments.append(moment.monotonic)
        self.delays.append(result.timing.get("total", 0.0))
        self.dropped += result.dropped
        self.result, self.result_at = result, timestamp
        if (reason := reason_of(result)) is not None:
            self.counts[reason] += 1
            self.last[reason] = moment

    def rename_person(self, person: Person) -> None:
        """Give a person another name in the last result."""
        if self.result is not None:
            faces = tuple(_with_name(face, person) for face in self.result.faces)
            self.result = replace(self.result, faces=faces)


class CameraReports:
    """The reports of all cameras."""

    def __init__(self) -> None:
        # In the order of the last frames.
        self._cameras: dict[str, _Camera] = {}
        self._frames: dict[str, LastFrame] = {}
        self._bytes = 0

    def note(self, request: Request, reply: Recognition, moment: Moment) -> None:
        """Note a frame and its result."""
        name = request.origin.camera
        assert name is not None
        camera = self._cameras.pop(name, None) or _Camera()
        self._cameras[name] = camera
        while len(self._cameras) > MAX_CAMERAS:
            self.forget(next(iter(self._cameras)))
        # Landmarks are large, and nobody draws them again.
        faces = tuple(replace(face, landmarks=None) for face in reply.faces)
        camera.note(replace(reply, faces=faces, annotated=None), request.origin.timestamp, moment)
        self._store(name, LastFrame(request.pictures[0], request.origin.timestamp, faces))

    def report(self, name: str, moment: Moment) -> CameraReport | None:
        """Return the report of a camera, or None if none of its frames is known."""
        camera = self._cameras.get(name)
        if camera is None:
            return None
        recent = sum(each > moment.monotonic - RATE_S for each in camera.moments)
        current = {reason: at for reason, at in camera.last.items() if at.monotonic > moment.monotonic - REASONS_S}
        return CameraReport(
            rate=round(recent / RATE_S, 2),
            delay_ms=round(median(camera.delays), 1) if camera.delays else None,
            dropped=camera.dropped,
            hint=reason_of(camera.result) if camera.result is not None else None,
            reasons=tuple(Reason(reason, camera.counts[reason], at.timestamp) for reason, at in current.items()),
            result=camera.result,
            result_at=camera.result_at,
        )

    def reports(self, moment: Moment) -> Mapping[str, CameraReport]:
        """Return the reports by camera."""
        found = {name: self.report(name, moment) for name in self._cameras}
        return {name: report for name, report in found.items() if report is not None}

    def last_frame(self, name: str) -> LastFrame | None:
        return self._frames.get(name)

    def forget(self, name: str) -> None:
        """Forget a camera, with its frame."""
        self._cameras.pop(name, None)
        self._drop(name)

    def forget_all(self) -> None:
        """Forget everything, so that nothing shows or names a person who was removed."""
        self._cameras.clear()
        self._frames.clear()
        self._bytes = 0

    def rename_person(self, person: Person) -> None:
        """Give a person another name in all results and frames."""
        for camera in self._cameras.values():
            camera.rename_person(person)
        for name, frame in self._frames.items():
            self._frames[name] = replace(frame, faces=tuple(_with_name(face, person) for face in frame.faces))

    def _store(self, name: str, frame: LastFrame) -> None:
        self._drop(name)
        self._frames[name] = frame
        self._bytes += len(frame.picture)
        while self._bytes > MAX_FRAMES_BYTES:
            self._drop(next(iter(self._frames)))

    def _drop(self, name: str) -> None:
        if (frame := self._frames.pop(name, None)) is not None:
            self._bytes -= len(frame.picture)


def reason_of(reply: Recognition) -> str | None:
    """Return why a frame named nobody, or None if it named somebody."""
    best: Face | None = reply.best
    if best is None:
        return reply.hint or "no_face"
    return None if best.person is not None else reply.hint or best.verdict


def _with_name(face: Face, person: Person) -> Face:
    """Return the face under the present name of its person."""
    if face.person is None or face.person.slug != person.slug:
        return face
    if face.sighting is not None:
        return replace(face, sighting=replace(face.sighting, person=person))
    return replace(face, judgement=None if face.judgement is None else replace(face.judgement, person=person))
