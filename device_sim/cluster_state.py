"""The state of a cluster, as its replicas publish it on ``bridge/replica/<id>``: the leader, and all cameras."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

from device_sim.connection import Broker, Connection


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """A message of a replica. ``address``: the setting ``cluster.address``. ``at``: the time of its arrival."""

    replica: str
    at: float
    is_online: bool = False
    leads: bool = False
    address: str | None = None
    cameras: frozenset[str] = frozenset()


def ignore(_state: ReplicaState) -> None:
    """Ignore a message."""


class ClusterListener:
    """A connection that reads the state of every replica. ``notice`` is called on its thread with each message."""

    def __init__(self, broker: Broker, base: str, notice: Callable[[ReplicaState], None] = ignore) -> None:
        self._notice = notice
        self._lock = threading.Lock()
        self._states: dict[str, ReplicaState] = {}
        filters = [(f"{base}/bridge/replica/+", 1)]
        self._connection = Connection(broker, f"cluster-{secrets.token_hex(4)}", filters=filters, receive=self._receive)

    def __enter__(self) -> ClusterListener:
        self._connection.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def state_at(self, address: str) -> ReplicaState | None:
        """Return the newest state of the replica with this address, or None if it never was online."""
        with self._lock:
            return next((state for state in self._states.values() if state.address == address), None)

    @property
    def owners(self) -> Mapping[str, str | None]:
        """The address of the replica that owns a camera, by camera."""
        with self._lock:
            states = sorted(self._states.values(), key=lambda state: state.at)
        return {camera: state.address for state in states if state.is_online for camera in state.cameras}

    def _receive(self, topic: str, payload: bytes, _correlation: bytes | None) -> None:
        state = read_state(topic.rpartition("/")[2], payload, time.monotonic())
        with self._lock:
            if state.address is None and state.replica in self._states:
                state = ReplicaState(state.replica, state.at, address=self._states[state.replica].address)
            self._states[state.replica] = state
        self._notice(state)


def read_state(replica: str, payload: bytes, at: float) -> ReplicaState:
    """Return the state in a message. A replica whose message is cleared or invalid counts as offline."""
    try:
        document = json.loads(payload)
        if document["state"] != "online":
            return ReplicaState(replica, at, address=document.get("address"))
        cameras = frozenset(document["cameras"])
        return ReplicaState(replica, at, True, bool(document["leader"]), document["address"], cameras)
    except (ValueError, KeyError, TypeError):
        return ReplicaState(replica, at)
