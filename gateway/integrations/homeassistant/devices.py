"""The devices of Home Assistant, as MQTT discovery describes them: the gateway, a camera, a person.

Home Assistant rejects a whole device for one unknown key at its root, in ``device`` or in ``origin``. So these
documents carry no ``schema``, and all keys are written out.
"""

from __future__ import annotations

from typing import get_args

from gateway import __version__
from gateway.contract.base import Document
from gateway.integrations.homeassistant.names import GATEWAY, Domain, Names, camera_device, display_name, person_device
from gateway.model import Person
from gateway.model.sightings import EventType

MAX_STATE = 255
"""Characters of a state. Home Assistant refuses a longer one."""

_ON = "{{{{ 'ON' if {} else 'OFF' }}}}"
_TIME = "{{{{ value_json.{0} | as_datetime if value_json.{0} else None }}}}"
"""A time of our documents, in seconds since 1970, as Home Assistant reads it. ``None`` means unknown."""


class _Device:
    """A device that is described entity by entity. ``words``: the beginning of the ids of its entities."""

    def __init__(self, names: Names, device: str, *words: str) -> None:
        self._names = names
        self._device = device
        self._words = words
        self._components: dict[str, Document] = {}

    def add(self, domain: Domain, key: str, name: str, **fields: object) -> None:
        """Add an entity. ``name``: behind the name of the device."""
        self._components[key] = {
            "platform": domain,
            "unique_id": f"{self._names.identifier(self._device)}_{key}",
            "default_entity_id": self._names.entity_id(domain, *self._words, key),
            "name": name,
            "qos": 1,
            **fields,
        }

    def leave_out(self, domain: Domain, key: str) -> None:
        """Remove an entity that an earlier description may have had."""
        # An entity that is only missing would stay, as unavailable.
        self._components[key] = {"platform": domain}

    def describe(self, name: str, model: str, **fields: object) -> Document:
        """Return the description of the device."""
        return {
            "device": {
                "identifiers": [self._names.identifier(self._device)],
                "name": name,
                "manufacturer": "Facegate",
                "model": model,
                **fields,
            },
            "origin": {"name": "Facegate", "sw_version": __version__},
            "availability": [{"topic": f"{self._names.base}/bridge/state", "value_template": "{{ value_json.state }}"}],
            "components": self._components,
        }


def describe_gateway(names: Names) -> Document:
    """Return the device of the gateway, through which all others are reached."""
    device, bridge = _Device(names, GATEWAY), f"{names.base}/bridge"
    health = f"{bridge}/health"
    device.add(
        "binary_sensor",
        "health",
        "Health",
        state_topic=health,
        value_template=_ON.format("value_json.warnings or value_json.status != 'ready'"),
        json_attributes_topic=health,
        device_class="problem",
        entity_category="diagnostic",
    )
    device.add(
        "sensor",
        "known_people",
        "Known people",
        state_topic=health,
        value_template="{{ value_json.known_faces.people }}",
        state_class="measurement",
        icon="mdi:account-group",
    )
    device.add(
        "sensor",
        "strangers",
        "Strangers to name",
        state_topic=health,
        value_template="{{ value_json.unknowns }}",
        state_class="measurement",
        icon="mdi:account-question",
    )
    _add_switch(device, bridge, "Recognition on all cameras")
    return device.describe("Facegate", "Gateway", sw_version=__version__)


def describe_camera(names: Names, camera: str, *, snapshot: bool) -> Document:
    """Return the device of a camera. ``snapshot``: the picture of the last sighting is published."""
    device, topic = _Device(names, camera_device(camera), camera), f"{names.base}/{camera}"
    _add_people(device, f"{topic}/present")
    device.add(
        "event",
        "sighting",
        "Sighting",
        state_topic=f"{topic}/event",
        event_types=list(get_args(EventType)),
        icon="mdi:motion-sensor",
    )
    if snapshot:
        device.add(
            "image", "last_sighting", "Last sighting", image_topic=f"{topic}/snapshot", content_type="image/jpeg"
        )
    else:
        device.leave_out("image", "last_sighting")
    _add_switch(device, topic, "Recognition")
    _add_connection(device, f"{topic}/state")
    return device.describe(display_name(camera), "Camera", via_device=names.identifier(GATEWAY))


def describe_person(names: Names, person: Person) -> Document:
    """Return the device of an enrolled person. Its ids do not change when the person is renamed."""
    device, topic = _Device(names, person_device(person.slug), person.slug), f"{names.base}/bridge/person/{person.slug}"
    device.add(
        "sensor",
        "last_seen",
        "Last seen",
        state_topic=topic,
        value_template=_TIME.format("last_seen"),
        device_class="timestamp",
    )
    device.add(
        "sensor", "camera", "Camera", state_topic=topic, value_template="{{ value_json.camera }}", icon="mdi:cctv"
    )
    device.add(
        "binary_sensor",
        "present",
        "Present",
        state_topic=topic,
        value_template=_ON.format("value_json.present"),
        json_attributes_topic=topic,
        device_class="occupancy",
    )
    return device.describe(person.name, "Person", via_device=names.identifier(GATEWAY))


def _add_people(device: _Device, topic: str) -> None:
    """Add the people on a camera: their names, whether there is somebody, and whether there is a stranger."""
    device.add(
        "sensor",
        "who",
        "Who",
        state_topic=topic,
        value_template=f"{{{{ value_json.text[:{MAX_STATE}] }}}}",
        json_attributes_topic=topic,
        icon="mdi:account",
    )
    device.add(
        "binary_sensor",
        "someone",
        "Someone",
        state_topic=topic,
        value_template=_ON.format("value_json.count"),
        device_class="occupancy",
    )
    device.add(
        "binary_sensor",
        "stranger",
        "Stranger",
        state_topic=topic,
        value_template=_ON.format("value_json.strangers"),
        device_class="occupancy",
        icon="mdi:account-question",
    )


def _add_switch(device: _Device, topic: str, name: str) -> None:
    device.add(
        "switch",
        "recognition",
        name,
        state_topic=f"{topic}/enabled/state",
        command_topic=f"{topic}/enabled/set",
        icon="mdi:face-recognition",
    )


def _add_connection(device: _Device, topic: str) -> None:
    """Add the state of the connection to a camera: ``nobody`` of a dead camera is false safety."""
    device.add(
        "binary_sensor",
        "connected",
        "Connected",
        state_topic=topic,
        value_template=_ON.format("value_json.connected"),
        device_class="connectivity",
        entity_category="diagnostic",
    )
    device.add(
        "sensor",
        "last_frame",
        "Last frame",
        state_topic=topic,
        value_template=_TIME.format("last_frame"),
        device_class="timestamp",
        entity_category="diagnostic",
    )
