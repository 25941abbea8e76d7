"""The composition root: it builds all parts, and starts and stops them in order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from queue import SimpleQueue

from gateway import __version__
from gateway.app.health import HealthReport
from gateway.app.operation_threads import OperationThreads
from gateway.app.parts import JoinedParts
from gateway.app.replica import ReplicaParts
from gateway.app.single import SingleGateway
from gateway.app.starting import start, start_when_store_answers
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.files.data_folder import data_folder_lock
from gateway.integrations.frigate.name_news import NameNews
from gateway.integrations.homeassistant.wiring import HomeAssistant
from gateway.integrations.picture_sources import PictureSources
from gateway.live.announcer import Announcers
from gateway.live.switch_events import ALL_CAMERAS_DETAIL, record_switches
from gateway.live.switches import Switches
from gateway.live.unfollowed import UnfollowedCameras
from gateway.live.wiring import LiveParts, build_live
from gateway.metrics import Metrics
from gateway.model.caller import GATEWAY_CALLER
from gateway.model.health import HasWarnings, Health
from gateway.mqtt.announcements.known_cameras import find_known_cameras
from gateway.mqtt.announcements.wiring import Announcements
from gateway.mqtt.description.asyncapi import describe_mqtt
from gateway.mqtt.interface import MqttInterface
from gateway.mqtt.retained import HOMEASSISTANT
from gateway.mqtt.services import Services
from gateway.mqtt.transport.identity import load_identity
from gateway.people.recogniser_switch import check_recogniser_switch
from gateway.people.wiring import describe_store, has_store, open_people
from gateway.rest.events.wiring import Events
from gateway.rest.wiring import Logins, create_rest, needs_token
from gateway.service.administration import Administration
from gateway.service.enrolment_vision import WorkerVision
from gateway.service.gateway_info import describe_gateway
from gateway.service.live_notes import LiveNotes, find_notes
from gateway.service.recognition import RecognitionService
from gateway.service.request_check import policy_of
from gateway.service.request_metrics import RequestMetrics
from gateway.service.service import Service
from gateway.systemd import SystemdNotifier
from gateway.workers.wiring import create_pool, prepare_engine

log = logging.getLogger(__name__)


class Gateway:
    """All parts of the gateway. The constructor opens the store, ``start`` the rest. Both raise StartError."""

    def __init__(self, settings: Settings) -> None:
        engine = prepare_engine(settings)
        if not has_store(settings):
            log.info("there is no people store yet: a new one is created at %s", describe_store(settings))
        self.metrics = Metrics(settings.configured_cameras)
        self._fatal_errors: SimpleQueue[GatewayError] = SimpleQueue()
        self.pool = create_pool(settings, engine, self.metrics, workers=settings.workers.count)
        # Sightings are written by a thread of their own, so that a long change does not fill the queue of the others.
        self.journal = ThreadPoolExecutor(1, "journal")
        vision = WorkerVision(
            run=self.pool.submit,
            min_face=settings.detection.min_face,
            size_limit=settings.limits.file,
            search=settings.search_of,
        )
        identity = load_identity(settings.data, settings.mqtt.client_id)
        replica = None if settings.cluster.name is None else ReplicaParts(settings, identity.instance)
        self.place = place = replica or SingleGateway()
        self.people = open_people(settings, vision, confirm=place.confirm)
        place.use_people(self.people)
        self.threads = OperationThreads(self.people.registry.confirm_later, has_replicas=replica is not None)
        changes, reads = self.threads.changes, self.threads.reads
        rules = self.people.rules
        check_recogniser_switch(self.people.store.faces, rules.pictures.recipe, rules.folder.path)
        # Before the switches and the sightings are read, which have the changes of these notes.
        earlier = find_notes(self.people.store)
        switches = Switches(self.people.store.camera_switches, settings.mqtt.base if settings.live.enabled else None)
        self.unfollowed = UnfollowedCameras(switches)
        policy = policy_of(settings, switches.check, place.count_replicas)
        recognition = RecognitionService(
            run=self.pool.submit,
            gallery=self.people.gallery,
            decision=self.people.decision,
            people=self.people.registry,
            changes=changes,
            policy=policy,
            metrics=self.metrics,
            observe_unknown=self.people.unknown_faces.observe,
        )
        seen_cameras = self.people.sightings.cameras()
        self.announcements = Announcements(settings, seen_cameras, place.member)
        # These documents have an owner also if Home Assistant is switched off: its devices are cleared then.
        descriptions = self.announcements.documents(HOMEASSISTANT)
        self.homeassistant = HomeAssistant(
            settings,
            descriptions.publish,
            descriptions.earlier_topics,
            seen_cameras,
            lambda: self.mqtt.repeat_announcements(),
        )
        stream_parts = settings, self.people, self.health, self.metrics
        self.events = Events(*stream_parts, place.may_name_people, place.news, switches.is_on)
        name_news = NameNews()
        announcers = place.announcers(self.announcements.announcer, self.homeassistant.announcers)
        announcers += [name_news, self.events.announcer]
        known_cameras = find_known_cameras(settings, self.announcements.retained)
        switches.keep_places(known_cameras)
        parts = LiveParts(
            self.people,
            self.pool,
            policy,
            switches,
            Announcers(announcers, self.metrics.count_sighting_event),
            self.journal,
            self.metrics,
            known_cameras,
            place.owned,
        )
        self.live = build_live(settings, parts) if settings.live.enabled else None
        notes = LiveNotes(self.people.store, self.people.sightings, self.live or self.unfollowed, place.owns, earlier)
        self._live_parts = (notes,) if self.live is None else (self.live, notes)
        cameras = place.cameras(self.live, self.people, switches)
        operations = self.people, vision, changes, reads, self.health, cameras, known_cameras
        administration = Administration(*operations, keep_admin=needs_token(settings.rest))
        events = self.people.audit.events
        events.keep_places([ALL_CAMERAS_DETAIL, *settings.configured_cameras, *known_cameras])
        self.service = Service(
            recognition=recognition,
            administration=administration,
            follow=self.live.submit if self.live is not None else None,
            record=events.record,
            observers=[RequestMetrics(self.metrics).observe, self.events.announcer.announce_result],
            answers=place.answers,
        )
        self.sources = PictureSources(
            settings,
            self.service.submit,
            switches.is_followed,
            lambda camera: self.live.note_alive(camera) if self.live is not None else None,
            name_news,
            self.metrics,
            place.owned,
            place.add_camera,
        )
        self.mqtt = MqttInterface(
            settings=settings,
            services=Services(
                submit=self.sources.submit_frame,
                check_capacity=self.pool.check_capacity,
                health=self.health,
                count_removals=lambda: self.people.updater.removal_count,
                set_enabled=record_switches(self.live.set_enabled, events.record) if self.live is not None else None,
            ),
            identity=identity,
            info=describe_gateway(settings, identity.instance),
            metrics=self.metrics,
            on_fatal=self._fatal_errors.put,
            announcements=self.announcements,
            subscriptions=[*self.homeassistant.subscriptions, *self.sources.subscriptions],
        )
        submit = place.hold_until_sent(self.service)
        logins = Logins(self.people.store.tokens, place.sessions)
        rest = settings, submit, self.health, logins, self.metrics, events.record
        self.rest = create_rest(*rest, describe_mqtt, self.events.streams)
        unfollowed = [self.unfollowed] if self.live is None else []
        others: list[HasWarnings] = [self.homeassistant, self.sources, *unfollowed]
        self._health = HealthReport(settings, self.pool, self.people, self.mqtt, self.rest, others, place)
        joined = self.people, self.pool, self.live, switches, self.mqtt, self.announcements.announcer
        place.join(JoinedParts(*joined, self.homeassistant, self._fatal_errors.put))
        self.systemd = SystemdNotifier(health=self.health)

    def start(self) -> None:
        """Start all parts. Raise StartError."""
        # REST is first: /readyz then reports the progress of the others.
        self.rest.start()
        self.systemd.start()
        self.pool.start()
        self.people.store.audit.record(GATEWAY_CALLER, "start", detail=f"version {__version__}")
        for keeper in (*self.people.keepers, self.people.unknown_faces):
            keeper.start()
        self.place.prepare()
        self.events.start()
        for part in self._live_parts:
            part.start()
        self.sources.start()
        # Requests may wait at the broker: MQTT starts after everything that answers them.
        self.mqtt.start()
        self.place.start()
        when = "MQTT" if self.mqtt.connected else "MQTT as soon as the broker is available"
        log.info("ready to serve: %s, and REST on %s", when, self.rest.url)

    def run(self) -> None:
        """Wait until a signal ends the process. Raise GatewayError if the gateway cannot continue."""
        raise self._fatal_errors.get()

    def stop(self) -> None:
        """Stop all parts, even if one fails: refuse new requests, finish the running ones, close connections."""
        steps: Sequence[Callable[[], object]] = (
            self.people.registry.interrupt,
            self.place.hand_over,
            self.people.unknown_faces.stop,
            self.systemd.stop,
            self.homeassistant.stop,
            self.sources.stop,
            self.mqtt.stop_accepting,
            self.pool.stop,
            *(part.stop for part in reversed(self._live_parts)),
            self.journal.shutdown,
            self.threads.stop,
            self.events.stop,
            self.rest.stop,
            self.mqtt.stop,
            self.place.stop,
            *(keeper.stop for keeper in self.people.keepers),
            self.people.store.close,
        )
        # An ExitStack calls the last callback first, and all of them even if one fails.
        with ExitStack() as stack:
            for step in reversed(steps):
                stack.callback(step)

    def health(self) -> Health:
        """Return the state of every part."""
        return self._health.read()


@contextmanager
def running(settings: Settings) -> Iterator[Gateway]:
    """Start a gateway as the only one on its data folder, and stop it at the end. Raise StartError.

    A gateway with a store in PostgreSQL waits until the database answers.
    """
    begin = start if settings.people.postgres_url is None else start_when_store_answers
    with data_folder_lock(settings.data):
        gateway, stop_at_exit = begin(partial(Gateway, settings))
        with stop_at_exit:
            yield gateway
