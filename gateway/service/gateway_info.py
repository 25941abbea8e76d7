"""The description of the gateway for ``bridge/info``, and the parts of the health that come from its settings."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from gateway import __version__
from gateway.config import MqttSettings, Settings
from gateway.contract.health import FREE_STEP_BYTES, BridgeInfoDocument, LimitsDocument
from gateway.model.health import BrokerAddress, Disk
from gateway.vision.engines.model_files import digests
from gateway.vision.engines.recogniser import recogniser_digest


def describe_gateway(settings: Settings, instance: str) -> BridgeInfoDocument:
    """Return the description. ``instance``: the id of this gateway."""
    limits = settings.limits
    return BridgeInfoDocument(
        version=__version__,
        host=socket.gethostname(),
        engine=settings.engine,
        operations=[operation.value for operation in settings.operations],
        limits=LimitsDocument(
            bytes=limits.bytes,
            pixels=limits.pixels,
            jpeg_pixels=limits.jpeg_pixels,
            side=limits.side,
            request_s=limits.request_s,
        ),
        models=_model_digests(settings),
        instance=instance,
    )


def _model_digests(settings: Settings) -> dict[str, str]:
    """Return the SHA-256 of each model. A recogniser takes the place of dlib's descriptor network."""
    found: dict[str, str] = {role: digest for role, digest in digests().items()}  # noqa: C416
    if settings.recogniser is not None:
        found["descriptor"] = recogniser_digest(settings.recogniser)
    return found


def broker_address(mqtt: MqttSettings) -> BrokerAddress:
    return BrokerAddress(mqtt.host, mqtt.port, mqtt.base, mqtt.tls.enabled)


class DataDisk:
    """The disk of the data folder. A few bytes more or less are no change of it, wherever its free bytes are.

    The health is announced after each change. So a disk whose free bytes swing around a step, or around the limit for
    ``low``, must not look different each time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: Disk | None = None

    def read(self) -> Disk | None:
        """Return the disk, or None if the folder cannot be reached now. Any thread may call this."""
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError:
            return None
        return self.follow(Disk(usage.free, usage.total))

    def follow(self, disk: Disk) -> Disk:
        """Return the disk as it was before, until its free bytes differ by a step of the health document."""
        last = self._last
        if last is None or last.total != disk.total or abs(last.free - disk.free) >= FREE_STEP_BYTES:
            self._last = last = disk
        return last
