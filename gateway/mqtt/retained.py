"""Which retained messages stand on the broker by our doing, so that none outlives its truth."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection
from pathlib import Path


class RetainedTopics:
    """Kept in a file, and written down before anything is published: after a kill -9, or with another ``mqtt.base``,
    the next run finds what this one left standing. The last will speaks for one topic only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._topics: set[str] = set()
        with contextlib.suppress(OSError, ValueError):
            topics = json.loads(path.read_text())
            self._topics = {topic for topic in topics if isinstance(topic, str)} if isinstance(topics, list) else set()

    def add(self, *topics: str) -> None:
        self._keep(self._topics | set(topics))

    def left_behind(self, now: Collection[str]) -> list[str]:
        """Those of an earlier run which are none of what stands now; to be cleared, then ``cleared``."""
        return sorted(self._topics - set(now))

    def cleared(self, topic: str) -> None:
        self._keep(self._topics - {topic})

    def _keep(self, topics: set[str]) -> None:
        if topics == self._topics:
            return
        self._topics = topics
        with contextlib.suppress(OSError):  # on a full disk the next run has less to clear, and this one goes on
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps(sorted(topics)))
            new.replace(self._path)
