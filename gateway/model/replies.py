"""The replies to recognition requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.model.faces import Quality, Timing
from gateway.model.geometry import Box, Image, Landmarks
from gateway.model.people import Hint, Judgement, Person, Verdict
from gateway.model.sightings import Sighting


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a reply. ``judgement`` is None for an operation that identifies nobody.

    ``track`` and ``sighting``: set for a face in a live frame. The judgement is then that of this picture alone, and
    ``person``, ``score`` and ``verdict`` are those of the sighting.
    """

    box: Box
    quality: Quality | None = None
    landmarks: Landmarks | None = None
    judgement: Judgement | None = None
    track: str | None = None
    sighting: Sighting | None = None

    @property
    def person(self) -> Person | None:
        """The person of the sighting, or in a picture without sightings the person of the judgement."""
        if self.sighting is not None:
            return self.sighting.person
        return self.judgement.person if self.judgement else None

    @property
    def score(self) -> float:
        """The score of the sighting's decision, or of the judgement; 0 without either."""
        if self.sighting is not None:
            return self.sighting.score or 0.0
        return self.judgement.score if self.judgement else 0.0

    @property
    def verdict(self) -> Verdict | None:
        """The verdict about the face. None for an operation that identifies nobody."""
        if self.judgement is None or self.sighting is None:
            return self.judgement.verdict if self.judgement else None
        match self.sighting.outcome:
            case "named":
                return "match"
            case "ambiguous":
                return "ambiguous"
            case "stranger":
                return "unknown"
        # A single picture names nobody, but it may tell a camera how its next picture can be better.
        return "unknown" if self.judgement.verdict in ("match", "ambiguous") else self.judgement.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """The reply to ``face_rec``, and the result of a live frame.

    ``annotated``: on request, the picture as a JPEG with the faces drawn in. ``dropped``: frames of this camera that
    newer frames replaced since the last result. ``left_out``: the number of smaller faces that are not in ``faces``,
    because the picture has too many. ``hint``: set where one more picture may give a better answer. ``unchanged``: the
    scene of a live frame is that of the frame before, so nothing was looked for. ``warnings``: about the picture of a
    single request.
    """

    faces: tuple[Face, ...]
    image: Image
    threshold: float
    timing: Timing
    annotated: bytes | None = None
    dropped: int = 0
    left_out: int = 0
    hint: Hint | None = None
    unchanged: bool = False
    warnings: tuple[str, ...] = ()
    best: Face | None = field(init=False)
    """The best match, or without a match the largest face. None without faces."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "best", max(self.faces, key=_prominence, default=None))

    @property
    def person(self) -> Person | None:
        """The person of the best match."""
        return self.best.person if self.best else None


def _prominence(face: Face) -> tuple[bool, float]:
    return face.person is not None, face.score if face.person else face.box.area


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The reply to ``face_match`` (one face of each picture, ``person`` is None) and to ``verify``.

    ``warnings``: about the pictures.
    """

    match: bool
    score: float
    threshold: float
    faces: tuple[Face, ...]
    timing: Timing
    person: Person | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """The reply to ``detect``. ``annotated``, ``left_out`` and ``warnings``: as in Recognition."""

    faces: tuple[Face, ...]
    image: Image
    timing: Timing
    annotated: bytes | None = None
    left_out: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The reply to ``enroll``. ``pictures``: the number that the person now has. ``warnings``: doubts about them."""

    person: Person
    pictures: int
    warnings: tuple[str, ...]
    timing: Timing = field(default_factory=dict)


Reply = Recognition | Comparison | Detection | Enrolment
