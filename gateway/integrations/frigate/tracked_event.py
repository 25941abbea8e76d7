"""An event of Frigate: a person on a camera, and the plan of the pictures that are taken of this person."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gateway.config.frigate_section import FrigateSettings
from gateway.contract.frigate import FrigateBox, FrigateObject
from gateway.model.sightings import Sighting

Step = Literal["snapshot", "main_stream", "recording"]
"""The place that a picture comes from. The values are those of the settings."""

ROUNDS_S = (0.0, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
"""The moments after the first message at which pictures are taken, if no decision was made before."""

BETTER_SNAPSHOT_S = 0.5
"""The time after a picture from which a better snapshot is taken, without waiting for the next round."""

RECORDING_S = 45.0
"""The time after the end of an event from which its recording can be read: Frigate moves it to its folder by then."""

MAX_RECORDINGS = 3
"""Pictures of the recording of one event."""

MAX_BOXES = 30
"""Moments of an event whose box is remembered."""

SAME_MOMENT_S = 0.001
"""The largest difference of two times of the same frame, which are written in different ways."""


SnapshotTime = float | None
"""The time of the frame of a snapshot, or None if Frigate's message does not have it."""

NO_SNAPSHOT = -1.0
"""The value of SnapshotTime before the first snapshot."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A picture to take. ``event``: its id. ``moment``: of the recording, in seconds since 1970, else None.

    ``zones``: the zones in which Frigate saw the person.
    """

    event: str
    camera: str
    step: Step
    moment: float | None = None
    zones: tuple[str, ...] = ()


class TrackedEvent:
    """The state of an event. Only the thread of the follower uses it.

    ``first_seen``, ``last_seen`` and ``ended_at``: when messages came, on the clock of ``time.monotonic``.
    ``complete``: the message about its beginning came. ``written``: the name that this gateway wrote last.
    ``sighting``: the id of the sighting of the event's person.
    """

    def __init__(self, latest: FrigateObject, settings: FrigateSettings, now: float, *, complete: bool) -> None:
        self.latest = latest
        self.first_seen = self.last_seen = now
        self.complete = complete
        self.ended_at: float | None = None
        self.written: str | None = None
        self.sighting: str | None = None
        self.attempts = 0
        self.decided = False
        self._settings = settings
        self._boxes: deque[tuple[float, FrigateBox]] = deque(maxlen=MAX_BOXES)
        self._busy = False
        self._round = 0
        self._steps: list[Step] = []
        self._due = now
        self._last_picture = -math.inf
        self._asked_snapshot: SnapshotTime = NO_SNAPSHOT
        self._taken_snapshot: SnapshotTime = NO_SNAPSHOT
        self._recordings: list[float] = []
        self._is_writing = False
        self._waiting: Sighting | None = None
        self._remember_boxes()

    @property
    def id(self) -> str:
        return self.latest.id

    @property
    def camera(self) -> str:
        return self.latest.camera

    def update(self, latest: FrigateObject, now: float) -> None:
        """Take over a later message."""
        better = latest.snapshot is not None and latest.snapshot != self.latest.snapshot
        self.latest, self.last_seen = latest, now
        self._remember_boxes()
        if better and self._settings.snapshot and not self._steps:
            self._due = min(self._due, max(now, self._last_picture + BETTER_SNAPSHOT_S))

    def end(self, now: float) -> None:
        """Take pictures of the recording later, if no decision is made by then."""
        if self.ended_at is None:
            self.ended_at = now
            self._steps = []
            self._recordings = list(self._recording_moments()) if self._settings.recording else []
            self._due = now + RECORDING_S

    def leave_out(self) -> None:
        """Take no more pictures of the event."""
        self.decided = True

    def box_at(self, moment: float | None) -> FrigateBox | None:
        """Return the box of the person in the frame of that time, if Frigate has sent it."""
        if moment is None:
            return None
        return next((box for time, box in self._boxes if abs(time - moment) <= SAME_MOMENT_S), None)

    @property
    def due(self) -> float:
        """The time of the next attempt, or infinity if none is planned."""
        wanted = not (self._busy or self.decided) and self.attempts < self._settings.attempts
        return self._due if wanted and self._has_more() else math.inf

    def begin_attempt(self) -> Attempt | None:
        """Return the next picture to take, or None if there is nothing new in this round."""
        if self.ended_at is not None:
            return self._begin("recording", self._recordings.pop(0))
        if not self._steps:
            self._steps = self._steps_of_round()
        while self._steps:
            step = self._steps.pop(0)
            # The same picture again would tell nothing new.
            if step == "snapshot" and self._snapshot_time == self._taken_snapshot:
                continue
            return self._begin(step, None)
        self._end_round()
        return None

    @property
    def is_writing(self) -> bool:
        """True between ``begin_write`` and ``end_write``: the name that Frigate has is not known meanwhile."""
        return self._is_writing

    def begin_write(self) -> None:
        """Note that the gateway writes or removes the name at Frigate."""
        self._is_writing = True

    def put_off(self, sighting: Sighting) -> None:
        """Keep a sighting whose name is written after the present write. A later one replaces it."""
        self._waiting = sighting

    def end_write(self) -> Sighting | None:
        """Note the end of a write, and return the sighting that was put off."""
        self._is_writing = False
        waiting, self._waiting = self._waiting, None
        return waiting

    def note_name(self, name: str | None) -> None:
        """Note the name that this gateway wrote."""
        self.written = name

    def note_sighting(self, sighting: str) -> None:
        """Note the id of the sighting of the event's person."""
        self.sighting = sighting

    def end_attempt(self, now: float, *, taken: bool, usable: bool, decided: bool) -> None:
        """Plan the next picture. ``taken``: there was one. ``usable``: it showed a face that could be compared.

        ``decided``: no more pictures are needed.
        """
        self.decided = decided
        self._busy = False
        self._last_picture = now
        if taken and self._asked_snapshot != NO_SNAPSHOT:
            self._taken_snapshot = self._asked_snapshot
        if self.ended_at is not None:
            self._due = max(self._due, now)
        elif usable or not self._steps:
            self._end_round()

    def give_up_attempt(self) -> None:
        """Repeat the attempt in the next round: it had no result, for example since another frame came first."""
        self._busy = False
        self.attempts -= 1
        if self.ended_at is None:
            self._end_round()

    def _begin(self, step: Step, moment: float | None) -> Attempt:
        self._busy = True
        self._asked_snapshot = self._snapshot_time if step == "snapshot" else NO_SNAPSHOT
        self.attempts += 1
        return Attempt(self.id, self.camera, step, moment, self.latest.entered_zones)

    def _end_round(self) -> None:
        self._steps = []
        self._round += 1
        self._due = self.first_seen + ROUNDS_S[self._round] if self._round < len(ROUNDS_S) else math.inf

    def _has_more(self) -> bool:
        if self.ended_at is not None:
            return bool(self._recordings)
        return self.attempts < self._settings.attempts - self._reserved

    @property
    def _reserved(self) -> int:
        """The number of attempts that are kept for the recording."""
        return min(2, self._settings.attempts // 3) if self._settings.recording else 0

    def _steps_of_round(self) -> list[Step]:
        settings = self._settings
        enabled: dict[Step, bool] = {
            "snapshot": settings.snapshot,
            "main_stream": settings.main_stream and settings.go2rtc_url is not None,
        }
        return [step for step, use in enabled.items() if use]

    @property
    def _snapshot_time(self) -> SnapshotTime:
        return self.latest.snapshot.frame_time if self.latest.snapshot else None

    def _recording_moments(self) -> Iterator[float]:
        """Give a few moments within the event: that of the best snapshot, and others that are spread."""
        start, end = self.latest.start_time, self.latest.end_time or self.latest.frame_time
        best = [self.latest.snapshot.frame_time] if self.latest.snapshot else []
        moments = [*best, *(start + share * (end - start) for share in (0.5, 0.75, 0.25))]
        yield from moments[:MAX_RECORDINGS]

    def _remember_boxes(self) -> None:
        latest = self.latest
        self._boxes.append((latest.frame_time, latest.box))
        if latest.snapshot is not None:
            self._boxes.append((latest.snapshot.frame_time, latest.snapshot.box))
