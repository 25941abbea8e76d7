"""The open sightings of all cameras, and the search for those of one person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.live.open_sighting import OpenSighting
from gateway.live.sighting_decision import SightingDecision
from gateway.model import FoundFace, Person


class OpenSightings:
    """The open sightings, by camera and in the order in which they began. One thread calls all methods."""

    def __init__(self, decision: SightingDecision) -> None:
        self._decision = decision
        self._cameras: dict[str, dict[str, OpenSighting]] = {}

    def __iter__(self) -> Iterator[OpenSighting]:
        return iter([each for sightings in self._cameras.values() for each in sightings.values()])

    def add(self, sighting: OpenSighting) -> None:
        """Add a sighting."""
        self._cameras.setdefault(sighting.now.camera, {})[sighting.now.id] = sighting

    def remove(self, sighting: OpenSighting) -> None:
        """Remove a sighting."""
        of_camera = self._cameras.get(sighting.now.camera, {})
        of_camera.pop(sighting.now.id, None)
        if not of_camera:
            self._cameras.pop(sighting.now.camera, None)

    def on_camera(self, camera: str) -> list[OpenSighting]:
        """Return the sightings of a camera, the oldest first."""
        return list(self._cameras.get(camera, {}).values())

    def find(self, key: str) -> OpenSighting | None:
        """Return a sighting by its id."""
        return next((each for each in self if each.now.id == key), None)

    def find_return(self, camera: str, face: FoundFace, but: Iterable[OpenSighting]) -> OpenSighting | None:
        """Return the sighting that a usable face continues, or None. ``but``: not one of these."""
        assert face.descriptor is not None
        excluded = {each.now.id for each in but}
        known = [each for each in self.on_camera(camera) if each.now.id not in excluded and each.evidence.frames]
        fitting = [each for each in known if self._decision.agrees(each.evidence, face.descriptor)]
        return max(fitting, key=lambda each: each.last, default=None)

    def find_lookalike(self, camera: str, face: FoundFace, but: Iterable[OpenSighting]) -> OpenSighting | None:
        """Return the sighting without a name that a usable face may show too, or None. ``but``: not one of these.

        Of several, it is the one that spent most of the allowed rate.
        """
        # Otherwise somebody with a changing face would begin one sighting after the other, each with the whole rate.
        assert face.descriptor is not None
        excluded = {each.now.id for each in but}
        unnamed = [each for each in self.on_camera(camera) if each.person is None and each.evidence.looks]
        fitting = [
            each
            for each in unnamed
            if each.now.id not in excluded and self._decision.may_agree(each.evidence, face.descriptor)
        ]
        return max(fitting, key=lambda each: each.evidence.spent, default=None)

    def find_named(self, sighting: OpenSighting, person: Person) -> OpenSighting | None:
        """Return another sighting of the person on the camera of a sighting."""
        return next((each for each in self._others(sighting) if each.person and each.person.slug == person.slug), None)

    def find_same(self, sighting: OpenSighting) -> OpenSighting | None:
        """Return another sighting on the same camera whose evidence shows the same person."""
        same = self._decision.same_person
        return next((each for each in self._others(sighting) if same(sighting.evidence, each.evidence)), None)

    def _others(self, sighting: OpenSighting) -> list[OpenSighting]:
        return [each for each in self.on_camera(sighting.now.camera) if each is not sighting]
