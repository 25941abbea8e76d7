"""The Frigate servers of the settings: each has a follower of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future

from gateway.config.frigate_section import FrigateSettings
from gateway.integrations.frigate.follower import Follower
from gateway.integrations.frigate.name_news import NameNews
from gateway.integrations.frigate.server import FrigateServer
from gateway.integrations.frigate.source_rules import SourceRules
from gateway.metrics import Metrics
from gateway.model import Reply, Request
from gateway.model.subscriptions import Subscription


class FrigateIntegration:
    """All Frigate servers.

    ``submit``: the service of live cameras. ``name_news``: reports the names of sightings that change. ``max_bytes``:
    the largest picture. Raises ConfigError for a file of the settings that cannot be read.
    """

    def __init__(
        self,
        servers: Mapping[str, FrigateSettings],
        submit: Callable[[Request], Future[Reply]],
        rules: SourceRules,
        name_news: NameNews,
        metrics: Metrics,
        max_bytes: int,
    ) -> None:
        self._followers = [
            Follower(name, settings, FrigateServer(name, settings, max_bytes), submit, rules, metrics)
            for name, settings in servers.items()
        ]
        for each in self._followers:
            name_news.listen(each.note_name)

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The topics of Frigate's messages."""
        return tuple(subscription for each in self._followers for subscription in each.subscriptions)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about refusals of Frigate within the last hour."""
        return tuple(sentence for each in self._followers for sentence in each.refusals.warnings)

    def start(self) -> None:
        for each in self._followers:
            each.start()

    def wake(self) -> None:
        """Look for pictures that are due: this gateway follows more cameras now."""
        for each in self._followers:
            each.wake()

    def stop(self) -> None:
        for each in self._followers:
            each.stop()
