"""What cameras send and what comes back, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the gateway; topics are what stands below ``<base>/<camera>/``.

    ``key`` is what its camera knows it by. ``missing``: the pieces to send, none for all. The last two travel with
    MQTT 5 only; ``expiry`` is in seconds.
    """

    topic: str
    payload: bytes
    key: str
    picture: Picture
    missing: tuple[int, ...] = ()
    response_topic: str | None = None
    expiry: int | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """One publication: all of an Outgoing, or a piece of it."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it arrived: topic as in Outgoing, ``at`` on the monotonic clock, read as it came in."""

    camera: str
    topic: str
    payload: bytes
    correlation: bytes | None
    at: float


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture that is out and may still be answered; ``at`` is when it was handed to the connection."""

    picture: Picture
    at: float


@dataclass(frozen=True, slots=True)
class Sent:
    camera: str
    picture: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A picture was due, but the connection was away or still busy with the one before."""

    camera: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """A request went out once more."""

    camera: str
    picture: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A result, response or error. ``picture`` and ``ms`` are None where it fits nothing outstanding."""

    camera: str
    picture: str | None
    label: str
    people: tuple[str, ...]
    score: float | None
    ms: float | None
    code: str | None
    dropped: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A further answer to what is answered already."""

    camera: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What the gateway said does not fit what was sent, or what it said before."""

    camera: str
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The plain text beside an answer, for devices that read no JSON."""

    camera: str
    text: str


Event = Sent | Skipped | Repeated | Answer | Duplicate | Contradiction | Verdict
