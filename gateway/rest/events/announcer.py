"""The announcer of live cameras on the event stream."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from gateway.contract.events import (
    ForgottenCameraEventDocument,
    SwitchEventDocument,
    write_failed_result,
    write_present_event,
    write_result,
)
from gateway.contract.live import write_camera_state, write_event
from gateway.errors import GatewayError
from gateway.live.unchanged_answers import UnchangedAnswers
from gateway.model import Recognition, Reply, Request
from gateway.model.sightings import CameraState, PersonPresence, Presence, SightingEvent
from gateway.rest.events.hub import EventHub


def add_sighting(hub: EventHub, event: SightingEvent, mark: int | None = None) -> None:
    """Add an event of a sighting to the stream. ``mark``: its number in the cluster."""
    hub.add("sighting", partial(write_event, event), event.sighting.camera, people_of(event), mark)


def people_of(event: SightingEvent) -> list[str]:
    """Return the ids of the people whom an event names."""
    sighting = event.sighting
    people = [each.slug for each in (sighting.person, event.previous) if each is not None]
    return people + [each.person.slug for each in sighting.candidates]


class StreamAnnouncer:
    """The part that adds news about live cameras to the stream. Implements Announcer.

    ``unchanged``: the frames of unchanged scenes that get a result. ``share``: gets the sightings in a cluster, from
    where they come back with those of other replicas.
    """

    def __init__(
        self, hub: EventHub, unchanged: UnchangedAnswers, share: Callable[[SightingEvent], None] | None = None
    ) -> None:
        self._hub = hub
        self._unchanged = unchanged
        self._announce_sighting = share or partial(add_sighting, hub)

    def announce_result(self, request: Request, reply: Future[Reply]) -> None:
        """Announce the result of a live frame, while anybody listens."""
        camera = request.origin.camera
        # A frame that a newer one replaced is cancelled.
        if camera is None or not request.live or reply.cancelled() or not self._hub.has_listeners:
            return
        error = reply.exception()
        if error is None:
            self._announce_recognition(camera, request, reply.result())
        elif isinstance(error, GatewayError):
            self._hub.set_state("result", partial(write_failed_result, request, error), camera)

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        """Do nothing: the stream has no pictures."""

    def announce_event(self, event: SightingEvent) -> None:
        self._announce_sighting(event)

    def announce_presence(self, presence: Presence) -> None:
        people = [each.person.slug for each in presence.people]
        self._hub.set_state("present", partial(write_present_event, presence), presence.camera, people)

    def announce_person(self, presence: PersonPresence) -> None:
        """Do nothing: the presence on each camera says the same."""

    def announce_camera(self, state: CameraState) -> None:
        self._hub.set_state("camera", partial(write_camera_state, state), state.camera)

    def announce_switch(self, enabled: bool) -> None:
        self._hub.set_state("camera", partial(SwitchEventDocument, enabled=enabled))

    def remove_person(self, slug: str) -> None:
        self._hub.forget_person(slug)

    def remove_camera(self, camera: str) -> None:
        self._hub.forget_camera(camera)
        self._hub.add("camera", partial(ForgottenCameraEventDocument, camera=camera), camera)

    def _announce_recognition(self, camera: str, request: Request, result: Reply) -> None:
        if not isinstance(result, Recognition) or not self._unchanged.needs_answer(camera, result):
            return
        # Written now: the result may contain a picture, which must not stay in memory.
        document = write_result(request, result)
        people = [face.person for face in document.faces if face.person is not None]
        self._hub.set_state("result", lambda: document, camera, people)
