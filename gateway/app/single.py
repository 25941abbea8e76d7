"""The place of a gateway that works alone: it follows every camera, and nobody else has to follow its changes."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.app.parts import JoinedParts
from gateway.live.announcer import Announcer
from gateway.live.owned_cameras import OwnedCameras
from gateway.live.service import LiveService
from gateway.live.switches import Switches
from gateway.people.services import PeopleServices
from gateway.service.service import Service, Submit


class SingleGateway:
    """The same methods as those of ReplicaParts (app/replica.py), for a gateway without replicas."""

    confirm = member = owns = answers = count_replicas = news = sessions = None
    leads = True

    def __init__(self) -> None:
        self.owned = OwnedCameras()

    warnings: tuple[str, ...] = ()

    def cluster_health(self) -> None:
        """Return None: a single gateway has no cluster."""

    def may_name_people(self) -> bool:
        """Return True: a single gateway needs no lease."""
        return True

    def use_people(self, people: PeopleServices) -> None:
        """Do nothing: answers need no lease."""

    def announcers(self, mqtt: Announcer, homeassistant: Sequence[Announcer]) -> list[Announcer]:
        """Return the announcers of the cameras."""
        return [mqtt, *homeassistant]

    def cameras(self, live: LiveService | None, _people: PeopleServices, _switches: Switches) -> LiveService | None:
        """Return the cameras for the operations."""
        return live

    def add_camera(self, _camera: str) -> None:
        """Do nothing: a single gateway follows every camera."""

    def hold_until_sent(self, service: Service) -> Submit:
        """Return ``submit`` for the threads of REST."""
        return service.submit

    def join(self, parts: JoinedParts) -> None:
        """Join the parts, before the start."""
        self._parts = parts

    def prepare(self) -> None:
        """Start what comes before the live cameras."""
        self._parts.people.retention.start()
        self._parts.homeassistant.start(self._parts.people.gallery.people().values())

    def start(self) -> None:
        """Start what comes after the MQTT interface."""
        self._parts.people.folder.start()

    def hand_over(self) -> None:
        """Stop to change people by itself."""
        self._parts.people.folder.stop()
        self._parts.people.retention.stop()

    def stop(self) -> None:
        """Do nothing: no other gateway waits."""
