"""Decision about a sighting: a finite list of looks that share the allowed rate of false names.

A look compares the mean of some faces of the sighting with all enrolled people. Each look may be wrong with its share
of ``decision.max_false_identification``. The shares sum to 1, so a sighting of a stranger is named with at most that
chance, however much its frames depend on each other (Boole's inequality).

The mean of several pictures is more similar to every face than one picture is, the more so the more the pictures
differ. So the curve is chosen by how much they differ (``Curves.different_probes``).
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.errors import Busy, UnknownPerson
from gateway.live.evidence import Evidence, EvidenceFace, Probe
from gateway.model import Descriptor, FoundFace, Judgement
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.group_comparison import quality_score


class Look(NamedTuple):
    """A decision that is made when the evidence has ``faces`` faces, with a share of the allowed rate."""

    faces: int
    share: float


LOOKS = (Look(2, 0.9), Look(3, 0.05), Look(5, 0.05))
"""The looks of one sighting.

The mean of the first two usable frames misses fewer people than the first frame alone, even if both are nearly the same
(docs/reference/benchmarks.md). Nearly all people are named then, so nearly all of the rate is spent there.
"""

FIRST_LOOK_WAIT_S = 0.4
"""Time after which the first look is made with one face, if no second one came."""

CLEARLY_DIFFERENT = 0.4
"""Difference of two faces from which the later one is new evidence. 1: as different as two photographs of one person.

In the film of the benchmarks, faces of somebody who moves differ by 0.7 from one frame to the next. Those of somebody
who sits still differ by 0.25.
"""

REVIEW_FACES = 3
"""Faces after which a name may be taken away."""

REVIEW_SCORE = 2 / 6
"""Score below which the mean of the faces speaks clearly against a name: a false match rate of one in 100."""

POSSIBLE_SCORE = 1 / 6
"""Score from which two faces may show one person: a false match rate of one in 10."""

SPENT_TOLERANCE = 1e-6
"""Largest error of a sum of shares."""


class SightingDecision:
    """Rules by which a sighting gets a name, loses it, or gets another."""

    def __init__(self, gallery: Gallery, decision: Decision) -> None:
        self._gallery = gallery
        self._decision = decision
        same = decision.curves.same_cosine
        self._max_cosine = 1.0 if same is None else 1 - CLEARLY_DIFFERENT * (1 - same)

    def add_face(
        self, evidence: Evidence, face: FoundFace, moment: float, *, more_follow: bool = False
    ) -> Judgement | None:
        """Add a face of the sighting, seen at ``moment`` (monotonic seconds).

        ``more_follow``: the camera sends frames so quickly that the first look may wait for the second face. Then
        ``decide_waiting`` has to be called too. Return a judgement if the sighting was decided again. Return None if
        the face is too poor, is nearly the same as an earlier one, or leaves the decision as it is.
        """
        if face.descriptor is None or self._decision.unfit_reason(face.quality):
            return self.decide_waiting(evidence, moment)
        worth = quality_score(face.quality) if face.quality else 1.0
        if not evidence.add(EvidenceFace(face.descriptor, worth), moment, self._max_cosine):
            return self.decide_waiting(evidence, moment)
        if evidence.person is not None:
            return self._review(evidence)
        if not evidence.looks and not more_follow:
            return self._look(evidence, LOOKS[0])
        return self._take_look(evidence)

    def decide_waiting(self, evidence: Evidence, moment: float) -> Judgement | None:
        """Make the first look with one face if no second one came in time. Call it a few times a second.

        ``moment``: monotonic seconds; infinite when the sighting ends.
        """
        return self._look(evidence, LOOKS[0]) if evidence.has_waited(moment, FIRST_LOOK_WAIT_S) else None

    def repeat(self, evidence: Evidence, score: float | None) -> Judgement | None:
        """Return the last decision again if it named somebody who is still enrolled. ``score``: of that decision.

        This is no new comparison, so it costs nothing of the allowed rate.
        """
        if evidence.person is None or evidence.person not in self._gallery:
            return None
        return Judgement("match", self._gallery.person(evidence.person), score or 0.0)

    def threshold(self, evidence: Evidence) -> float:
        """Return the lowest score with which the last look could name the sighting."""
        return self._decision.identification_threshold(len(self._gallery), evidence.last_share)

    def agrees(self, evidence: Evidence, descriptor: Descriptor) -> bool:
        """Return whether a face may show the person of the sighting. True while there is no evidence."""
        return not evidence.frames or self._is_same(Probe(descriptor, 1.0, 1), evidence)

    def may_agree(self, evidence: Evidence, descriptor: Descriptor) -> bool:
        """Return whether it is possible that a face shows the person of the sighting: few faces are so different."""
        return bool(evidence.frames) and self._likeness(Probe(descriptor, 1.0, 1), evidence) >= POSSIBLE_SCORE

    def same_person(self, one: Evidence, other: Evidence) -> bool:
        """Return whether two sightings show the same person. False while one of them has no evidence."""
        return bool(one.frames and other.frames) and self._is_same(self._probe(one), other)

    def _probe(self, evidence: Evidence) -> Probe:
        """Return the mean of all faces, or of the best ones if no larger number was measured."""
        return evidence.probe(self._decision.curves.max_probes)

    def _is_same(self, probe: Probe, evidence: Evidence) -> bool:
        return self._likeness(probe, evidence) >= self._decision.verification_threshold()

    def _likeness(self, probe: Probe, evidence: Evidence) -> float:
        """Return the score of a probe compared with the faces of a sighting."""
        known = evidence.probe(evidence.frames)
        # The descriptors of another recogniser, from before a restart.
        if len(known.descriptor) != len(probe.descriptor):
            return 0.0
        similarity = self._gallery.compare(probe.descriptor, known.descriptor)
        return self._decision.score(similarity, known.faces, self._different(probe))

    def _different(self, probe: Probe) -> float:
        return self._decision.curves.different_probes(probe.length, probe.faces)

    def _take_look(self, evidence: Evidence) -> Judgement | None:
        """Make the next look, if the evidence has enough faces and enough of the rate for it."""
        for look in LOOKS[evidence.looks : evidence.looks + 1]:
            if look.faces <= evidence.frames and evidence.spent + look.share <= 1 + SPENT_TOLERANCE:
                return self._look(evidence, look)
        return None

    def _look(self, evidence: Evidence, look: Look) -> Judgement | None:
        """Compare the evidence with all people. Return None if that is not possible now: a later face tries again."""
        probe = self._probe(evidence)
        different = self._different(probe)
        limits = self._decision.similarity_limits(len(self._gallery), different, look.share)
        try:
            nearest = self._gallery.nearest(probe.descriptor, limits)
        # The database is away, in which a large gallery is searched.
        except Busy:
            return None
        judgement = self._decision.identify(nearest, probes=different, share=look.share)
        evidence.spend(look.share, judgement.person.slug if judgement.person else None)
        return judgement

    def _review(self, evidence: Evidence) -> Judgement | None:
        """Take the name away if the evidence speaks clearly against it. Another name costs a look."""
        assert evidence.person is not None
        if not self._speaks_against(evidence, evidence.person):
            return None
        evidence.withdraw_name()
        # To take a name away gives nobody a name, so it costs nothing.
        return self._take_look(evidence) or Judgement("unknown")

    def _speaks_against(self, evidence: Evidence, person: str) -> bool:
        if evidence.frames < REVIEW_FACES:
            return False
        probe = self._probe(evidence)
        try:
            found = self._gallery.compare_person(person, probe.descriptor)
        # The person was removed.
        except UnknownPerson:
            return True
        except Busy:
            return False
        return self._decision.score(found.similarity, found.pictures, self._different(probe)) < REVIEW_SCORE
