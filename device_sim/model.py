"""The messages and events of the simulated cameras, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to send. ``name``: its file name."""

    name: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the gateway. Topics are relative to ``<base>/<camera>/``.

    ``key``: identifies the message for its camera. ``missing``: the pieces to send; empty for all. ``response_topic``
    and ``expiry`` (seconds) are sent with MQTT 5 only.
    """

    topic: str
    payload: bytes
    key: str
    picture: Picture
    missing: tuple[int, ...] = ()
    response_topic: str | None = None
    expiry: int | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """An MQTT message: a whole Outgoing, or a piece of it."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A received message. ``topic``: as in Outgoing. ``at``: the time of its arrival on the monotonic clock."""

    camera: str
    topic: str
    payload: bytes
    correlation: bytes | None
    at: float


@dataclass(frozen=True, slots=True)
class SentPicture:
    """A sent picture that may still be answered. ``at``: the time at which it was given to the connection.

    ``number``: of the frame in its stream, from 1.
    """

    picture: Picture
    at: float
    number: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A picture was sent for the first time."""

    camera: str
    picture: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A picture was due, but there was no connection, it was still busy, or the source had no new picture."""

    camera: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """A picture was not sent, because the simulated network lost it."""

    camera: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """A request was sent again, or the simulated network doubled a picture."""

    camera: str
    picture: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A result, response or error. ``picture`` and ``ms`` are None if it belongs to no outstanding picture.

    ``newer``: the frames of a stream that were sent after the newest answered one; None for a request.
    """

    camera: str
    picture: str | None
    label: str
    people: tuple[str, ...]
    score: float | None
    ms: float | None
    code: str | None
    dropped: int
    newer: int | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A further answer to a request that is already answered."""

    camera: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An answer contradicts the request, or an earlier answer."""

    camera: str
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The plain text of an answer, for devices that read no JSON."""

    camera: str
    text: str


@dataclass(frozen=True, slots=True)
class SightingEvent:
    """An event about a sighting. ``who``: a name, or ``stranger``. ``duration``: in seconds, of ``ended``.

    ``sighting``: its id. ``ms``: from the first picture of the sighting to the arrival of the event, by the clocks of
    gateway and simulator.
    """

    camera: str
    event_type: str
    sighting: str
    who: str
    duration: float | None
    ms: float


@dataclass(frozen=True, slots=True)
class Presence:
    """The people on a camera have changed.

    ``text``: their names, the number of strangers, or ``nobody``. It is empty if the message was cleared.
    """

    camera: str
    text: str


Event = Sent | Skipped | Discarded | Repeated | Answer | Duplicate | Contradiction | Verdict | SightingEvent | Presence
