"""Sightings that ended before ``again_s``, though their people may still be there: a switch was turned, a camera was
forgotten, or there were too many. Their share of the allowed rate is used up until then, or anybody could make a
camera look at one stranger again and again.
"""

from __future__ import annotations

from gateway.live.open_sighting import OpenSighting
from gateway.live.sighting_decision import SightingDecision
from gateway.model import FoundFace, Judgement

MAX_OF_CAMERA = 32
MAX_ENDED = 2_000
"""Sightings that are kept, of one camera and in all. The oldest ones are dropped. Each needs 3 kB."""


class EndedEarly:
    """The sightings that ended early, in the order of their ends. One thread calls all methods."""

    def __init__(self, decision: SightingDecision, again_s: float) -> None:
        self._decision = decision
        self._again_s = again_s
        self._ended: list[OpenSighting] = []

    def add(self, sighting: OpenSighting, moment: float) -> None:
        """Keep what a sighting spent, if it ended early. ``moment``: monotonic seconds."""
        self.expire(moment)
        if not sighting.evidence.looks or moment > sighting.last + self._again_s:
            return
        # The picture is in the store.
        sighting.forget_best()
        self._ended.append(sighting)
        of_camera = self._of(sighting.now.camera)
        self._remove([*of_camera[:-MAX_OF_CAMERA], *self._ended[:-MAX_ENDED]])

    def hand_over(
        self, sighting: OpenSighting, face: FoundFace, open_lookalike: OpenSighting | None
    ) -> Judgement | None:
        """Let a sighting begin with the decisions about the person whom its first usable face shows, or may show.

        ``open_lookalike``: an open sighting that the face may show too. Return the judgement of a sighting of the same
        person, if it named somebody.
        """
        if (same := self._take_same(sighting.now.camera, face)) is not None:
            sighting.resume(same)
            return self._decision.repeat(same.evidence, same.now.score)
        found = [each for each in (open_lookalike, self._find_lookalike(sighting.now.camera, face)) if each is not None]
        sighting.inherit(max(found, key=lambda each: each.evidence.spent, default=None))
        return None

    def forget_person(self, slug: str) -> None:
        """Forget the sightings of a person who was removed."""
        self._ended = [each for each in self._ended if each.evidence.person != slug]

    def forget_camera(self, camera: str) -> None:
        """Forget the sightings of a camera that another replica follows."""
        self._ended = [each for each in self._ended if each.now.camera != camera]

    def expire(self, moment: float) -> None:
        """Forget the sightings without a face for ``again_s``. ``moment``: monotonic seconds."""
        self._ended = [each for each in self._ended if moment <= each.last + self._again_s]

    def _take_same(self, camera: str, face: FoundFace) -> OpenSighting | None:
        assert face.descriptor is not None
        known = [each for each in self._of(camera) if each.evidence.frames]
        fitting = [each for each in known if self._decision.agrees(each.evidence, face.descriptor)]
        found = max(fitting, key=lambda each: each.last, default=None)
        self._remove([found] if found is not None else [])
        return found

    def _find_lookalike(self, camera: str, face: FoundFace) -> OpenSighting | None:
        assert face.descriptor is not None
        unnamed = [each for each in self._of(camera) if each.evidence.person is None]
        fitting = [each for each in unnamed if self._decision.may_agree(each.evidence, face.descriptor)]
        return max(fitting, key=lambda each: each.evidence.spent, default=None)

    def _of(self, camera: str) -> list[OpenSighting]:
        return [each for each in self._ended if each.now.camera == camera]

    def _remove(self, removed: list[OpenSighting]) -> None:
        self._ended = [each for each in self._ended if not any(each is other for other in removed)]
