"""The MQTT side of a replica: its routes, and its connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial

from gateway.model import CAMERA_NAME, RESERVED_CAMERAS
from gateway.mqtt.announcements.documents import RetainedDocuments
from gateway.mqtt.cluster.camera_finder import CameraFinder
from gateway.mqtt.cluster.client_ids import ClientIds
from gateway.mqtt.cluster.connections import ReplicaConnections
from gateway.mqtt.cluster.flushing import flush
from gateway.mqtt.cluster.member import ClusterMember
from gateway.mqtt.cluster.replica_status import ReplicaStatus
from gateway.mqtt.cluster.shared_downtime import NoDowntime, SharedDowntime
from gateway.mqtt.cluster.single_gateway_search import SingleGatewaySearch
from gateway.mqtt.codec.live_topics import LiveTopics
from gateway.mqtt.delivery.loopback import Loopback
from gateway.mqtt.delivery.poison_guard import PoisonGuard
from gateway.mqtt.delivery.validity import Validity
from gateway.mqtt.parts import Parts
from gateway.mqtt.pieces import Pieces
from gateway.mqtt.retained import LIVE
from gateway.mqtt.router import Handler, Route, Router
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session
from gateway.mqtt.upkeep import Upkeep

CONFIRM_S = 1.0
"""Time for the broker to confirm the last messages about a camera before another replica owns it."""

CONFIRM_POLL_S = 0.01

ReadCamera = Callable[[str], str | None]
"""Returns the camera of a topic. It may have characters that no camera may have."""


class Replica:
    """The composition of the parts for a replica of a cluster.

    The four methods about cameras and the leadership are called by one thread, one after the other.
    """

    def __init__(self, parts: Parts, member: ClusterMember, documents: RetainedDocuments) -> None:
        """``documents``: about this replica."""
        self._parts = parts
        self._place = place = member.place
        self._notes = member.notes
        self._topics = LiveTopics(parts.settings.mqtt.base)
        self.downtime = downtime = SharedDowntime(member.notes)
        settings, cluster, metrics = parts.settings, parts.settings.cluster, parts.metrics
        validity = Validity(settings.limits.request_s, NoDowntime(), parts.loopback, metrics)
        leader_loopback = Loopback(parts.topics.leader_loopback)
        command_validity = Validity(settings.limits.request_s, downtime, leader_loopback, metrics)
        self.queries = parts.make_queries(validity)
        pieces = parts.make_pieces(self.queries, self._owns)
        self._search = SingleGatewaySearch(parts.topics, place, cluster.lease_s, parts.outbox.announce)
        self._status = status = ReplicaStatus(parts.topics, documents, place, cluster.address)
        self.routes = list(self._make_routes(validity, command_validity, pieces))
        router = Router(self.routes, parts.intake.ignore)
        outbox, announcements, guard = parts.outbox, parts.announcements, parts.poison_guard
        upkeep = Upkeep("requests", outbox, validity, parts.loopback, status, announcements.sender, guard)
        leader_upkeep = Upkeep(
            "leader",
            outbox,
            command_validity,
            leader_loopback,
            parts.bridge_status,
            announcements.leader_sender,
            PoisonGuard(),
        )
        upkeeps = upkeep, leader_upkeep
        own_id = parts.identity.client_id
        ids = ClientIds(own_id, place.replica, cluster.name or "", member.notes)
        self.connections = ReplicaConnections(parts, place, router, upkeeps, self._search, pieces, downtime, ids)
        note_topic = partial(self._note_camera, self._topics.read_camera)
        self._finder = CameraFinder(self.connections.specs.mqtt, own_id, parts.topics.frames, place, note_topic)

    def _make_routes(self, validity: Validity, command_validity: Validity, pieces: Pieces) -> Iterator[Route]:
        parts, topics, reader, handler = self._parts, self._parts.topics, self._parts.reader, self._parts.intake.handler
        acknowledge = parts.outbox.acknowledge
        share = f"$share/{parts.settings.cluster.name}"
        yield Route("requests", parts.loopback.topic, 1, validity.receive_loopback)
        # The shared filter matches commands too, which the leader takes.
        yield Route("requests", topics.commands, 1, acknowledge, "included")
        yield Route("requests", f"{share}/{topics.requests}", 1, handler(reader.read_query, self.queries.ask))
        read_camera = self._topics.read_camera
        frames, pieces_added = handler(reader.read_frame, self.queries.ask), handler(reader.read_piece, pieces.add)
        yield Route("frames", topics.frames, 0, self._if_owned(read_camera, frames), "owned")
        yield Route("frames", topics.pieces, 1, self._if_owned(read_camera, pieces_added), "owned")
        for pattern in parts.inputs:
            pictures = self._if_owned(pattern.name_camera, parts.input_handler(pattern, self.queries))
            yield Route("frames", pattern.topic_filter, 0, pictures, "owned")
            if not pattern.names_one_camera:
                # Such a camera may send one picture a day, so that a look of the leader would miss it. The broker gives
                # each picture to one of the replicas, beside the owner of its camera.
                note = partial(self._note_camera_of, pattern.name_camera)
                yield Route("requests", f"{share}/{pattern.topic_filter}", 0, note)
        yield Route("frames", self._search.loopback_filter, 0, self._watch)
        yield Route("frames", topics.state, 0, self._watch, "searching")
        yield Route("frames", topics.info, 0, self._watch, "searching")
        yield from parts.foreign_routes()
        yield Route("leader", topics.leader_loopback, 1, command_validity.receive_loopback)
        yield from parts.command_routes("leader", command_validity)
        yield from parts.switch_routes("leader")
        yield Route("leader", topics.first_pieces, 0, partial(self._note_camera_of, read_camera))

    def _if_owned(self, read_camera: ReadCamera, handle: Handler) -> Handler:
        """Return the handler that drops messages of cameras which another replica owns by now."""

        def handle_if_owned(delivery: Delivery[Session]) -> None:
            camera = read_camera(delivery.received.topic)
            if camera is not None and self._owns(camera):
                handle(delivery)
            else:
                self._parts.outbox.acknowledge(delivery)

        return handle_if_owned

    def _owns(self, camera: str) -> bool:
        return self._place.owns(camera)

    def _watch(self, delivery: Delivery[Session]) -> None:
        self._search.receive(delivery.received)

    def _note_camera_of(self, read_camera: ReadCamera, delivery: Delivery[Session]) -> None:
        # A retained message may be of a camera that was removed long ago.
        if not delivery.received.retained:
            self._note_camera(read_camera, delivery.received.topic)

    def _note_camera(self, read_camera: ReadCamera, topic: str) -> None:
        """Add the camera of a topic to the cluster."""
        camera = read_camera(topic)
        if camera is None or not CAMERA_NAME.fullmatch(camera) or camera in RESERVED_CAMERAS:
            self._parts.ignored.report_name(topic)
        elif camera not in (each.name for each in self._place.view().cameras):
            self._place.add_cameras([camera])

    @property
    def loopback_fresh(self) -> bool:
        """True if messages come in."""
        return self._parts.loopback.fresh

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about problems that need a person's attention."""
        return (*self._search.warnings, *self.connections.short_sessions.warnings)

    def start(self) -> None:
        """Start to connect. Raises StartError."""
        self.connections.start()
        self._finder.start()
        self._status.start()

    def release_cameras(self, cameras: Collection[str]) -> None:
        """Take no more frames of cameras. While the lease lasts, let the broker have all that was announced of them."""
        self.connections.subscribe()
        announcer = self._parts.announcements.announcer
        if self._place.has_lease():
            if not self._has_successor():
                announcer.announce_absence()
            self._wait_until(lambda: all(map(announcer.is_confirmed, cameras)))
        for camera in cameras:
            announcer.release_camera(camera)
        self._status.publish()

    def gain_cameras(self) -> None:
        """Take the frames of the cameras that this replica owns now, and clear what earlier owners have left."""
        self._parts.announcements.announcer.gain_cameras()
        self.connections.subscribe()
        self._status.publish()

    def find_cleared(self, cameras: Iterable[str]) -> list[str]:
        """Return the cameras of which the broker has only what this replica announced last."""
        return self._parts.announcements.announcer.find_cleared(cameras)

    def find_withdrawn(self, cameras: Iterable[str]) -> list[str]:
        """Return the cameras of which the broker has no retained message any more."""
        return self._parts.announcements.announcer.find_withdrawn(cameras)

    def has_cleared_as_leader(self) -> bool:
        """Return whether the broker has only what this replica announced last as the leader. Raise Busy.

        It is also False while there are retained messages of cameras without an owner.
        """
        return self._parts.announcements.has_cleared_as_leader() and not self._add_lost_cameras()

    def _add_lost_cameras(self) -> bool:
        """Add cameras that only the journal of topics knows: their owners clear what the broker has of them.

        Return whether there are any. Raise Busy.
        """
        known = {each.name for each in self._place.view().cameras}
        lost = set(self._topics.read_cameras(self._notes.read_topics(LIVE))) - known
        # A place among the cameras may be free only after days, and no removal would be answered until then.
        self._place.add_cameras(lost, always=True)
        return bool(lost)

    def flush(self, seconds: float) -> None:
        """Wait until the broker has all messages that were published before. Cut the connections that need longer."""
        connections = self.connections
        flush((connections.requests, connections.frames, connections.leader), self._parts.loopback.topic, seconds)

    def start_leading(self) -> None:
        """Take the commands. All that the leader announces was announced before this call."""
        self.connections.start_leading()
        self._finder.wake()
        self._status.publish()

    def stop_leading(self) -> None:
        """Take no more commands, and forget what only the leader announces."""
        if self._place.has_lease() and not self._has_successor():
            self._say_goodbye()
        self.connections.stop_leading()
        self._parts.announcements.announcer.release_people()
        self._status.publish()

    def _say_goodbye(self) -> None:
        """Announce that nobody is present and no gateway serves: no other replica will."""
        with self.connections.last_words():
            self._parts.announcements.announcer.announce_absence()
            self._parts.bridge_status.announce_offline()
            session = self.connections.leader.session
            self._wait_until(lambda: session is None or not session.connected or session.pending == 0)

    def _has_successor(self) -> bool:
        return bool(self._place.view().candidates - {self._place.replica})

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the broker has messages, but not for long if it cannot be reached."""
        deadline = time.monotonic() + CONFIRM_S
        while self.connections.connected and not condition() and time.monotonic() < deadline:
            time.sleep(CONFIRM_POLL_S)

    def stop_accepting(self) -> None:
        """Let the other replicas take the requests, and take those that are on their way to this one."""
        self.connections.drain()
        self._parts.intake.stop_accepting()

    def stop(self) -> None:
        """End the connections, after the broker has the last replies."""
        self._search.stop()
        self._finder.stop()
        self._status.stop()
        self.connections.stop()
