"""The table of the devices that Home Assistant shows, with bounds on their number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.config.homeassistant_section import HomeAssistantSettings
from gateway.contract.base import Document
from gateway.integrations.homeassistant.devices import describe_camera, describe_gateway, describe_person
from gateway.integrations.homeassistant.names import GATEWAY, Names, camera_device, person_device
from gateway.model import Person

Descriptions = Mapping[str, Document | None]
"""Messages to publish: the description for each topic, or None for a device that is withdrawn."""


class DeviceTable:
    """The devices, and the messages that a change of them needs. Used by one thread at a time.

    ``snapshot``: the picture of the last sighting is published. ``first_cameras``: they get their devices first: any
    topic can name a camera, and the number of cameras has a bound.
    """

    def __init__(
        self, names: Names, settings: HomeAssistantSettings, *, snapshot: bool, first_cameras: Iterable[str] = ()
    ) -> None:
        self._names = names
        self._most_cameras, self._most_people = settings.most_cameras, settings.most_people
        self._snapshot = snapshot
        self._first_cameras = tuple(first_cameras)
        self._cameras: set[str] = set()
        self._people: dict[str, Person] = {}
        self._waiting: dict[str, Person] = {}
        self._has_left_out_cameras = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about cameras and people without a device."""
        found = []
        if self._has_left_out_cameras:
            found.append(
                f"Home Assistant shows only {self._most_cameras} cameras, and there are more: forget unwanted ones"
                " (cameras/forget), or raise homeassistant.most_cameras"
            )
        if self._waiting:
            found.append(
                f"Home Assistant shows only {self._most_people} people, and {len(self._waiting)} more are enrolled:"
                " raise homeassistant.most_people"
            )
        return tuple(found)

    def begin(self, people: Iterable[Person]) -> Descriptions:
        """Return the devices of the gateway, of the first cameras and of these people."""
        gateway = {self._names.topic(GATEWAY): describe_gateway(self._names)}
        cameras = [self.add_camera(camera) for camera in self._first_cameras]
        devices = [gateway, *cameras, *(self.add_person(person) for person in people)]
        return {topic: description for each in devices for topic, description in each.items()}

    def add_camera(self, camera: str) -> Descriptions:
        """Add a camera, if it is new and there is room."""
        if camera in self._cameras:
            return {}
        if len(self._cameras) >= self._most_cameras:
            self._has_left_out_cameras = True
            return {}
        self._cameras.add(camera)
        return self._camera(camera)

    def remove_camera(self, camera: str) -> Descriptions:
        """Remove a camera. Another camera may take its place with its next announcement."""
        self._has_left_out_cameras = False
        if camera not in self._cameras:
            return {}
        self._cameras.remove(camera)
        return {self._names.topic(camera_device(camera)): None}

    def add_person(self, person: Person) -> Descriptions:
        """Add a person, or give a person a new name."""
        if self._people.get(person.slug) == person:
            return {}
        if person.slug not in self._people and len(self._people) >= self._most_people:
            self._waiting[person.slug] = person
            return {}
        self._people[person.slug] = person
        return self._person(person)

    def remove_person(self, slug: str) -> Descriptions:
        """Remove a person, whose place the next one takes."""
        self._waiting.pop(slug, None)
        if self._people.pop(slug, None) is None:
            return {}
        removed: Descriptions = {self._names.topic(person_device(slug)): None}
        if not self._waiting:
            return removed
        return {**removed, **self.add_person(self._waiting.pop(next(iter(self._waiting))))}

    def _camera(self, camera: str) -> Descriptions:
        description = describe_camera(self._names, camera, snapshot=self._snapshot)
        return {self._names.topic(camera_device(camera)): description}

    def _person(self, person: Person) -> Descriptions:
        return {self._names.topic(person_device(person.slug)): describe_person(self._names, person)}
