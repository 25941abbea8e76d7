"""The parts of the integration of Home Assistant, built from the settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from gateway.config import Settings
from gateway.integrations.homeassistant.announcer import DeviceAnnouncer, Publish
from gateway.integrations.homeassistant.births import BIRTH_TOPIC, Births
from gateway.integrations.homeassistant.device_table import DeviceTable
from gateway.integrations.homeassistant.names import Names
from gateway.live.announcer import Announcer
from gateway.model import Person
from gateway.model.subscriptions import Subscription


class HomeAssistant:
    """The integration of Home Assistant. It has no parts if the settings switch it off.

    ``publish``: of retained messages. ``earlier_topics``: the topics on which an earlier run described devices. Its
    cameras keep their devices, also while they send nothing. ``seen_cameras``: those with sightings, which get their
    devices before others. ``repeat``: publishes all descriptions and states again. ``announcers``, ``subscriptions``:
    for the live cameras and for the MQTT interface.
    """

    def __init__(
        self,
        settings: Settings,
        publish: Publish,
        earlier_topics: Collection[str],
        seen_cameras: Collection[str],
        repeat: Callable[[], None],
    ) -> None:
        self._devices: DeviceAnnouncer | None = None
        self._births: Births | None = None
        self.announcers: Sequence[Announcer] = ()
        self.subscriptions: Sequence[Subscription] = ()
        # Without sightings the entities would have no states.
        if settings.homeassistant.enabled and settings.live.enabled:
            self._devices = DeviceAnnouncer(publish, _device_table(settings, earlier_topics, seen_cameras))
            self._births = Births(repeat)
            self.announcers = [self._devices]
            self.subscriptions = [Subscription(BIRTH_TOPIC, self._births.receive)]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about cameras and people without a device."""
        return self._devices.warnings if self._devices is not None else ()

    def start(self, people: Iterable[Person]) -> None:
        """Publish all devices that are known. ``people``: everybody who is enrolled."""
        if self._devices is not None:
            self._devices.start(people)

    def stop(self) -> None:
        if self._births is not None:
            self._births.stop()


def _device_table(settings: Settings, earlier_topics: Collection[str], seen_cameras: Collection[str]) -> DeviceTable:
    names = Names(settings.mqtt.base, settings.homeassistant.prefix)
    earlier_cameras = sorted(filter(None, map(names.read_camera, earlier_topics)))
    return DeviceTable(
        names,
        settings.homeassistant,
        snapshot=settings.live.snapshot != "off",
        # Any client of the broker can name a camera, and the number of devices is bounded.
        first_cameras=[*sorted(settings.configured_cameras), *sorted(seen_cameras), *earlier_cameras],
    )
