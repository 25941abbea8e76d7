"""The data that travels through the gateway: frozen, validated when made, no I/O."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gateway.errors import BadRequest, MultipleFaces, NoFace

Descriptor = NDArray[np.float32]
"""Shape (128,), float32, of unit length, so that a dot product is the cosine."""

Landmarks = Mapping[str, list[tuple[int, int]]]
"""Points (x, y) in pixels of the upright picture, by the group names of face_recognition: ``chin``, ``left_eye``…"""

Timing = Mapping[str, float]
"""Milliseconds by step: ``decode``, ``detect``, ``embed``…"""

EngineName = Literal["dlib-hog", "dlib-cnn"]

CAMERA = re.compile(r"[A-Za-z0-9_-]{1,64}")
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
PERSON = re.compile(r"[a-z0-9_]{1,53}")
"""Short enough for "match 0.83 <person>" to fit the 64 bytes that a small device reads."""
RESERVED_CAMERAS = frozenset({"bridge"})


class Operation(str, Enum):
    """What can be asked for; the values are the words of both wires."""

    FACE_REC = "face_rec"
    FACE_MATCH = "face_match"
    VERIFY = "verify"
    DETECT = "detect"

    @property
    def pictures(self) -> int:
        return 2 if self is Operation.FACE_MATCH else 1


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels of the upright picture; ``right`` and ``bottom`` are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Image:
    """The picture as it was decoded: size upright, and the encoded bytes it came in."""

    width: int
    height: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Look:
    """What vision is to report of each face, beside its box."""

    descriptors: bool = True
    landmarks: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A face before anybody has a name."""

    box: Box
    descriptor: Descriptor | None = None
    landmarks: Landmarks | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """All that vision has to say of one picture."""

    image: Image
    faces: tuple[FoundFace, ...]
    timing: Timing

    def sole_face(self) -> FoundFace:
        """For whoever needs exactly one. Raises NoFace or MultipleFaces."""
        if not self.faces:
            raise NoFace("there is no face in the picture")
        if len(self.faces) > 1:
            raise MultipleFaces(f"there are {len(self.faces)} faces in the picture, and it takes one")
        return self.faces[0]


@dataclass(frozen=True, slots=True)
class Person:
    """``slug`` is the id on the wires, ``name`` what people read."""

    slug: str
    name: str


Verdict = Literal["match", "unknown", "ambiguous"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Who a face is taken for. ``person`` is set for ``match`` alone.

    ``score`` is 0 to 1 by the false match rate (people/decision.py), ``similarity`` the cosine to the
    nearest known picture, ``margin`` how far the next person is below it; None where nobody is known.
    """

    verdict: Verdict
    person: Person | None = None
    score: float = 0.0
    similarity: float | None = None
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a reply; ``judgement`` is None where nobody asked who it is."""

    box: Box
    landmarks: Landmarks | None = None
    judgement: Judgement | None = None


def _event_id() -> str:
    return f"{time.time():.3f}-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whence and when something was asked.

    ``camera`` is None for a request over REST; ``request_id`` is the asker's, ``id`` our own for the event;
    ``timestamp`` is in seconds since 1970, ``received`` the same moment on the clock of ``time.monotonic``.
    """

    camera: str | None = None
    request_id: str | None = None
    id: str = field(default_factory=_event_id)
    timestamp: float = field(default_factory=time.time)
    received: float = field(default_factory=time.monotonic)

    def age(self) -> float:
        """Seconds since it was received."""
        return time.monotonic() - self.received


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing that somebody wants to know of one or two pictures.

    ``pictures``: encoded, as they came. ``good_for``: seconds after which an answer is of no more use.
    ``live`` marks a frame of a stream, where the newest wins. Raises BadRequest if the parts do not fit together.
    """

    operation: Operation
    pictures: tuple[bytes, ...]
    good_for: float
    origin: Origin = field(default_factory=Origin)
    person: str | None = None
    landmarks: bool = False
    live: bool = False

    def __post_init__(self) -> None:
        wanted = self.operation.pictures
        if len(self.pictures) != wanted:
            raise BadRequest(f"{self.operation.value} takes {wanted} picture(s), not {len(self.pictures)}")
        if (self.operation is Operation.VERIFY) != (self.person is not None):
            raise BadRequest("verify needs a person, and no other operation takes one")
        if self.person is not None and not PERSON.fullmatch(self.person):
            raise BadRequest("a person's id is 1 to 53 of a-z, 0-9 and _")

    @property
    def deadline(self) -> float:
        """On the clock of ``time.monotonic``."""
        return self.origin.received + self.good_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """The answer to ``face_rec``. ``dropped``: frames of this camera that newer ones replaced since the last result."""

    faces: tuple[Face, ...]
    image: Image
    threshold: float
    timing: Timing
    dropped: int = 0

    @property
    def best(self) -> Face | None:
        """The best match; if nobody matches, the largest face; None without faces."""
        return max(self.faces, key=_prominence, default=None)

    @property
    def person(self) -> Person | None:
        """Whom the best match is taken for."""
        return self.best.judgement.person if self.best and self.best.judgement else None


def _prominence(face: Face) -> tuple[bool, float]:
    matched = face.judgement is not None and face.judgement.verdict == "match"
    return matched, face.judgement.score if matched and face.judgement else face.box.area


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The answer to ``face_match`` (``person`` is None, one face of each picture) and to ``verify``."""

    match: bool
    score: float
    threshold: float
    faces: tuple[Face, ...]
    timing: Timing
    person: Person | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """The answer to ``detect``."""

    faces: tuple[Face, ...]
    image: Image
    timing: Timing


Reply = Recognition | Comparison | Detection
