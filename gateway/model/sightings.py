"""Sightings: one person on one camera for a while, and the announcements about them.

All values are snapshots: a change makes a new one. Times are seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from gateway.model.geometry import Box
from gateway.model.people import Likeness, Person, QualityProblem

Outcome = Literal["named", "stranger", "ambiguous", "undecided"] | QualityProblem
"""The decision about a sighting. ``undecided``: no picture was good enough yet, and no single reason stands out."""

OUTCOMES: tuple[str, ...] = tuple(word for kind in get_args(Outcome) for word in get_args(kind))
"""All outcomes."""

EndReason = Literal["left", "restart", "disabled", "camera_lost"]
"""The reason why a sighting ended."""

EventType = Literal["appeared", "recognised", "stranger", "changed", "ended", "not_them", "confirmed"]
"""The types of events. The values are the words of both wires."""

ALL_CAMERAS = "bridge"
"""The name under which the switch for all cameras is stored. No camera may have it."""

NOBODY = "nobody"
"""The text of a presence without people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The stay of one person on one camera, with gaps shorter than ``sightings.again_s``.

    ``visit``: the id that the sightings of one person on several cameras share. ``person``: set if the outcome is
    ``named``. ``unknown``: the id of the unknown group, if the outcome is ``stranger`` and a group was found or begun;
    ``seen``: its number of visits. ``score`` and ``threshold``: from 0 to 1, as in Judgement, of the last decision.
    ``frames``: the pictures whose mean was compared last. ``box``: in the last picture. ``candidates``: for
    ``ambiguous``. ``ignored``: the stranger's group is ignored, so nothing is announced. ``ended`` and ``reason``: None
    while it lasts. ``frigate_event``: the id of Frigate's event, if its picture came from there, and ``zones``: the
    zones of Frigate.
    """

    id: str
    visit: str
    camera: str
    since: float
    last_seen: float
    outcome: Outcome = "undecided"
    person: Person | None = None
    unknown: int | None = None
    seen: int | None = None
    score: float | None = None
    threshold: float | None = None
    frames: int = 0
    box: Box | None = None
    candidates: tuple[Likeness, ...] = ()
    ignored: bool = False
    ended: float | None = None
    reason: EndReason | None = None
    frigate_event: str | None = None
    zones: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        """The seconds from the first to the last picture."""
        return self.last_seen - self.since

    @property
    def is_present_stranger(self) -> bool:
        """True if the sighting counts as a stranger in the presence on its camera."""
        return self.outcome == "stranger" and not self.ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class SightingEvent:
    """Something that happened in a sighting. ``sighting``: its state after that. ``previous``: before a ``changed``."""

    id: str
    event_type: EventType
    timestamp: float
    sighting: Sighting
    previous: Person | None = None


@dataclass(frozen=True, slots=True)
class PresentPerson:
    """A person who is on a camera now, and since when."""

    person: Person
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """The people on a camera now, the one who came first at the beginning.

    ``strangers``: the number of strangers. ``last_text`` and ``last_at``: the last text other than ``nobody``, and when
    it was true; empty and None if there was none. After a start they tell of the newest stored sighting.
    """

    camera: str
    people: tuple[PresentPerson, ...] = ()
    strangers: int = 0
    last_text: str = ""
    last_at: float | None = None

    @property
    def count(self) -> int:
        return len(self.people) + self.strangers

    @property
    def text(self) -> str:
        """The names and the number of strangers, such as ``Ada Lovelace, 1 stranger``, or ``nobody``."""
        names = [each.person.name for each in self.people]
        strangers = f"{self.strangers} stranger{'s' if self.strangers > 1 else ''}" if self.strangers else ""
        return ", ".join([*names, *([strangers] if strangers else [])]) or NOBODY

    def without_person(self, slug: str) -> Presence:
        """Return the presence without a person, also not in ``last_text``."""
        people = tuple(each for each in self.people if each.person.slug != slug)
        return replace(self, people=people, last_text="", last_at=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPresence:
    """The camera on which a person is now, or was last. ``last_seen`` and ``camera``: None if never seen."""

    person: Person
    present: bool = False
    camera: str | None = None
    since: float | None = None
    last_seen: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraState:
    """A camera that the gateway knows. ``connected``: pictures come in.

    ``last_frame``: the time of the last picture, or None if none is known. Before the first one after a start it is the
    time of the last picture of a stored sighting, so a later one may have come.
    """

    camera: str
    enabled: bool = True
    connected: bool = False
    last_frame: float | None = None
