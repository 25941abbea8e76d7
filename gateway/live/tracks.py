"""Tracks: each follows one face of one camera from frame to frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

from gateway.model import Box, Descriptor

STRONG_DECADES = 3.0
"""-log10 of the false match rate at which two faces are one person, wherever they are in the picture."""

POOR_DECADES = 1.5
"""The same for a good face and a track that has only poor ones, such as the small faces of somebody who comes near.

The track has no name yet, so a mistake names nobody.
"""

WEAK_DECADES = 2.0
"""The same for two good faces in one place, one soon after the other.

Of the singer in the clip of the benchmarks, 99 of 100 faces reach this after up to 1.5 s.
"""

MIN_OVERLAP = 0.3
"""Overlap of two boxes from which a described face may continue a track: intersection over union."""

MIN_OVERLAP_ALONE = 0.5
"""The same for a face without a usable descriptor, or in doubt: only its place connects it with the track."""

CONTINUOUS_S = 1.5
"""Seconds without a face after which the place says nothing any more: somebody else may stand there."""

BRIEF_S = 0.5
"""Seconds in which nobody can take another's place. A face that differs for so long may be a bad picture."""

MAX_KNOWN_FACES, MAX_KNOWN_COSINE = 4, 0.96
"""Usable faces of a track that are remembered, and the cosine from which a face takes the place of an earlier one."""

MAX_DOUBTS = 2
"""Frames in a row in which the face of a track may differ. One more is a conflict."""

Relation = Literal["agrees", "overlaps", "differs"]
"""The relation of a face to its track. ``overlaps``: without a usable descriptor. ``differs``: it is in doubt."""

T = TypeVar("T")


class SeenFace(NamedTuple):
    """A face of a frame. ``usable``: its quality is good enough to name somebody."""

    box: Box
    descriptor: Descriptor | None
    usable: bool


@dataclass(slots=True, eq=False)
class Track(Generic[T]):
    """A face that is followed from frame to frame.

    ``owner``: the sighting. ``last``: the moment of the last face; ``agreed``: of the last face whose descriptor agrees
    with the track, both in monotonic seconds. ``usable``: the descriptors of the last usable faces that are not alike,
    and ``poor`` of the last face before the first usable one. ``doubts``: the number of usable faces in a row that
    differ.
    """

    id: str
    owner: T
    box: Box
    last: float
    agreed: float
    usable: tuple[Descriptor, ...] = ()
    poor: Descriptor | None = None
    doubts: int = 0

    @property
    def in_doubt(self) -> bool:
        """True if the last face differs from the track."""
        return self.doubts > 0

    def see(self, face: SeenFace, moment: float, relation: Relation) -> None:
        """Continue the track with a face."""
        self.box, self.last = face.box, moment
        if relation == "agrees":
            self.agreed, self.doubts = moment, 0
            self._remember(face)
        elif relation == "differs":
            self.doubts += 1

    def _remember(self, face: SeenFace) -> None:
        assert face.descriptor is not None
        if face.usable:
            others = [each for each in self.usable if float(each @ face.descriptor) < MAX_KNOWN_COSINE]
            self.usable, self.poor = (*others, face.descriptor)[-MAX_KNOWN_FACES:], None
        elif not self.usable:
            self.poor = face.descriptor

    def rest(self, moment: float) -> None:
        """Continue the track with a face that stands as still as in the last frame, so that nothing was looked for."""
        self.agreed = moment if self.agreed == self.last else self.agreed
        self.last = moment

    def give_to(self, owner: T) -> None:
        """Let the track belong to another sighting."""
        self.owner = owner

    def is_over(self, moment: float, gone_s: float) -> bool:
        """Return whether the track ends, since no face agreed with it for a while."""
        # A name holds only while the face agrees. A face that is never described has only its place.
        return moment - (self.agreed if self.usable else self.last) > gone_s


class Match(NamedTuple):
    """A face that may continue a track. Of several, the one with the highest ``rank`` counts."""

    rank: tuple[int, float]
    relation: Relation


class Follower(Generic[T]):
    """The rules by which the faces of a frame continue the tracks of a camera.

    ``decades``: returns -log10 of the false match rate at the similarity of two descriptors. ``is_named``: returns
    whether the owner of a track has a name, which another person must not inherit.
    """

    def __init__(self, decades: Callable[[Descriptor, Descriptor], float], is_named: Callable[[T], bool]) -> None:
        self._decades = decades
        self._is_named = is_named

    def follow(self, tracks: Sequence[Track[T]], faces: Sequence[SeenFace], moment: float) -> list[Track[T] | None]:
        """Continue tracks with the faces of a frame. Return the track of each face; None for a face of a new track."""
        pairs = [
            (match, n, track)
            for n, face in enumerate(faces)
            for track in tracks
            if (match := self._match(track, face, moment)) is not None
        ]
        found: dict[int, Track[T]] = {}
        taken: set[str] = set()
        for match, n, track in sorted(pairs, key=lambda pair: pair[0].rank, reverse=True):
            if n not in found and track.id not in taken:
                found[n] = track
                taken.add(track.id)
                track.see(faces[n], moment, match.relation)
        return [found.get(n) for n in range(len(faces))]

    def conflicts(self, track: Track[T], face: SeenFace) -> bool:
        """Return whether a face stands in the place of a track, and is certainly another person."""
        return overlap(track.box, face.box) >= MIN_OVERLAP and face.usable and not self._agrees_weakly(track, face)

    def _match(self, track: Track[T], face: SeenFace, moment: float) -> Match | None:
        alike = self._likeness(track, face)
        # The likeness of a good face counts most, then the place, then the likeness of a poor face.
        if alike is not None and face.usable and track.usable and alike >= STRONG_DECADES:
            return Match((3, alike), "agrees")
        return self._match_place(track, face, alike, moment) or self._match_poor(track, face, alike)

    def _match_place(self, track: Track[T], face: SeenFace, alike: float | None, moment: float) -> Match | None:
        elapsed, shared = moment - track.last, overlap(track.box, face.box)
        if elapsed > CONTINUOUS_S or shared < MIN_OVERLAP:
            return None
        if alike is None or not face.usable or not track.usable:
            agrees = alike is not None and alike >= (POOR_DECADES if face.usable else STRONG_DECADES)
            enough = agrees or shared >= MIN_OVERLAP_ALONE
            return Match((2, shared), "agrees" if agrees else "overlaps") if enough else None
        if alike >= WEAK_DECADES:
            return Match((2, shared), "agrees")
        if elapsed <= BRIEF_S and shared >= MIN_OVERLAP_ALONE and track.doubts < MAX_DOUBTS:
            return Match((1, shared), "differs")
        return None

    def _match_poor(self, track: Track[T], face: SeenFace, alike: float | None) -> Match | None:
        # Poor faces resemble each other. So they continue only tracks that give nobody a name.
        if alike is None or self._is_named(track.owner):
            return None
        limit = POOR_DECADES if face.usable and not track.usable else STRONG_DECADES
        return Match((0, alike), "agrees") if alike >= limit else None

    def _agrees_weakly(self, track: Track[T], face: SeenFace) -> bool:
        alike = self._likeness(track, face)
        return alike is None or alike >= WEAK_DECADES

    def _likeness(self, track: Track[T], face: SeenFace) -> float | None:
        """Return the likeness of a face and the last faces of a track, or None if one of them has no descriptor."""
        if face.descriptor is None:
            return None
        known = track.usable or (() if track.poor is None else (track.poor,))
        return max((self._decades(face.descriptor, each) for each in known), default=None)


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over the union of two boxes, from 0 to 1."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(width, 0) * max(height, 0)
    return shared / max(one.area + other.area - shared, 1)
