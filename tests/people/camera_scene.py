"""Cameras that see unknown faces, for tests of their groups."""

from __future__ import annotations

import time

from gateway.model import Descriptor, FoundFace, Image, Polygon, Quality
from gateway.people.group_rules import UnknownRules
from gateway.people.unknown_faces import Observation
from gateway.people.vision import NoVision
from tests.examples import BOX, QUALITY
from tests.people.environment import PeopleEnvironment, build_services, chips_of, make_rules

NOW = time.time()
IMAGE = Image(640, 480, 5000)


class FakeVision(NoVision):
    """Stand-in for vision, which returns the face that was registered for a picture."""

    def __init__(self) -> None:
        self.faces: dict[bytes, Descriptor] = {}
        self.described: list[tuple[bytes, Polygon]] = []
        self.errors: list[Exception] = []
        self.lying: set[bytes] = set()

    def describe_part(self, picture: bytes, place: Polygon, camera: str) -> FoundFace:
        self.described.append((picture, place))
        if self.errors:
            raise self.errors.pop(0)
        if picture in self.lying:
            return FoundFace(BOX)
        return FoundFace(BOX, self.faces[picture], chips=chips_of(picture.decode()))


class CameraScene:
    """Cameras that see faces, and the groups that are made of these."""

    def __init__(self, env: PeopleEnvironment, vision: FakeVision) -> None:
        self.env = env
        self.vision = vision
        self.groups = env.people.groups
        self.unknown_faces = env.people.unknown_faces
        self.stored = env.people.groups._store
        self._pictures = 0

    def take_picture(self, face: Descriptor) -> bytes:
        self._pictures += 1
        picture = f"picture {self._pictures}".encode()
        self.vision.faces[picture] = face
        return picture

    def observe(
        self, face: Descriptor, camera: str = "door", moment: float = NOW, quality: Quality | None = QUALITY
    ) -> None:
        found = FoundFace(BOX, face, quality=quality)
        place = BOX.relative_corners(IMAGE)
        self.unknown_faces.add(Observation(found, self.take_picture(face), place, camera, moment))

    def tidy(self) -> list[int]:
        self.groups.tidy()
        return [group.id for group in self.groups.list_groups()]


def restart(env: PeopleEnvironment, *, max_groups: int = 100, keep_days: float = 7) -> CameraScene:
    """Return a scene with new services on the same store."""
    vision = FakeVision()
    rules = make_rules(env.data, unknowns=UnknownRules(max_groups, keep_days))
    return CameraScene(
        PeopleEnvironment(env.data, env.store, build_services(env.data, env.store, rules, vision)), vision
    )
