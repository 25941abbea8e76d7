"""Never two owners of a camera, and never two leaders, whatever fails."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from device_sim.postgres_server import PostgresServer
from gateway.cluster.rendezvous import find_favourite
from tests.cluster.support import Cluster, Observer, Sample, cluster_running, find_overlaps
from tests.support import wait_for

CAMERAS = [f"cam{n}" for n in range(9)]
NAMES = ("a", "b", "c")


def sample(replica: str, epoch: int, at: float) -> Sample:
    return Sample(replica, "cam1", epoch, at, at)


def test_overlap_is_found() -> None:
    seen = [sample("a", 1, 1), sample("b", 2, 2), sample("a", 1, 3)]
    assert find_overlaps(seen) == [(seen[0], seen[1], seen[2])]


def test_owners_one_after_the_other_do_not_overlap() -> None:
    assert not find_overlaps([sample("a", 1, 1), sample("a", 1, 2), sample("b", 2, 3), sample("a", 3, 4)])


def is_settled(cluster: Cluster) -> bool:
    expected = {camera: find_favourite(camera, cluster.replicas) for camera in CAMERAS}
    return cluster.owners() == expected and len(cluster.leaders()) == 1


def faults_of(cluster: Cluster, server: PostgresServer) -> dict[str, Callable[[], None]]:
    """Return faults, each of which ends by itself. A replica that is cut off may come back at any moment."""

    def break_network(fault: str) -> None:
        proxy = cluster.replicas[random.choice(NAMES)].proxy
        getattr(proxy, fault)()
        time.sleep(random.uniform(0, 3))
        proxy.mend()

    def restart_replica() -> None:
        name = random.choice(NAMES)
        cluster.stop(name)
        cluster.start(name)

    def kill_database() -> None:
        server.kill()
        time.sleep(random.uniform(0, 2))
        server.start()

    def change_people() -> None:
        cluster.change_people()

    network = {fault: (lambda fault=fault: break_network(fault)) for fault in ("stall", "cut", "half_open")}
    return {**network, "restart": restart_replica, "kill": kill_database, "change": change_people}


@pytest.mark.parametrize("fault", ["stall", "cut", "half_open", "restart", "kill", "change"])
def test_camera_has_one_owner_and_the_cluster_one_leader(
    postgres_url: str, postgres_server: PostgresServer, fault: str
) -> None:
    with cluster_running(postgres_url) as cluster:
        first, *_ = cluster.start(*NAMES)
        first.membership.add_cameras(CAMERAS)
        wait_for(lambda: is_settled(cluster))
        with Observer(cluster) as observer:
            for _ in range(3):
                faults_of(cluster, postgres_server)[fault]()
                wait_for(lambda: is_settled(cluster))
        assert not find_overlaps(observer.samples)
        assert {each.thing for each in observer.samples} == {*CAMERAS, "leader"}
