"""Retained messages over MQTT: requests, and forged states of the gateway.

The broker delivers them again when the gateway connects, so the benchmark restarts the broker now and then.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.hostile.hostile_values import value, write_json
from benchmarks.hostile.inputs import CAMERA, Input, MqttMessage
from benchmarks.hostile.mqtt_inputs import BASE, OTHER_CAMERA
from benchmarks.hostile.mutations import mutate, mutate_picture

REQUEST_IDS = 20
"""Ids of retained requests of each camera. Ever new ids would fill the memory of the broker."""
LARGE_BYTES = 200_000
"""More than the gateway reads of a state."""


@dataclass(frozen=True, slots=True)
class RetainedInputs:
    """The maker of retained messages. ``pictures``: those that are mutated."""

    pictures: Sequence[bytes]

    def request(self, number: int, rng: random.Random) -> Input:
        """Return a request with the retain flag, which is answered when it is published."""
        topic = f"{BASE}/{CAMERA}/request/face_rec/retained-{rng.randrange(REQUEST_IDS)}"
        picture = mutate_picture(rng.choice(self.pictures), rng)
        message = MqttMessage([topic], [picture], retained=True)
        return Input(number, "retained request", "camera", message, picture=True)

    def state(self, number: int, rng: random.Random) -> Input:
        """Return a forged state on a topic that the gateway reads or owns, or that it announces to others."""
        message = MqttMessage([rng.choice(TOPICS)(rng)], [_payload(rng)], retained=True)
        return Input(number, "retained state", "camera", message, answered=False)


def _payload(rng: random.Random) -> bytes:
    """Return a state as a gateway writes it, with hostile values."""
    state: dict[str, Any] = {"state": "online", "instance": f"{rng.getrandbits(48):012x}", "host": value(rng)}
    for name in rng.sample(sorted(state), rng.randrange(len(state) + 1)):
        state[name] = value(rng)
    match rng.randrange(6):
        case 0:
            return b""
        case 1:
            return mutate(json.dumps(state, default=str).encode(errors="replace"), rng)
        case 2:
            return b"[" * LARGE_BYTES
        case 3:
            return rng.choice((b"online", b"offline", b"ON", b"\xff", b"[]", b"null"))
        case _:
            return write_json(state, rng)


def _own(rest: str) -> Callable[[random.Random], str]:
    return lambda rng: f"{BASE}/bridge/{rest}"


def _camera(rest: str) -> Callable[[random.Random], str]:
    return lambda rng: f"{BASE}/{OTHER_CAMERA}{rng.randrange(20)}/{rest}"


TOPICS: Sequence[Callable[[random.Random], str]] = (
    _own("state"),
    _own("info"),
    _own("health"),
    lambda rng: f"{BASE}/bridge/canary/{rng.choice(('0123456789ab', 'x', '..'))}",
    _own("enabled/set"),
    _own("person/guest_1"),
    _own("request/people/list"),
    _camera("enabled/set"),
    _camera("frame"),
    _camera("present"),
    _camera("state"),
    _camera("part/0/2/face_rec/retained"),
    lambda rng: "homeassistant/status",
    lambda rng: f"homeassistant/sensor/facegate_{rng.randrange(20)}/config",
)
"""Makers of topics on which a retained message is forged."""
