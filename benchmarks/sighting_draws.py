"""Galleries of enrolled people, and sightings before them, for the benchmark of sightings."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.sighting_faces import PhotographedPerson
from gateway.live.evidence import Evidence
from gateway.live.sighting_decision import SightingDecision
from gateway.model import FoundFace, Judgement, Person
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.similarity import Similarity, typical_faces
from gateway.store.records import Changes, GallerySnapshot

Kind = Literal["independent", "steady", "moving"]
KINDS: tuple[Kind, ...] = ("independent", "steady", "moving")

Indices = NDArray[np.intp]

STRANGERS = 200
"""Sightings of strangers before each gallery. All strangers have their turn, one gallery after the other."""

MAX_GALLERY_SHARE = 0.9
"""Largest share of the people in a gallery. The others are the strangers."""

FRAME_INTERVAL_S = 0.3
"""Time between two frames. The changed copies were fitted to frames with this interval."""


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """A random gallery: its people, (n,), the indices of their enrolled photographs, (n, pictures), and strangers."""

    members: Indices
    enrolled: Indices
    strangers: Indices

    def enrolled_of(self, person: int) -> list[int]:
        """Return the enrolled photographs of a person."""
        chosen: list[int] = self.enrolled[self.members == person].ravel().tolist()
        return chosen


@dataclass(frozen=True, slots=True)
class Seen:
    """A sighting and its decision after some frames.

    ``names``: the people that it was ever named as; ``last``: as whom in the end; ``single``: as whom by the first
    frame alone. ``first_usable``: the first frame is good enough to be decided, and ``usable``: one of the frames.
    """

    gallery: int
    person: int
    enrolled: bool
    frames: int
    usable: bool
    first_usable: bool
    names: frozenset[int]
    last: int | None
    single: int | None
    looks: int


def possible_sizes(people: Sequence[PhotographedPerson], pictures: int, wanted: Sequence[int]) -> list[int]:
    """Return the wanted sizes of galleries that are possible, and the largest one whose people can be seen again."""
    eligible = [each for each in people if len(_enrollable(each)) >= pictures]
    possible = [size for size in wanted if size <= MAX_GALLERY_SHARE * len(eligible)]
    again = int(MAX_GALLERY_SHARE * sum(len(each.photographs) > pictures for each in eligible))
    return sorted({*possible, *([again] if again > max(possible, default=1) else [])})


def draw_galleries(people: Sequence[PhotographedPerson], size: int, pictures: int, count: int) -> list[Draw]:
    """Return random galleries. People with a photograph more than is enrolled come first: they can be seen again."""
    random = np.random.default_rng([size, pictures])
    eligible = [number for number, each in enumerate(people) if len(_enrollable(each)) >= pictures]
    further = [number for number in eligible if len(people[number].photographs) > pictures]
    others = sorted(set(eligible) - set(further))
    turn = random.permutation(len(people))
    draws = []
    for _ in range(count):
        first = random.permutation(further)[: max(int(MAX_GALLERY_SHARE * len(further)), 1)][:size]
        members = np.append(first, random.permutation(others)[: size - len(first)]).astype(np.intp)
        enrolled = np.stack(
            [random.choice(_enrollable(people[each]), pictures, replace=False) for each in members.tolist()]
        )
        outside = turn[~np.isin(turn, members)]
        draws.append(Draw(members, enrolled, outside[:STRANGERS]))
        # The strangers of this gallery go to the end of the row.
        turn = np.append(turn[~np.isin(turn, outside[:STRANGERS])], outside[:STRANGERS])
    return draws


def watch(
    people: Sequence[PhotographedPerson], draw: Draw, gallery: int, kind: Kind, counts: Sequence[int]
) -> Iterator[Seen]:
    """Give the sightings of the people in the gallery and of strangers, after each of some numbers of frames."""
    found = _gallery(people, draw)
    random = np.random.default_rng(gallery)
    for person in [*draw.members.tolist(), *draw.strangers.tolist()]:
        frames = _frames(people[person], draw.enrolled_of(person), kind, random)[: max(counts)]
        enrolled = person in draw.members
        first = Seen(gallery, person, enrolled, 0, False, _is_usable(frames[:1]), frozenset(), None, None, 0)
        yield from _watch(found, replace(first, single=_single(found, frames[:1])), frames, counts)


def _watch(gallery: Gallery, first: Seen, frames: Sequence[FoundFace | None], counts: Sequence[int]) -> Iterator[Seen]:
    rules, evidence = SightingDecision(gallery, _decision()), Evidence()
    names: set[int] = set()
    for number, face in enumerate(frames):
        moment = number * FRAME_INTERVAL_S
        judgement = (
            rules.decide_waiting(evidence, moment)
            if face is None
            else rules.add_face(evidence, face, moment, more_follow=True)
        )
        names |= _names(judgement)
        if number + 1 in counts:
            ended = copy.copy(evidence)
            named = names | _names(rules.decide_waiting(ended, np.inf))
            last = None if ended.person is None else int(ended.person)
            usable = _is_usable(frames[: number + 1])
            yield replace(first, frames=number + 1, usable=usable, names=frozenset(named), last=last, looks=ended.looks)


def _frames(
    person: PhotographedPerson, enrolled: Sequence[int], kind: Kind, random: np.random.Generator
) -> list[FoundFace | None]:
    if kind != "independent":
        return list(person.photographs[-1].frames.get(kind, ())) if _shows_last(person, enrolled) else []
    others = [each.face for number, each in enumerate(person.photographs) if number not in enrolled]
    return [others[number] for number in random.permutation(len(others))]


def _shows_last(person: PhotographedPerson, enrolled: Sequence[int]) -> bool:
    """Return whether the last photograph, of which the frames are made, is not enrolled."""
    return len(person.photographs) - 1 not in enrolled


def _enrollable(person: PhotographedPerson) -> list[int]:
    """Return the photographs that can be enrolled. The last one is left for the frames, if there are several."""
    most = max(len(person.photographs) - 1, 1)
    return [number for number, each in enumerate(person.photographs[:most]) if each.enrolled is not None]


def _is_usable(frames: Sequence[FoundFace | None]) -> bool:
    return any(
        face is not None and face.descriptor is not None and _decision().unfit_reason(face.quality) is None
        for face in frames
    )


def _single(gallery: Gallery, frames: Sequence[FoundFace | None]) -> int | None:
    """Return the person that the first frame alone is taken for, with the whole allowed rate."""
    if not _is_usable(frames):
        return None
    (face,) = frames
    assert face is not None
    assert face.descriptor is not None
    limits = _decision().similarity_limits(len(gallery))
    (name,) = _names(_decision().identify(gallery.nearest(face.descriptor, limits), face.quality)) or [None]
    return name


def _names(judgement: Judgement | None) -> set[int]:
    return {int(judgement.person.slug)} if judgement and judgement.person else set()


def _gallery(people: Sequence[PhotographedPerson], draw: Draw) -> Gallery:
    """Return the gateway's gallery. The ids of the people are their numbers."""
    gallery = Gallery(_similarity())
    faces = np.stack(
        [
            np.sum([people[person].photographs[number].enrolled for number in numbers], axis=0)
            for person, numbers in zip(draw.members.tolist(), draw.enrolled.tolist(), strict=True)
        ]
    )
    means = (faces / np.linalg.norm(faces, axis=1, keepdims=True)).astype(np.float32)
    persons = [Person(str(person), people[person].name) for person in draw.members.tolist()]
    pictures = np.full(len(persons), draw.enrolled.shape[1], np.int64)
    nothing = np.empty((0, means.shape[1]), np.float32), np.empty(0, np.int64)
    snapshot = GallerySnapshot(np.arange(len(persons)), persons, means, pictures, *nothing)
    gallery.apply(Changes(1, snapshot, ()))
    return gallery


@cache
def _similarity() -> Similarity:
    return Similarity(typical_faces())


@cache
def _decision() -> Decision:
    return Decision(0.01, 0.001, measured_curves("facegate"))
