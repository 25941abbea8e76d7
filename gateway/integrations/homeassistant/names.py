"""The names of one gateway in Home Assistant: discovery topics, ids of devices and entities."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from gateway.model import CAMERA_NAME

Domain = Literal["binary_sensor", "event", "image", "sensor", "switch"]
"""A kind of entity in Home Assistant."""

GATEWAY = "gateway"
"""The device of the gateway itself. The others begin with ``camera_`` or ``person_``."""

_NOT_IN_ENTITY_ID = re.compile(r"[^a-z0-9]+")


def camera_device(camera: str) -> str:
    """Return the device of a camera. A person and a camera of one name are two devices."""
    return f"camera_{camera}"


def person_device(slug: str) -> str:
    """Return the device of a person, whose id never changes."""
    return f"person_{slug}"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one gateway. ``base``: the setting ``mqtt.base``; ``prefix``: ``homeassistant.prefix``."""

    base: str
    prefix: str = "homeassistant"

    @property
    def node(self) -> str:
        """A name for the base topic without slashes, different for each base topic."""
        if "/" not in self.base:
            return self.base
        # The bases a/b and a_b must not share their devices.
        return f"{self.base.replace('/', '_')}_{hashlib.sha256(self.base.encode()).hexdigest()[:6]}"

    def topic(self, device: str) -> str:
        """Return the topic of a device's description."""
        return f"{self.prefix}/device/{self.node}/{device}/config"

    def identifier(self, device: str) -> str:
        """Return the id by which Home Assistant knows a device, among those of all programs on the broker."""
        return f"facegate_{self.node}_{device}"

    def entity_id(self, domain: Domain, *words: str) -> str:
        """Return the id that Home Assistant gives to a new entity, unless another entity has it."""
        return f"{domain}.{_NOT_IN_ENTITY_ID.sub('_', '_'.join([self.base, *words]).lower())}"

    def read_camera(self, topic: str) -> str | None:
        """Return the camera of a device's topic, also of another prefix. Return None for other devices."""
        *_, node, device, _config = topic.split("/") if topic.count("/") >= 3 else ["", "", ""]
        camera = device.removeprefix("camera_")
        return camera if node == self.node and camera != device and CAMERA_NAME.fullmatch(camera) else None


def display_name(camera: str) -> str:
    """Return a camera's name as people write it: ``back_yard`` as ``Back yard``."""
    words = " ".join(camera.replace("_", " ").replace("-", " ").split())
    return words[:1].upper() + words[1:] if words else camera
