"""Warnings about searches for other gateways that end without a result, so that this gateway cannot serve."""

from __future__ import annotations

import logging
from collections.abc import Iterator

log = logging.getLogger(__name__)

# One such search is usual where two gateways start together.
MAX_CLAIMED_SEARCHES = 3
"""Searches in a row that end with a claim of another gateway before there is a warning."""


class SearchWarnings:
    """The warnings of the last search. Each is logged when it is new.

    ``own_topic``: the gateway's loopback topic. ``all_topics``: the beginning of the loopback topics of all gateways.
    """

    def __init__(self, own_topic: str, all_topics: str) -> None:
        self._own_topic = own_topic
        self._all_topics = all_topics
        self._claimed_searches = 0
        self.warnings: tuple[str, ...] = ()

    def record_search(self, *, heard: bool, claimed_by: str) -> None:
        """Take the result of a search: whether the own challenge came back, and the instance that claims to serve."""
        self._claimed_searches = self._claimed_searches + 1 if claimed_by else 0
        before, self.warnings = self.warnings, tuple(self._sentences(heard, claimed_by))
        for warning in self.warnings:
            if warning not in before:
                log.warning("%s", warning)

    def _sentences(self, heard: bool, claimed_by: str) -> Iterator[str]:
        if not heard:
            yield (
                "The gateway answers no request on MQTT: it cannot see whether another gateway is running, since its"
                f" own messages on {self._own_topic} do not come back from the broker. Let its login read and write"
                " this topic (docs/how-to/logins-and-tls.md)."
            )
        if self._claimed_searches >= MAX_CLAIMED_SEARCHES:
            yield (
                f"The gateway answers no request on MQTT: another gateway (instance {claimed_by}) has announced"
                " several times that it is about to serve, and does not serve. Stop that gateway. If there is none, let"
                f" no other login write {self._all_topics}# (docs/how-to/logins-and-tls.md)."
            )
