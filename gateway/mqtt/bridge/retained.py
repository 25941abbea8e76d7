"""Which retained messages the gateway has published, so that none outlives its truth."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection
from pathlib import Path

from gateway.files.small_file import read_kept, replace_text
from gateway.mqtt.codec.topics import PUBLISHABLE

MAX_BYTES = 1_000_000


class RetainedTopics:
    """Kept in a file, and written down before anything is published: after a kill -9, or with another ``mqtt.base``,
    the next run finds what this one left standing. The last will speaks for one topic only.

    Raises StartError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        loss = "what an earlier run left standing on other topics is not cleared (mqtt.base)"
        kept = read_kept(path, _parse, max_bytes=MAX_BYTES, loss=loss)
        self.warnings = kept.warnings
        self._topics = kept.value or set()

    def add(self, *topics: str) -> None:
        self._keep(self._topics | set(topics))

    def left_behind(self, now: Collection[str]) -> list[str]:
        """Those of an earlier run which are none of what stands now; to be cleared, then ``remove``."""
        return sorted(self._topics - set(now))

    def remove(self, topic: str) -> None:
        self._keep(self._topics - {topic})

    def _keep(self, topics: set[str]) -> None:
        if topics == self._topics:
            return
        self._topics = topics
        with contextlib.suppress(OSError):  # on a full disk the next run has less to clear, and this one goes on
            replace_text(self._path, json.dumps(sorted(topics)))


def _parse(text: str) -> set[str]:
    """Raise ValueError unless all are topics: the broker hangs up on a client that publishes anything else."""
    try:
        topics = json.loads(text)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(topics, list):
        raise ValueError("it is not a list of topics")
    for topic in topics:
        if not isinstance(topic, str) or not PUBLISHABLE.fullmatch(topic):
            raise ValueError("something in it is not a topic")
    return set(topics)
