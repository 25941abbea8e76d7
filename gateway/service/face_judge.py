"""The judgement of single faces, the same for requests and for live frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.model import Descriptor, FoundFace, Judgement, QualityProblem
from gateway.people.decision import FULL_SCORE, Decision
from gateway.people.gallery import Gallery

Judgements = Sequence[Judgement] | None
"""The judgements about the faces of a picture, or None if they are not compared yet."""


class FaceJudge:
    """The judgement which person a face shows, from one picture alone."""

    def __init__(self, gallery: Gallery, decision: Decision) -> None:
        self._gallery = gallery
        self._decision = decision

    @property
    def threshold(self) -> float:
        """The lowest score at which a face is named."""
        return self._decision.identification_threshold(len(self._gallery))

    def judge_early(self, faces: Sequence[FoundFace]) -> Judgements:
        """Compare each face with all enrolled people if that takes long, else return None. Raise Busy."""
        return None if self._gallery.compares_everybody else self.judge_all(faces)

    def judge_all(self, faces: Sequence[FoundFace], earlier: Judgements = None) -> Sequence[Judgement]:
        """Compare each face with all enrolled people. Raise Busy if these are in a database that is away.

        ``earlier``: judgements about these faces. They are returned if nobody in them was removed or renamed since.
        """
        if earlier is not None and self._are_current(earlier):
            return earlier
        limits = self._decision.similarity_limits(len(self._gallery))
        return [
            Judgement(self._decision.undescribed_reason(face.quality))
            if face.descriptor is None
            else self._decision.identify(self._gallery.nearest(face.descriptor, limits), face.quality)
            for face in faces
        ]

    def _are_current(self, judgements: Iterable[Judgement]) -> bool:
        people = {each.person for each in judgements if each.person is not None}
        people |= {likely.person for each in judgements for likely in each.candidates}
        return all(person.slug in self._gallery and self._gallery.person(person.slug) == person for person in people)

    def problem_of(self, face: FoundFace) -> QualityProblem | None:
        """Return why a face cannot be used to name somebody, or None if it can."""
        if face.descriptor is None:
            return self._decision.undescribed_reason(face.quality)
        return self._decision.unfit_reason(face.quality)

    def decades(self, one: Descriptor, other: Descriptor) -> float:
        """Return -log10 of the false match rate at the similarity of two faces."""
        return FULL_SCORE * self._decision.score(self._gallery.compare(one, other))
