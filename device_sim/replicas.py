"""The settings and the command of a replica: one of several gateways with the same store, broker and cluster name."""

from __future__ import annotations

import base64
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CLUSTER_NAME = "site"


def make_key() -> str:
    """Return a new key for the people store, as ``people.key`` takes it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, slots=True)
class ReplicaSettings:
    """The settings that all replicas share. ``store_key``: the key that encrypts their store."""

    broker_port: int
    workers: int
    lease_s: float
    store_key: str
    other: Mapping[str, str]

    def environment(self, name: str, data: Path, rest_port: int, store_url: str) -> dict[str, str]:
        """Return the environment of a replica. ``name``: its ``cluster.address``. ``data``: its own data folder."""
        return {
            "FACEGATE_DATA": str(data.resolve()),
            "FACEGATE_MQTT__HOST": "127.0.0.1",
            "FACEGATE_MQTT__PORT": str(self.broker_port),
            # The broker serves programs on this machine only.
            "FACEGATE_MQTT__TRUST_BROKER": "true",
            "FACEGATE_REST__PORT": str(rest_port),
            "FACEGATE_WORKERS__PROCESSES": str(self.workers),
            "FACEGATE_PEOPLE__STORE": store_url,
            "FACEGATE_PEOPLE__KEY": self.store_key,
            # Nobody is imported from this folder: it does not exist.
            "FACEGATE_PEOPLE__FOLDER": str(data.resolve() / "known_faces"),
            "FACEGATE_CLUSTER__NAME": CLUSTER_NAME,
            "FACEGATE_CLUSTER__ADDRESS": name,
            "FACEGATE_CLUSTER__LEASE_S": str(self.lease_s),
            "FACEGATE_HOMEASSISTANT__ENABLED": "false",
            **self.other,
        }


def simulated_gateway_command(picture_ms: float, config: str) -> Sequence[str]:
    """Return the command of a gateway whose worker processes sleep ``picture_ms`` for each picture.

    It works only from a checkout: no installation has the simulated workers.
    """
    program = [sys.executable, "-m", "benchmarks.simulated.gateway", f"{picture_ms:g}"]
    return [*program, "run", "--config", config]
