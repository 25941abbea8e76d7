"""The parts that make a gateway a replica of a cluster, and how they are joined."""

from __future__ import annotations

import logging
import socket
from collections.abc import Collection, Mapping, Sequence, Set

from gateway.app.parts import JoinedParts
from gateway.app.people_follower import PeopleFollower
from gateway.cluster.leader_tasks import LeaderTasks
from gateway.cluster.membership import Membership, MembershipSettings
from gateway.cluster.standing import Holdings
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.live.announcer import Announcer
from gateway.live.announcer_parts import LeaderAnnouncer, OwnerAnnouncer, RemovalAnnouncer
from gateway.live.board_reader import BoardReader
from gateway.live.board_writer import BoardWriter
from gateway.live.camera_moves import CameraMoves
from gateway.live.owned_cameras import OwnedCameras
from gateway.live.service import LiveService
from gateway.live.switch_follower import SwitchFollower
from gateway.live.switches import Switches
from gateway.model.cluster import ClusterHealth, ClusterIdentity
from gateway.mqtt.cluster.member import ClusterMember
from gateway.people.cluster_store import open_cluster_store
from gateway.people.services import PeopleServices
from gateway.rest.events.shared_events import SharedNews
from gateway.rest.held_answers import hold_until_sent
from gateway.service.live_notes import StoredCameras
from gateway.service.named_answers import NamedAnswers
from gateway.service.service import Service, Submit
from gateway.service.shared_cameras import SharedCameras
from gateway.service.silent_cameras import SilentCameras

log = logging.getLogger(__name__)


class ReplicaParts:
    """The place of this gateway in its cluster. ``instance``: the same after each start. Raise StartError."""

    def __init__(self, settings: Settings, instance: str) -> None:
        self._settings = settings
        self._store = open_cluster_store(settings)
        self.owned = OwnedCameras(shared=True)
        cluster = settings.cluster
        self.membership = Membership(
            instance,
            self._store.open_coordination,
            MembershipSettings(
                ClusterIdentity(cluster.name or "", settings.mqtt.base),
                cluster.lease_s,
                cluster.names_s,
                cluster.address or f"{socket.gethostname()}:{settings.rest.port}",
                settings.live.most_cameras,
                settings.configured_cameras,
            ),
            lambda: self._follower.follow(),
            self._find_cleared,
            lambda: self._parts.pool.ready > 0,
            lambda: self._parts.mqtt.connected,
            self._find_withdrawn,
        )
        self.member = ClusterMember(self.membership, self._store.notes)
        self._writer = BoardWriter(self._store.board, self.membership.keep_camera, self.membership.forget_camera)
        self._silent: SilentCameras | None = None
        self.sessions = self._store.sessions
        self.news = SharedNews(self._store.events, self._store.board, self.owned.owns)
        self.news = SharedNews(self._store.events, self._store.board, self.owned.owns)

    def confirm(self, removed: bool) -> None:
        """Wait until all replicas follow the people as they are in the store now. Raise Busy.

        ``removed``: wait also until no retained message names people who are not enrolled.
        """
        self.membership.confirm_everywhere(removed=removed)

    def cluster_health(self) -> ClusterHealth | None:
        """Return the state of the cluster."""
        return self.membership.health(self._settings.cluster.name or "")

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each problem of this replica."""
        return self.membership.warnings

    @property
    def leads(self) -> bool:
        """True while this replica is the leader."""
        return self.membership.is_leader

    def owns(self, camera: str) -> bool:
        """Return whether this replica follows a camera."""
        return self.owned.owns(camera)

    def add_camera(self, camera: str) -> None:
        """Let one of the replicas follow a camera."""
        self.membership.add_cameras([camera])

    def count_replicas(self) -> int:
        """Return the number of replicas with a lease, which divide the limits of attempts."""
        return len(self.membership.view().live)

    def may_name_people(self) -> bool:
        """Return whether this replica may name people now."""
        return self.membership.may_name_people()

    def use_people(self, people: PeopleServices) -> None:
        """Divide the limit of enrolments, and make the place of all answers that may name people.

        Raise StartError if the store belongs to another cluster.
        """
        # After the store is open, since it makes the tables.
        try:
            self.membership.check_cluster()
        except GatewayError:
            people.store.close()
            self._store.close()
            raise
        people.enrolment_limit.divide(self.count_replicas)
        self.answers = NamedAnswers(lambda: people.updater.removal_count, self.membership.check_may_name_people)

    def hold_until_sent(self, service: Service) -> Submit:
        """Return ``submit`` for the threads of REST."""
        return hold_until_sent(service, self.answers)

    def announcers(self, mqtt: Announcer, homeassistant: Sequence[Announcer]) -> list[Announcer]:
        """Return the announcers of the cameras of this replica."""
        return [OwnerAnnouncer(mqtt), *map(RemovalAnnouncer, homeassistant), self._writer]

    def cameras(self, live: LiveService | None, people: PeopleServices, switches: Switches) -> SharedCameras | None:
        """Return the cameras of all replicas for the operations."""
        if live is None:
            return None
        board, settings = self._store.board, self._settings
        notes = StoredCameras(people.store, people.sightings)
        cameras = SharedCameras(live, notes, board, self.owned.owns, switches.is_on)
        configured, most = settings.configured_cameras, settings.live.most_cameras
        self._silent = SilentCameras(board, cameras, lambda: self.membership.owned, configured, most)
        return cameras

    def join(self, parts: JoinedParts) -> None:
        """Join the parts, before the start."""
        self._parts = parts
        people, live = parts.people, parts.live
        leader = LeaderAnnouncer(parts.announcer)
        self._places = BoardReader(
            self._store.board,
            people.gallery.people,
            lambda: parts.switches.all_on,
            [leader, *parts.homeassistant.announcers],
        )
        drain_s = self._settings.cluster.lease_s / 2
        assert parts.mqtt.replica is not None
        self._follower = PeopleFollower(people, live, self._places, self.answers, drain_s, parts.mqtt.replica.flush)
        self._leader_tasks = LeaderTasks([people.retention, people.folder])
        self._switches = None if live is None else SwitchFollower(parts.switches, live)
        self._moves = None
        if live is not None:
            self._moves = CameraMoves(live, live.state, self.owned, people.sightings, self.membership.has_lease)
        self.membership.listen(on_leader=self._lead, on_cameras=self._move)
        self.membership.set_on_fatal(parts.on_fatal)

    def prepare(self) -> None:
        """Do nothing: the leader makes these announcements."""

    def start(self) -> None:
        """Join the cluster."""
        log.info(
            "this gateway is the replica %s of the cluster %s", self.membership.replica, self._settings.cluster.name
        )
        self._leader_tasks.start()
        self._writer.start()
        if self._switches is not None:
            self._switches.start()
        if self._silent is not None:
            self._silent.start()
        self.membership.add_cameras(self._settings.configured_cameras)
        self.membership.start()

    def hand_over(self) -> None:
        """Give the cameras and the leadership to other replicas. Answers in flight still go out."""
        self.membership.hand_over()
        self._leader_tasks.stop()

    def stop(self) -> None:
        """Leave the cluster."""
        if self._switches is not None:
            self._switches.stop()
        if self._silent is not None:
            self._silent.stop()
        self.membership.stop()
        self._writer.stop()
        self._places.close()
        self._store.close()

    def _move(self, gained: Mapping[str, int], lost: Set[str]) -> None:
        replica = self._parts.mqtt.replica
        assert replica is not None
        if lost:
            # First, so that the broker has what the cameras showed last.
            if self._moves is not None:
                self._moves.move({}, lost)
            for camera in lost:
                self._writer.release(camera)
            replica.release_cameras(sorted(lost))
        if gained:
            self._writer.take(gained)
            if self._moves is not None:
                self._moves.move(gained, set())
            replica.gain_cameras()

    def _find_cleared(self, held: Holdings) -> Holdings:
        """Return the part of what this replica holds whose retained messages are all its own."""
        replica = self._parts.mqtt.replica
        assert replica is not None
        cameras = {each: held.cameras[each] for each in replica.find_cleared(held.cameras)}
        return Holdings(cameras, held.leads_since if replica.has_cleared_as_leader() else None, held.admission)

    def _find_withdrawn(self, cameras: Collection[str]) -> Collection[str]:
        """Return the cameras of which the broker has no retained message any more."""
        replica = self._parts.mqtt.replica
        assert replica is not None
        return replica.find_withdrawn(cameras)

    def _lead(self, is_leader: bool) -> None:
        replica = self._parts.mqtt.replica
        assert replica is not None
        if is_leader:
            self._parts.homeassistant.start(self._parts.people.gallery.people().values())
            self._places.start()
            replica.start_leading()
        else:
            self._places.stop()
            replica.stop_leading()
        self._leader_tasks.set_leader(is_leader)
