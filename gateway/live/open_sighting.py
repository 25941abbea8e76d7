"""An open sighting: the state of a sighting that has not ended."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import get_args

from gateway.live.evidence import Evidence
from gateway.live.moment import Moment
from gateway.live.visits import VisitKey
from gateway.model import Box, FoundFace, Person, QualityProblem, Verdict
from gateway.model.sightings import Outcome, Sighting
from gateway.people.group_comparison import quality_score
from gateway.store.records import SightingRecord, StoredFace

log = logging.getLogger(__name__)

QUALITY_PROBLEMS: frozenset[str] = frozenset(get_args(QualityProblem))

MIN_STRANGER_FACES = 2
"""Usable faces after which somebody is announced as a stranger."""

STRANGER_PATIENCE_S = 1.0
"""Time from the first usable face until somebody is announced as a stranger, so that a second look comes before."""

BETTER_FACE = 1.3
"""Factor of a face's worth from which the unknown group is asked for again, if there was none."""

ANNOUNCED, SILENT = b"\x01", b"\x00"
"""The first byte of the evidence in a record: whether an event has announced the sighting."""


@dataclass(slots=True, eq=False)
class OpenSighting:
    """A sighting that has not ended. It belongs to one thread.

    ``now``: its state. ``last``: the moment of the last face, in monotonic seconds. ``faces``: the number of all faces.
    ``usable``: the number of faces that were good enough to name somebody, and ``first_usable`` the moment of the first
    one. ``verdict``: of the last look. ``problems``: how often each problem of quality was seen. ``best``: the best
    face, with its worth; ``is_face_stored``: the store has it. ``announced``: an event told about the sighting, so its
    end needs one too. ``searched``: the unknown group was asked for, with a face of ``searched_worth``. ``restored``:
    no face was seen since the gateway started. ``is_stored``: a record of it was made. ``is_erased``: the person was
    removed, or the sighting was deleted, so nothing is stored.
    ``merged_into``: the older sighting of the same person. ``saved``: the moment of the last regular save.
    """

    now: Sighting
    evidence: Evidence
    last: float
    usable: int = 0
    first_usable: float | None = None
    verdict: Verdict | None = None
    problems: Counter[QualityProblem] = field(default_factory=Counter)
    best: tuple[float, FoundFace] | None = None
    faces: int = 0
    is_face_stored: bool = False
    announced: bool = False
    searched: bool = False
    searched_worth: float = 0.0
    restored: bool = False
    is_stored: bool = False
    is_erased: bool = False
    merged_into: OpenSighting | None = None
    saved: float = 0.0

    @property
    def person(self) -> Person | None:
        return self.now.person

    @property
    def visit_key(self) -> VisitKey:
        return VisitKey(self.person.slug if self.person else None, self.now.unknown)

    @property
    def is_decided(self) -> bool:
        """True if the sighting has a name, or is that of a stranger."""
        return self.now.outcome in ("named", "stranger")

    @property
    def is_announced_decision(self) -> bool:
        """True if an event told the decision."""
        return self.is_decided and not self.now.ignored

    def is_stranger(self, moment: float) -> bool:
        """Return whether this is a stranger whose unknown group must be found. ``moment``: monotonic seconds."""
        if self.person is not None or self.verdict != "unknown" or self.first_usable is None or self.best is None:
            return False
        # A face that is not good enough for a group is replaced by a better one.
        if self.searched and (self.now.unknown is not None or self.best[0] < BETTER_FACE * self.searched_worth):
            return False
        patient = moment - self.first_usable >= STRANGER_PATIENCE_S or self.evidence.looks > 1
        return self.usable >= MIN_STRANGER_FACES and patient

    def erase_name(self) -> None:
        """Remove everything that tells who this is."""
        self.best, self.evidence, self.is_erased = None, Evidence(), True
        self.change(outcome="undecided", person=None, score=None, candidates=())

    def forget_face(self) -> None:
        """Remove the best face, and store nothing any more: the sighting was deleted."""
        self.best, self.is_erased = None, True

    def change(self, **changes: object) -> None:
        """Replace fields of the state."""
        self.now = replace(self.now, **changes)  # type: ignore[arg-type]  # the names and types of Sighting's fields

    def see(self, box: Box, moment: Moment) -> None:
        """Note a face of the sighting."""
        self.last, self.restored = moment.monotonic, False
        self.faces += 1
        self.change(box=box, last_seen=moment.timestamp)

    def rest(self, moment: Moment) -> None:
        """Note that the last face stands still."""
        self.last = moment.monotonic
        self.change(last_seen=moment.timestamp)

    def note_search(self) -> None:
        """Note that the unknown group was asked for, with the best face."""
        self.searched, self.searched_worth = True, self.best[0] if self.best else 0.0

    def is_save_due(self, moment: float, interval_s: float) -> bool:
        """Return True once in an interval."""
        if moment < self.saved + interval_s:
            return False
        self.saved = moment
        return True

    def note_verdict(self, verdict: Verdict) -> None:
        """Note the verdict of a look."""
        self.verdict = verdict

    def note_announcement(self) -> None:
        """Note that an event told about the sighting."""
        self.announced = True

    def see_usable(self, face: FoundFace, moment: Moment) -> None:
        """Note a face that is good enough to name somebody, and keep the best one."""
        self.usable += 1
        self.first_usable = moment.monotonic if self.first_usable is None else self.first_usable
        worth = quality_score(face.quality) if face.quality else 0.0
        if self.best is None or worth > self.best[0]:
            self.best, self.is_face_stored = (worth, face), False

    def forget_best(self) -> None:
        """Let the next usable face be the best one."""
        self.best = None

    def add_problem(self, problem: QualityProblem) -> None:
        """Note a face that is too poor, and the reason."""
        self.problems[problem] += 1
        if self.now.outcome == "undecided" or self.now.outcome in QUALITY_PROBLEMS:
            self.change(outcome=self.undecided_outcome)

    @property
    def is_worth_storing(self) -> bool:
        """False for what may be no face at all: it was seen once, and not well. False if the person was removed."""
        return not self.is_erased and (self.usable > 0 or self.faces > 1 or self.announced)

    @property
    def undecided_outcome(self) -> Outcome:
        """The most frequent problem, or ``undecided`` if usable faces were more frequent."""
        problem = max(self.problems, key=self.problems.__getitem__, default=None)
        return "undecided" if problem is None or self.problems[problem] <= self.usable else problem

    def inherit(self, other: OpenSighting | None) -> None:
        """Begin with the decisions of another sighting, if there is one that may show the same person."""
        if other is not None:
            self.evidence.inherit(other.evidence)
            self.verdict = other.verdict

    def resume(self, other: OpenSighting) -> None:
        """Go on with the evidence and the decisions of a sighting of the same person that has ended."""
        self.evidence, self.verdict = other.evidence, other.verdict

    def join(self, other: OpenSighting) -> None:
        """Take in another sighting of the same person on the same camera."""
        other.note_merge(self)
        self.evidence.join(other.evidence)
        self.usable += other.usable
        self.faces += other.faces
        self.problems.update(other.problems)
        self.restored = self.restored and other.restored
        self.last = max(self.last, other.last)
        self.change(
            since=min(self.now.since, other.now.since),
            last_seen=max(self.now.last_seen, other.now.last_seen),
            box=other.now.box,
        )
        firsts = [each for each in (self.first_usable, other.first_usable) if each is not None]
        self.first_usable = min(firsts, default=None)
        if other.best is not None and (self.best is None or other.best[0] > self.best[0]):
            self.best, self.is_face_stored = other.best, False

    def note_merge(self, into: OpenSighting) -> None:
        """Note the older sighting into which this one was merged."""
        self.merged_into = into

    def make_record(self) -> SightingRecord:
        """Return the record for the store. Its face is None if the store has the face."""
        face = None
        if self.best is not None and not self.is_face_stored:
            worth, found = self.best
            assert found.descriptor is not None
            face, self.is_face_stored = StoredFace(found.descriptor, found.chips, found.crop, found.quality), True
            if self.person is not None or self.now.unknown is not None:
                # Nothing needs the chips any more. They have 20 kB.
                self.best = worth, replace(found, chips=None)
        evidence = b"" if self.now.ended else (ANNOUNCED if self.announced else SILENT) + self.evidence.to_bytes()
        is_new, self.is_stored = not self.is_stored, True
        return SightingRecord(self.now, face, evidence, is_new)


def restored_sighting(record: SightingRecord, moment: Moment) -> OpenSighting:
    """Return the open sighting of a record, as the gateway that ended left it.

    Without evidence that can be read, such as that of another recogniser, nobody can continue it. But it gets its end.
    """
    sighting = record.sighting
    try:
        evidence, announced = Evidence.from_bytes(record.evidence[1:]), record.evidence[:1] == ANNOUNCED
    except ValueError as error:
        log.warning("the sighting %s ends: %s", sighting.id, error)
        evidence, announced = Evidence(), sighting.outcome in ("named", "stranger") and not sighting.ignored
    last = moment.monotonic - max(moment.timestamp - sighting.last_seen, 0.0)
    usable = evidence.frames
    return OpenSighting(
        sighting,
        evidence,
        last,
        usable=usable,
        faces=max(usable, 1),
        first_usable=last if usable else None,
        announced=announced,
        searched=sighting.outcome == "stranger",
        restored=True,
        is_stored=True,
    )


def shows(sighting: Sighting, slug: str) -> bool:
    """Return whether a sighting names a person, also as a candidate."""
    people = [sighting.person, *(each.person for each in sighting.candidates)]
    return any(each is not None and each.slug == slug for each in people)
