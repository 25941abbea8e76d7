"""The events of one Frigate server: which pictures are due, and which people are on a camera at one moment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.config.frigate_section import FrigateSettings
from gateway.contract.frigate import FrigateMessage
from gateway.integrations.frigate.tracked_event import RECORDING_S, Attempt, TrackedEvent

PERSON = "person"
"""The label of the objects that are followed."""

MAX_EVENTS = 500
"""Events that are remembered. If there are more, the one whose last message is the oldest is forgotten."""

SILENT_S = 90.0
"""The time without a message after which an event is taken for ended: Frigate sends one a minute."""

KEEP_ENDED_S = RECORDING_S + 60.0
"""The time for which an ended event is remembered, for the pictures of its recording."""

LEARN_S = 75.0
"""The time from the first message until all events that last are known: Frigate sends a message a minute about each."""


CLOCK_S = 2.0
"""The tolerance in the comparison of a frame with the beginning and the end of an event."""


@dataclass(frozen=True, slots=True)
class FrameTime:
    """The time of a frame by Frigate's clock, in seconds since 1970: between ``earliest`` and ``latest``. None: now."""

    earliest: float | None = None
    latest: float | None = None


class EventBook:
    """All events of a server. Only the thread of the follower uses it. ``now``: on the clock of ``time.monotonic``.

    ``owns`` returns whether this gateway follows a camera. Events of other cameras are recorded too: the camera may
    become its own while somebody is on it.
    """

    def __init__(
        self, settings: FrigateSettings, owns: Callable[[str], bool], now: float, learn_s: float = LEARN_S
    ) -> None:
        self._settings = settings
        self._owns = owns
        self._learn_s = learn_s
        self._complete_from = now + learn_s
        self._events: OrderedDict[str, TrackedEvent] = OrderedDict()
        self._busy_cameras: set[str] = set()

    def __len__(self) -> int:
        return len(self._events)

    def get(self, event_id: str) -> TrackedEvent | None:
        return self._events.get(event_id)

    def find_sighting(self, sighting: str) -> list[TrackedEvent]:
        """Return the events whose person is that of the sighting."""
        return [each for each in self._events.values() if each.sighting == sighting]

    def restart_learning(self, now: float) -> None:
        """Trust no more that all events are known: messages may have been lost."""
        self._complete_from = now + self._learn_s

    def add(self, message: FrigateMessage, now: float) -> bool:
        """Record a message about a person. Return False for other objects and other cameras, which are ignored."""
        found = message.after
        if found.label != PERSON or found.false_positive or not self._is_wanted_camera(found.camera):
            return False
        event = self._events.get(found.id)
        if event is None:
            complete = message.type == "new" and now >= self._complete_from
            event = self._events[found.id] = TrackedEvent(found, self._settings, now, complete=complete)
        else:
            event.update(found, now)
        self._events.move_to_end(found.id)
        if message.type == "end":
            event.end(now)
            if not self._owns(event.camera):
                # Its owner has announced the person: nobody is notified twice if the camera moves later.
                event.leave_out()
        self._forget_old(now)
        return True

    def due(self) -> float:
        """Return the time of the next attempt, or infinity."""
        return min((each.due for each in self._wanted()), default=float("inf"))

    def begin_attempts(self, now: float) -> list[Attempt]:
        """Return the pictures to take now: at most one for each camera at a time."""
        # A newer frame of a camera replaces an older one that waits: two at once would be one.
        started = []
        for event in list(self._wanted()):
            while event.due <= now and event.camera not in self._busy_cameras:
                if (attempt := event.begin_attempt()) is not None:
                    self._busy_cameras.add(event.camera)
                    started.append(attempt)
        return started

    def end_attempt(self, attempt: Attempt) -> TrackedEvent | None:
        """Let other attempts of the camera begin. Return the event, if it is still remembered."""
        self._busy_cameras.discard(attempt.camera)
        return self._events.get(attempt.event)

    def others_on_camera(self, event: TrackedEvent, frame: FrameTime, now: float) -> list[TrackedEvent]:
        """Return the other people who may have been on the camera of an event when a frame was taken."""
        others = (each for each in self._events.values() if each is not event and each.camera == event.camera)
        return [each for each in others if self._may_be_in(each, frame, now)]

    def is_complete_for(self, event: TrackedEvent) -> bool:
        """Return whether all events that overlap this one are known."""
        return event.complete and event.first_seen >= self._complete_from

    def _may_be_in(self, event: TrackedEvent, frame: FrameTime, now: float) -> bool:
        if frame.latest is not None and event.latest.start_time > frame.latest + CLOCK_S:
            return False
        ended_at = event.ended_at if event.ended_at is not None else self._silent_end(event, now)
        if ended_at is None:
            return True
        if frame.earliest is None:
            # A frame of now may be a little older than the message about the end.
            return now < ended_at + CLOCK_S
        return frame.earliest <= (event.latest.end_time or event.latest.frame_time) + CLOCK_S

    def _silent_end(self, event: TrackedEvent, now: float) -> float | None:
        return event.last_seen if now > event.last_seen + SILENT_S else None

    def _wanted(self) -> list[TrackedEvent]:
        zones = set(self._settings.zones)
        events = self._events.values()
        return [
            each
            for each in events
            if each.camera not in self._busy_cameras
            and self._owns(each.camera)
            and (not zones or zones & set(each.latest.entered_zones))
        ]

    def _is_wanted_camera(self, camera: str) -> bool:
        return not self._settings.cameras or camera in self._settings.cameras

    def _forget_old(self, now: float) -> None:
        gone = [
            each.id
            for each in self._events.values()
            if (each.ended_at is not None and now > each.ended_at + KEEP_ENDED_S)
            or (each.ended_at is None and now > each.last_seen + 2 * SILENT_S)
        ]
        for key in gone:
            del self._events[key]
        while len(self._events) > MAX_EVENTS:
            self._events.popitem(last=False)
