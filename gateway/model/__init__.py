"""The data that travels through the gateway: frozen, validated when made, no I/O."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gateway.errors import BadImage, BadRequest, MultipleFaces, NoFace, TooLarge
from gateway.model.caller import REST_CALLER, Caller
from gateway.model.names import MAX_ID
from gateway.model.names import checked_name as checked_name

Descriptor = NDArray[np.float32]
"""Shape (128,), float32, of unit length, so that a dot product is the cosine."""

Landmarks = Mapping[str, list[tuple[int, int]]]
"""Points (x, y) in pixels of the upright picture, by the group names of face_recognition: ``chin``, ``left_eye``…"""

Timing = Mapping[str, float]
"""Milliseconds by step: ``decode``, ``detect``, ``embed``…"""

Points = NDArray[np.float32]
"""Shape (5, 2): x and y in pixels of the upright picture, in the order of dlib's 5-point model: outer and inner corner
of the eye on our right, the same of that on our left, the base of the nose."""

EngineName = Literal["facegate", "dlib-hog", "dlib-cnn"]

DetectorPrecision = Literal["auto", "int8", "bf16", "f32"]
DescriptorPrecision = Literal["auto", "bf16", "f32"]
"""In what numbers a network computes; ``auto`` takes what the processor is fast at."""

Purpose = Literal["stream", "enrolment"]
"""What a descriptor is for: a stream's must be quick, those of known pictures are made once and with more care."""

LandmarkCount = Literal[0, 5, 68]
"""How many points of a face are asked for."""

Rotation = Literal[0, 90, 180, 270]
"""Degrees clockwise."""

MAX_CAMERA_LENGTH = 64
CAMERA = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_CAMERA_LENGTH}}}")
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
PERSON = re.compile(rf"[a-z0-9_]{{1,{MAX_ID}}}")
MAX_PICTURES_AT_ONCE = 10
"""Pictures of one request to enrol."""
RESERVED_CAMERAS = frozenset({"bridge"})


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """The largest picture that is decoded: ``pixels`` in all, ``side`` the pixels of its longer side."""

    pixels: int = 25_000_000
    side: int = 16_384

    def check(self, width: int, height: int) -> None:
        """Raises BadImage if the picture shows nothing, TooLarge if it is larger than allowed."""
        size = f"{width} x {height} pixels"
        if not width or not height:
            raise BadImage(f"the picture has {size}: it shows nothing")
        if width * height > self.pixels:
            raise TooLarge(f"the picture has {size}, more than {self.pixels} (limits.pixels): send it smaller")
        if max(width, height) > self.side:
            raise TooLarge(f"the picture has {size}: a side may have up to {self.side} (limits.side): send it smaller")


class Operation(str, Enum):
    """What can be asked for; the values are the words of both wires."""

    FACE_REC = "face_rec"
    FACE_MATCH = "face_match"
    VERIFY = "verify"
    DETECT = "detect"
    ENROLL = "enroll"

    @property
    def pictures(self) -> range:
        """Of how many it can be asked."""
        if self is Operation.ENROLL:
            return range(1, MAX_PICTURES_AT_ONCE + 1)
        return range(2, 3) if self is Operation.FACE_MATCH else range(1, 2)


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

    def within(self, width: int, height: int) -> Box:
        """What of it lies in a picture of that size; at least a pixel, at its edge."""
        left, top = min(max(self.left, 0), width - 1), min(max(self.top, 0), height - 1)
        return Box(left, top, max(min(self.right, width), left + 1), max(min(self.bottom, height), top + 1))

    def times(self, factor: int) -> Box:
        return Box(self.left * factor, self.top * factor, self.right * factor, self.bottom * factor)

    def moved(self, x: int, y: int) -> Box:
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def share_of(self, image: Image) -> Polygon:
        """Its corners, as shares of the picture's width and height."""
        left, right = (max(0.0, min(x / image.width, 1.0)) for x in (self.left, self.right))
        top, bottom = (max(0.0, min(y / image.height, 1.0)) for y in (self.top, self.bottom))
        return (left, top), (right, top), (right, bottom), (left, bottom)


@dataclass(frozen=True, slots=True)
class Image:
    """The picture as it was decoded: size upright, and the encoded bytes it came in."""

    width: int
    height: int
    bytes: int


Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y) as shares of the picture's width and height, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which faces are looked for: from ``min_face`` to about ``max_face`` pixels, by the width of their box.

    Where ``only`` names polygons the middle of a face must lie in one of them; in one of ``never`` it must not.
    ``rotate``: degrees clockwise by which the picture is turned before anything else.
    """

    min_face: int = 56
    max_face: int | None = None
    only: tuple[Polygon, ...] = ()
    never: tuple[Polygon, ...] = ()
    rotate: Rotation = 0


@dataclass(frozen=True, slots=True)
class AnalyseTask:
    """Find the faces in a picture, and report of each what is asked for beside its box and quality.

    ``sole``: whoever asks needs exactly one face; of more nothing but their boxes is reported.
    """

    search: Search = Search()
    descriptors: Purpose | None = "stream"
    landmarks: LandmarkCount = 0
    chips: bool = False
    sole: bool = False


@dataclass(frozen=True, slots=True)
class RedescribeTask:
    """Describe a known face anew; the picture is that of its chips, kept from when it was enrolled."""


@dataclass(frozen=True, slots=True)
class FaceMark:
    """What is drawn of a face: in another colour if it is ``known``."""

    box: Box
    label: str
    known: bool
    landmarks: Landmarks | None = None


@dataclass(frozen=True, slots=True)
class DrawTask:
    """Draw faces into a picture, after it was turned by so many degrees."""

    marks: tuple[FaceMark, ...]
    rotate: Rotation = 0


Task = AnalyseTask | RedescribeTask | DrawTask
"""What a worker process can do with a picture."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a face can be seen: ``pixels`` across its box; the others are 0 to 1 (vision/quality.py)."""

    pixels: int
    brightness: float
    sharpness: float
    pose: float
    inside: float
    clean: float = 1.0


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """The quality that a face must have for anybody to be named by it; in units of Quality.

    ``pixels``: of smaller faces 1.5 to 2.4 % of strangers are named where 1 % is promised.
    """

    pixels: int = 50
    brightness: float = 0.06
    sharpness: float = 0.1
    pose: float = 0.05
    inside: float = 0.6
    clean: float = 0.0


ENROLMENT_LIMITS = QualityLimits(pixels=60, brightness=0.12, sharpness=0.55, clean=0.56)
"""The quality of a face to be enrolled. Faces beyond these limits resemble the faces of strangers on pictures that are
as bad (docs/reference/benchmarks.md); of 222 good photographs one was refused by them.
"""


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A face before anybody has a name. Where it is to be enrolled two JPEGs: ``chips``, aligned in several ways, and
    ``crop``, for people to look at. A face that cannot be turned upright has no descriptor, whatever was asked for.
    """

    box: Box
    descriptor: Descriptor | None = None
    landmarks: Landmarks | None = None
    quality: Quality | None = None
    chips: bytes | None = None
    crop: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """All that vision has to say of one picture. ``drawn``: where that was asked for, a JPEG with the faces marked.
    ``left_out``: smaller faces than those in ``faces``, which are not described since there are too many.
    """

    image: Image
    faces: tuple[FoundFace, ...]
    timing: Timing
    drawn: bytes | None = None
    left_out: int = 0

    def sole_face(self, which: str = "the picture") -> FoundFace:
        """Return the only face. Raises NoFace or MultipleFaces, whose messages call the picture ``which``."""
        if not self.faces:
            raise NoFace(f"there is no face in {which}")
        if len(self.faces) > 1:
            raise MultipleFaces(f"there are {len(self.faces) + self.left_out} faces in {which}, and it takes one")
        return self.faces[0]


@dataclass(frozen=True, slots=True)
class Person:
    """``slug`` is the id on the wires, ``name`` what people read."""

    slug: str
    name: str


Unfit = Literal["too_small", "too_dark", "blurred", "turned", "cut_off", "compressed"]
"""Why a face is not judged at all."""

Verdict = Literal["match", "unknown", "ambiguous"] | Unfit


@dataclass(frozen=True, slots=True)
class Likeness:
    """A person whom a face resembles; ``score`` and ``similarity`` as in Judgement."""

    person: Person
    score: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """Who a face is taken for. ``person`` is set for ``match`` alone, ``candidates`` for ``ambiguous`` alone: the
    people who pass, the best first.

    ``score`` is 0 to 1 by the false match rate (people/decision.py), ``similarity`` that to the mean of the person's
    pictures (people/similarity.py), ``margin`` how far the next person is below it; None where nobody is known.
    """

    verdict: Verdict
    person: Person | None = None
    score: float = 0.0
    similarity: float | None = None
    margin: float | None = None
    candidates: tuple[Likeness, ...] = ()


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a reply; ``judgement`` is None where nobody asked who it is."""

    box: Box
    quality: Quality | None = None
    landmarks: Landmarks | None = None
    judgement: Judgement | None = None


def check_size(picture: bytes, max_bytes: int) -> None:
    """Raise TooLarge for an encoded picture over ``limits.bytes``."""
    if len(picture) > max_bytes:
        raise TooLarge(f"the picture has {len(picture)} bytes, and at most {max_bytes} are taken (limits.bytes)")


@dataclass(frozen=True, slots=True)
class Effect:
    """By what a change is known again, so that it happens once, however often it is asked for.

    ``key``: who asks, and by which id; ``digest``: of what is asked for; ``deadline``: on the clock of
    ``time.monotonic``, after which it must not happen any more.
    """

    key: str
    digest: bytes
    deadline: float
    _decided: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def decide(self) -> bool:
        """True for whoever comes first: who lets it happen, or who gives it up and says so. It is never both."""
        return self._decided.acquire(blocking=False)


def _event_id() -> str:
    return f"{time.time():.3f}-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The caller, the ids and the time of a request.

    ``request_id`` is the one that the caller gave, ``id`` the gateway's own for the event;
    ``timestamp`` is in seconds since 1970, ``received`` the same moment on the clock of ``time.monotonic``.
    """

    caller: Caller = REST_CALLER
    request_id: str | None = None
    id: str = field(default_factory=_event_id)
    timestamp: float = field(default_factory=time.time)
    received: float = field(default_factory=time.monotonic)

    @property
    def camera(self) -> str | None:
        """The name between the base and the end of the topic, for a request over MQTT."""
        return self.caller.name if self.caller.interface == "mqtt" else None

    def age(self) -> float:
        """Seconds since it was received."""
        return time.monotonic() - self.received


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing that somebody wants to know of some pictures, or of them to be known.

    ``pictures``: encoded, as they came. ``person``: the id of who is verified, or gets another picture; ``name`` that
    of somebody to be enrolled, new or not. ``good_for``: seconds after which an answer is of no more use.
    ``live`` marks a frame of a stream, where the newest wins; ``annotate`` asks for the picture with the faces drawn
    in; ``effect``: by what it is known again, if it changes something. Raises BadRequest if the parts do
    not fit together.
    """

    operation: Operation
    pictures: tuple[bytes, ...]
    good_for: float
    origin: Origin = field(default_factory=Origin)
    person: str | None = None
    name: str | None = None
    landmarks: LandmarkCount = 0
    annotate: bool = False
    live: bool = False
    effect: Effect | None = None

    def __post_init__(self) -> None:
        wanted = self.operation.pictures
        if len(self.pictures) not in wanted:
            count = wanted[0] if len(wanted) == 1 else f"{wanted[0]} to {wanted[-1]}"
            raise BadRequest(f"{self.operation.value} takes {count} picture(s), not {len(self.pictures)}")
        if self.operation is Operation.ENROLL:
            if (self.person is None) == (self.name is None):
                raise BadRequest("enroll needs a name, or the id of a person who is known")
        elif (self.operation is Operation.VERIFY) != (self.person is not None) or self.name is not None:
            raise BadRequest("verify needs a person (…/request/verify/<id>/<person>); only enroll and verify take one")
        if self.annotate and self.operation not in (Operation.FACE_REC, Operation.DETECT):
            raise BadRequest("only face_rec and detect annotate a picture")
        if self.person is not None and not PERSON.fullmatch(self.person):
            raise BadRequest("a person's id is 1 to 53 of a-z, 0-9 and _")

    @property
    def deadline(self) -> float:
        """On the clock of ``time.monotonic``."""
        return self.origin.received + self.good_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """The answer to ``face_rec``. ``dropped``: frames of this camera that newer ones replaced since the last result.

    ``annotated``: where asked for, the picture as a JPEG with the faces drawn in. ``left_out``: how many smaller faces
    are not in ``faces``, since the picture has too many.
    """

    faces: tuple[Face, ...]
    image: Image
    threshold: float
    timing: Timing
    annotated: bytes | None = None
    dropped: int = 0
    left_out: int = 0

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
    """The answer to ``detect``. ``left_out`` as in Recognition."""

    faces: tuple[Face, ...]
    image: Image
    timing: Timing
    annotated: bytes | None = None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The answer to ``enroll``: ``pictures`` that the person is known by now, and what is not quite right with them."""

    person: Person
    pictures: int
    warnings: tuple[str, ...]
    timing: Timing = field(default_factory=dict)


Reply = Recognition | Comparison | Detection | Enrolment
