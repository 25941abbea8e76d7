"""How the gateway is, in one object that every door shows in its own way."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.people.folder.importer import ImportProgress


@dataclass(frozen=True, slots=True)
class MqttHealth:
    """``alive``: its threads are at work, connected or not; ``loopback``: a message to ourselves came round lately, by
    the connection that stands.
    """

    alive: bool
    connected: bool
    loopback: bool


@dataclass(frozen=True, slots=True)
class Health:
    """``workers_ready`` of ``workers`` are alive and loaded; ``workers_maintained``: whoever replaces them is at work;
    ``store``: it would let a change in. ``warnings``: sentences about what works but needs a person's attention.
    """

    mqtt: MqttHealth
    workers_ready: int
    workers: int
    workers_maintained: bool
    store: bool
    known_faces: ImportProgress
    warnings: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        """Restart me if not. A broker that is away is no reason."""
        return self.mqtt.alive and self.workers_maintained

    @property
    def ready(self) -> bool:
        """Send me work."""
        mqtt = self.mqtt.connected and self.mqtt.loopback
        return self.live and mqtt and self.workers_ready > 0 and self.store and self.known_faces.finished
