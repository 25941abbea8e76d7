"""The judgement of single faces, the same for requests and for live frames."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model import Descriptor, FoundFace, Judgement, QualityProblem
from gateway.people.decision import FULL_SCORE, Decision
from gateway.people.gallery import Gallery


class FaceJudge:
    """The judgement which person a face shows, from one picture alone."""

    def __init__(self, gallery: Gallery, decision: Decision) -> None:
        self._gallery = gallery
        self._decision = decision

    @property
    def threshold(self) -> float:
        """The lowest score at which a face is named."""
        return self._decision.identification_threshold(len(self._gallery))

    def judge_all(self, faces: Sequence[FoundFace]) -> list[Judgement]:
        """Compare each face with all enrolled people."""
        limits = self._decision.similarity_limits(len(self._gallery))
        return [
            Judgement(self._decision.undescribed_reason(face.quality))
            if face.descriptor is None
            else self._decision.identify(self._gallery.nearest(face.descriptor, limits), face.quality)
            for face in faces
        ]

    def problem_of(self, face: FoundFace) -> QualityProblem | None:
        """Return why a face cannot be used to name somebody, or None if it can."""
        if face.descriptor is None:
            return self._decision.undescribed_reason(face.quality)
        return self._decision.unfit_reason(face.quality)

    def decades(self, one: Descriptor, other: Descriptor) -> float:
        """Return -log10 of the false match rate at the similarity of two faces."""
        return FULL_SCORE * self._decision.score(self._gallery.compare(one, other))
