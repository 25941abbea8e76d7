"""The sources of pictures beside MQTT: Frigate, and the cameras of ``inputs.pull``."""

from __future__ import annotations

from collections.abc import Callable

from gateway.config import Settings
from gateway.integrations.frigate.integration import FrigateIntegration
from gateway.integrations.frigate.name_news import NameNews
from gateway.integrations.frigate.source_rules import SourceRules
from gateway.integrations.inputs.pulled_cameras import PulledCameras
from gateway.live.frame_sources import FrameSources, claiming
from gateway.live.owned_cameras import OwnedCameras
from gateway.metrics import Metrics
from gateway.model.geometry import UPRIGHT
from gateway.model.subscriptions import Subscription
from gateway.service.service import Submit


class PictureSources:
    """All these sources, and the rule that each camera has one of them.

    ``submit``: of the service. ``is_followed``: returns whether a camera is switched on. ``note_alive``: is called
    with a camera that works but has no frames. ``owned``: the cameras that this gateway follows. ``add_camera``: is
    called with each camera that has pictures, which another gateway may have to follow. Raises ConfigError.
    """

    def __init__(
        self,
        settings: Settings,
        submit: Submit,
        is_followed: Callable[[str], bool],
        note_alive: Callable[[str], None],
        name_news: NameNews,
        metrics: Metrics,
        owned: OwnedCameras,
        add_camera: Callable[[str], None],
    ) -> None:
        self._sources = FrameSources()
        self.submit_frame: Submit = claiming(submit, self._sources)
        """``submit`` for frames of the cameras themselves, which come before those of Frigate."""
        self._pulled = PulledCameras(
            settings, self.submit_frame, lambda camera: owned.owns(camera) and is_followed(camera)
        )
        self._frigate = FrigateIntegration(
            settings.frigate,
            submit,
            SourceRules(
                owned.owns,
                self._sources.claim,
                lambda camera: settings.search_of(camera).mounting == UPRIGHT,
                note_alive,
                add_camera,
            ),
            name_news,
            metrics,
            max_bytes=settings.limits.bytes,
        )
        owned.listen(self._frigate.wake)

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The topics of other programs that are read."""
        return self._frigate.subscriptions

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about sources that give no pictures, and about cameras with two sources."""
        return (*self._pulled.warnings, *self._frigate.warnings, *self._sources.warnings)

    def start(self) -> None:
        self._frigate.start()
        self._pulled.start()

    def stop(self) -> None:
        """Ask for no further picture, and submit none."""
        self._pulled.stop()
        self._frigate.stop()
