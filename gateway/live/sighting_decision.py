"""Decision about a sighting: a finite list of looks that share the allowed rate of false names.

A look compares the mean of some faces of the sighting with all enrolled people. Each look may be wrong with its share
of ``decision.max_false_identification``. The shares sum to 1, so a sighting of a stranger is named with at most that
chance, however much its frames depend on each other (Boole's inequality).
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.live.evidence import Evidence, EvidenceFace
from gateway.model import Descriptor, FoundFace, Judgement
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.unknown_groups import quality_score


class Look(NamedTuple):
    """A decision that is made when the evidence has ``frames`` faces, with a share of the allowed rate."""

    frames: int
    share: float


LOOKS = (Look(1, 0.7), Look(2, 0.1), Look(3, 0.1), Look(5, 0.1))
"""The looks of one sighting. The first one is the largest: most people are named by their first usable frame."""

REVIEW_FRAMES = 3
"""Faces after which a name may be taken away."""

REVIEW_SCORE = 2 / 6
"""Score below which the mean of the faces speaks clearly against a name: a false match rate of one in 100."""

SPENT_TOLERANCE = 1e-6
"""Largest error of a sum of shares."""


class SightingDecision:
    """Rules by which a sighting gets a name, loses it, or gets another."""

    def __init__(self, gallery: Gallery, decision: Decision) -> None:
        self._gallery = gallery
        self._decision = decision

    def add_face(self, evidence: Evidence, face: FoundFace, moment: float) -> Judgement | None:
        """Add a face of the sighting, seen at ``moment`` (monotonic seconds).

        Return a judgement if the sighting was decided again. Return None if the face is too poor, is nearly the same as
        an earlier one, or leaves the decision as it is.
        """
        if face.descriptor is None or self._decision.unfit_reason(face.quality):
            return None
        worth = quality_score(face.quality) if face.quality else 1.0
        if not evidence.add(EvidenceFace(face.descriptor, worth), moment):
            return None
        if evidence.person is not None and not self._withdraws(evidence):
            return None
        look = _next_look(evidence)
        if look is not None:
            return self._look(evidence, look)
        return None if evidence.person is None else self._withdraw(evidence)

    def threshold(self, evidence: Evidence) -> float:
        """Return the lowest score with which the last look could name the sighting."""
        return self._decision.identification_threshold(len(self._gallery), evidence.last_share)

    def agrees(self, evidence: Evidence, descriptor: Descriptor) -> bool:
        """Return whether a face may show the person of the sighting. True while there is no evidence."""
        return not evidence.frames or self._is_same(descriptor, 1, evidence)

    def same_person(self, one: Evidence, other: Evidence) -> bool:
        """Return whether two sightings show the same person. False while one of them has no evidence."""
        if not one.frames or not other.frames:
            return False
        probes = min(one.frames, self._decision.max_probes)
        return self._is_same(one.mean(probes), probes, other)

    def _is_same(self, descriptor: Descriptor, probes: int, evidence: Evidence) -> bool:
        mean = evidence.mean(evidence.frames)
        # The descriptors of another recogniser, from before a restart.
        if len(mean) != len(descriptor):
            return False
        score = self._decision.score(self._gallery.compare(descriptor, mean), evidence.frames, probes)
        return score >= self._decision.verification_threshold()

    def _look(self, evidence: Evidence, look: Look) -> Judgement:
        probes = min(evidence.frames, self._decision.max_probes)
        limits = self._decision.similarity_limits(len(self._gallery), probes, look.share)
        nearest = self._gallery.nearest(evidence.mean(probes), limits)
        judgement = self._decision.identify(nearest, probes=probes, share=look.share)
        evidence.spend(look.share, judgement.person.slug if judgement.person else None)
        return judgement

    def _withdraws(self, evidence: Evidence) -> bool:
        """Return whether the evidence speaks clearly against the name, or the person is not enrolled any more."""
        assert evidence.person is not None
        if evidence.person not in self._gallery:
            return True
        if evidence.frames < REVIEW_FRAMES:
            return False
        probes = min(evidence.frames, self._decision.max_probes)
        found = self._gallery.compare_person(evidence.person, evidence.mean(probes))
        return self._decision.score(found.similarity, found.pictures, probes) < REVIEW_SCORE

    def _withdraw(self, evidence: Evidence) -> Judgement:
        """Take the name away. That gives nobody a name, so it costs nothing."""
        evidence.withdraw_name()
        return Judgement("unknown")


def _next_look(evidence: Evidence) -> Look | None:
    """Return the next look that the evidence has enough faces and enough of the rate for, or None."""
    for look in LOOKS[evidence.looks :]:
        if look.frames <= evidence.frames and evidence.spent + look.share <= 1 + SPENT_TOLERANCE:
            return look
    return None
