"""The parts of the gateway that depend on its place among others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.integrations.homeassistant.wiring import HomeAssistant
from gateway.live.service import LiveService
from gateway.live.switches import Switches
from gateway.mqtt.announcements.announcer import MqttAnnouncer
from gateway.mqtt.interface import MqttInterface
from gateway.people.services import PeopleServices
from gateway.workers.pool import Pool


@dataclass(frozen=True, slots=True)
class JoinedParts:
    """These parts. ``live``: None if no camera is followed. ``on_fatal``: gets an error that ends the gateway."""

    people: PeopleServices
    pool: Pool
    live: LiveService | None
    switches: Switches
    mqtt: MqttInterface
    announcer: MqttAnnouncer
    homeassistant: HomeAssistant
    on_fatal: Callable[[GatewayError], None]
