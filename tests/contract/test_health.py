from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.contract.health import write_health
from gateway.model.cluster import ClusterHealth, ClusterView, OwnedCamera, Replica
from gateway.model.health import BrokerAddress, Disk, Health, ImportProgress, MqttHealth


@pytest.mark.parametrize(
    ("changes", "ready", "live", "shown"),
    [
        ({}, True, True, {}),
        ({"mqtt": MqttHealth(True, False, False)}, False, True, {"broker": "connecting", "canary": "missing"}),
        ({"mqtt": MqttHealth(True, True, False)}, False, True, {"canary": "missing"}),
        ({"mqtt": MqttHealth(False, True, True)}, False, False, {}),
        ({"workers_ready": 0}, False, True, {"workers": {"ready": 0, "of": 2}}),
        ({"workers_maintained": False}, False, False, {}),
        ({"store": False}, False, True, {"store": "read_only"}),
        (
            {"disk": Disk(999_999_999, 2_000_000_000)},
            True,
            True,
            {"disk": {"free_bytes": 900_000_000, "total_bytes": 2_000_000_000, "low": True}},
        ),
        ({"disk": None, "address": None}, True, True, {"disk": None, "address": None}),
    ],
)
def test_health_document_shows_whether_the_gateway_is_live_and_ready(
    changes: dict[str, Any], ready: bool, live: bool, shown: dict[str, Any]
) -> None:
    """A missing broker is no reason for a restart."""
    progress = ImportProgress(3, 4, 2, ("Bob/1.jpg: no face",), True)
    warning = "the backups cannot be rewritten"
    health = Health(
        MqttHealth(True, True, True),
        1,
        2,
        True,
        True,
        known_faces=progress,
        unknowns=5,
        warnings=(warning,),
        audit_head="812:5f0c",
        disk=Disk(12_345_678_901, 50_000_000_000),
        address=BrokerAddress("mqtt.lan", 8883, "house/faces", True),
    )
    health = replace(health, **changes)
    assert (health.ready, health.live) == (ready, live)
    assert write_health(health).document() == {
        "schema": 1,
        "status": "ready" if ready else "not_ready",
        "live": live,
        "broker": "connected",
        "canary": "back",
        "store": "writable",
        "workers": {"ready": 1, "of": 2},
        "known_faces": {"done": 3, "of": 4, "people": 2, "skipped": ["Bob/1.jpg: no face"]},
        "unknowns": 5,
        "audit": "812:5f0c",
        "disk": {"free_bytes": 12_300_000_000, "total_bytes": 50_000_000_000, "low": False},
        "address": {"host": "mqtt.lan", "port": 8883, "base": "house/faces", "tls": True},
        "cluster": None,
        "warnings": [warning],
        **shown,
    }


def test_health_is_not_ready_while_known_faces_are_imported() -> None:
    mqtt = MqttHealth(True, True, True)
    assert not Health(mqtt, 1, 1, workers_maintained=True, store=True, known_faces=ImportProgress(1, 2)).ready


def cluster_health(*, may_name_people: bool) -> ClusterHealth:
    replicas = (
        Replica("a", "http://10.0.0.5:5001", "1", 7, serving=True, connected=True, lease_left_s=2.5, names_left_s=2.5),
        Replica(
            "b",
            None,
            "1",
            6,
            serving=True,
            connected=True,
            lease_left_s=-4,
            names_left_s=-4,
            lease_until=1_780_000_000.7,
        ),
    )
    cameras = OwnedCamera("attic", "b", 3), OwnedCamera("hall", "a", 1), OwnedCamera("porch", None, 0)
    return ClusterHealth("site", "a", False, may_name_people, True, 1, ClusterView(7, replicas, "b", 2, cameras))


@pytest.mark.parametrize("may_name_people", [True, False])
def test_replica_is_ready_only_with_a_lease(may_name_people: bool) -> None:
    progress = ImportProgress(finished=True)
    health = Health(
        MqttHealth(True, True, True),
        1,
        1,
        True,
        True,
        progress,
        cluster=cluster_health(may_name_people=may_name_people),
    )
    assert health.ready == may_name_people
    assert write_health(health).document()["cluster"] == {
        "name": "site",
        "replica": "a",
        "may_name_people": may_name_people,
        # The lease of the last leader has ended.
        "leader": None,
        "cameras": 3,
        "without_owner": 2,
        "replicas": [
            {
                "replica": "a",
                "address": "http://10.0.0.5:5001",
                "version": "1",
                "state": "serving",
                "cameras": 1,
                "broker": "connected",
                "lease_ended": None,
            },
            {
                "replica": "b",
                "address": None,
                "version": "1",
                "state": "lost",
                "cameras": 0,
                "broker": None,
                "lease_ended": 1_780_000_000,
            },
        ],
    }
