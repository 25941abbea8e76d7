"""The MQTT sides of replicas on a real broker, with their membership over a real PostgreSQL.

The service behind them answers immediately, and notes what it got. So a test sees which replica did the work.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Set
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.faults.proxy import Proxy
from gateway.cluster.membership import Membership, MembershipSettings
from gateway.cluster.standing import Holdings
from gateway.config import Settings
from gateway.contract.health import LivenessDocument
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.model import AdministrationRequest, Detection, Image, Request
from gateway.model.cluster import ClusterIdentity
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.mqtt.announcements.wiring import Announcements
from gateway.mqtt.cluster.member import ClusterMember
from gateway.mqtt.interface import MqttInterface
from gateway.mqtt.services import Services
from gateway.mqtt.transport.identity import Identity
from gateway.store.postgres.broker_notes import PostgresBrokerNotes
from gateway.store.postgres.coordination import PostgresCoordination
from gateway.store.postgres.database import PostgresDatabase
from tests.mqtt.bridge.test_bridge_status import INFO
from tests.support import Broker, wait_for

LEASE_S = 4.0
"""A lease that ends soon, but not while a busy machine lets a process wait for a second or two."""

CLUSTER = "house"


class Replica:
    """The MQTT side of one replica. ``answered``: the request ids and operations that its service got, in order.

    ``frames``: the cameras whose frames it got. ``may_answer``: while it is not set, requests stay in work.
    ``slow``: the request ids that stay in work in any case, until ``release``.
    ``may_lose``: while it is not set, the other parts of the gateway have not left its lost cameras yet.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        broker: Broker,
        url: str,
        names_s: float,
        answer_s: float,
        most_cameras: int,
    ) -> None:
        self.name = name
        self.answered: list[str] = []
        self.frames: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.slow: Set[str] = set()
        self.may_lose = threading.Event()
        self.may_lose.set()
        self.waiting: list[tuple[Future[Any], Any]] = []
        self.fatal: list[GatewayError] = []
        self._proxies = ExitStack()
        self.broker_proxy = self._proxies.enter_context(Proxy(broker.port))
        (port,) = re.findall(r":(\d+)/", url)
        self.store_proxy = self._proxies.enter_context(Proxy(int(port)))
        url = url.replace(f":{port}/", f":{self.store_proxy.port}/")
        # The id of a replica is the instance of its gateway.
        instance = hashlib.sha256(name.encode()).hexdigest()[:12]
        settings = Settings(
            data=folder / name,
            mqtt={"host": "127.0.0.1", "port": self.broker_proxy.port, "trust_broker": True, "answer_s": answer_s},
            people={"store": url},
            cluster={"name": CLUSTER, "lease_s": LEASE_S, "address": f"http://{name}"},
            live={"snapshot": "retained"},
        )
        settings.data.mkdir(parents=True, exist_ok=True)
        self._own = PostgresCoordination(url, LEASE_S)
        self.notes = PostgresBrokerNotes(url)
        self.membership = Membership(
            instance,
            lambda: PostgresCoordination(url, LEASE_S),
            MembershipSettings(
                ClusterIdentity(CLUSTER, settings.mqtt.base), LEASE_S, names_s, f"http://{name}", most_cameras
            ),
            self._own.read_revision,
            self._find_cleared,
            is_connected=lambda: self.mqtt.connected,
            find_withdrawn=lambda cameras: self.side.find_withdrawn(cameras),
        )
        self.announcements = Announcements(settings, (), ClusterMember(self.membership, self.notes))
        self.mqtt = MqttInterface(
            settings,
            Services(self._submit, lambda _camera: None, _health),
            Identity(f"facegate-{name}", instance),
            INFO.model_copy(update={"instance": instance}),
            Metrics(),
            self.fatal.append,
            self.announcements,
        )
        side = self.mqtt.replica
        assert side is not None
        self.side = side

        def on_cameras(gained: Mapping[str, int], lost: Set[str]) -> None:
            if lost:
                self.may_lose.wait()
                side.release_cameras(lost)
            if gained:
                side.gain_cameras()

        self.membership.listen(
            on_leader=lambda leads: side.start_leading() if leads else side.stop_leading(), on_cameras=on_cameras
        )
        self._alive = False

    @property
    def id(self) -> str:
        return self.membership.replica

    def start(self) -> Replica:
        self.membership.start()
        wait_for(self.membership.may_name_people)
        self._alive = True
        self.mqtt.start()
        return self

    def stop(self) -> None:
        """Stop in order, as a gateway does."""
        if self._alive:
            self._alive = False
            self.mqtt.stop_accepting()
            self.membership.hand_over()
            self.mqtt.stop()
            self.membership.stop()
            self._own.close()
            self.notes.close()
            self._proxies.close()

    def die(self) -> None:
        """Lose all connections at once, as when the process is killed."""
        self.store_proxy.cut()
        self.broker_proxy.cut()

    def release(self) -> None:
        """Answer the requests in work, and all later ones immediately."""
        self.may_answer.set()
        for future, result in self.waiting:
            future.set_result(result)
        self.waiting.clear()

    def _find_cleared(self, held: Holdings) -> Holdings:
        cameras = {each: held.cameras[each] for each in self.side.find_cleared(held.cameras)}
        return Holdings(cameras, held.leads_since if self.side.has_cleared_as_leader() else None, held.admission)

    def _submit(self, request: Request | AdministrationRequest) -> Future[Any]:
        done: Future[Any] = Future()
        if isinstance(request, AdministrationRequest):
            self.answered.append(request.operation)
            result: Any = LivenessDocument(status="ok", counts={})
        elif request.origin.request_id is None:
            self.frames.append(str(request.origin.camera))
            # A live frame that was replaced gets no answer.
            done.cancel()
            return done
        else:
            self.answered.append(request.origin.request_id)
            result = Detection(faces=(), image=Image(4, 4, 4), timing={})
        if self.may_answer.is_set() and self.answered[-1] not in self.slow:
            done.set_result(result)
        else:
            self.waiting.append((done, result))
        return done


class Replicas(dict[str, Replica]):
    """The replicas of a test, by their names."""

    def __init__(self, folder: Path, broker: Broker, url: str) -> None:
        super().__init__()
        self.names_s = LEASE_S
        self.most_cameras = 2_000
        # No reply says that a request that a test holds up takes too long.
        self.answer_s = 60.0
        self.url = url
        self._make: Callable[[str], Replica] = lambda name: Replica(
            name, folder, broker, url, self.names_s, self.answer_s, self.most_cameras
        )

    def begin(self, name: str) -> Replica:
        """Start a replica, whose broker may not accept it."""
        self[name] = self._make(name)
        return self[name].start()

    def start(self, *names: str) -> list[Replica]:
        """Start replicas, and wait until they serve."""
        for name in names:
            self.begin(name)
        wait_for(lambda: all(self[name].mqtt.health.connected and self[name].mqtt.loopback.fresh for name in names))
        # A leader that stops looks for a successor among those that it knows to be connected.
        started = [self[name] for name in names]
        ids = {each.id for each in started}
        wait_for(lambda: all(ids <= each.membership.view().connected_candidates for each in started))
        return started

    @property
    def leader(self) -> Replica:
        """The replica that takes commands. The test waits for it."""
        wait_for(lambda: any(map(_leads, self.values())))
        return next(filter(_leads, self.values()))

    def owner(self, camera: str) -> Replica:
        """Return the replica that owns a camera. The test waits for it."""
        wait_for(lambda: any(camera in each.membership.owned for each in self.values()))
        return next(each for each in self.values() if camera in each.membership.owned)


def _leads(replica: Replica) -> bool:
    connections = replica.side.connections
    # A message of its own came back, so the broker knows its subscriptions. Before that it drops commands.
    return replica.membership.is_leader and connections.leader.connected and connections._leader_upkeep.caught_up


def _health() -> Health:
    return Health(
        mqtt=MqttHealth(True, True, True),
        workers_ready=1,
        workers=1,
        workers_maintained=True,
        store=True,
        known_faces=ImportProgress(),
    )


@contextmanager
def replicas_running(folder: Path, broker: Broker, url: str) -> Iterator[Replicas]:
    # This creates the tables.
    PostgresDatabase(url).close()
    replicas = Replicas(folder, broker, url)
    try:
        yield replicas
    finally:
        for each in replicas.values():
            each.release()
            each.broker_proxy.mend()
            each.store_proxy.mend()
            each.may_lose.set()
            each.stop()
