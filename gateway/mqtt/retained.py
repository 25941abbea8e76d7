"""The journal of the topics on which the gateway has left retained messages, so that a later run can clear them."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from gateway.files.small_file import read_or_set_aside, replace_text
from gateway.mqtt.codec.topics import PUBLISHABLE

BRIDGE: Final = "bridge"
"""The owner of ``bridge/state`` and ``bridge/info``, and of every topic in a file that names no owners."""

MAX_BYTES = 1_000_000

Owners = Mapping[str, str]
"""The owner of each topic."""


class RetainedTopics:
    """The retained topics of the gateway and the owner of each. Safe to use from any thread.

    An owner is a part of the gateway that publishes retained messages. Raises StartError if a damaged file cannot be
    set aside.
    """

    # An owner clears only its own topics: a topic that it does not know may be a current one of another owner.

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        loss = "retained messages of an earlier run on other topics are not cleared (mqtt.base)"
        kept = read_or_set_aside(path, _parse, max_bytes=MAX_BYTES, loss=loss)
        self.warnings = kept.warnings
        self._owners: Owners = kept.value or {}
        self._saved = True

    def add(self, owner: str, *topics: str) -> None:
        """Record the topics before anything retained is published on them. A topic belongs to its last owner."""
        # The topics are recorded first: after a kill between the two steps, the next run clears a topic that may be
        # empty. In the other order the next run would not know of a message that the broker holds.
        with self._lock:
            self._replace({**self._owners, **dict.fromkeys(topics, owner)})

    def left_behind(self, owner: str, current: Collection[str]) -> list[str]:
        """Return the owner's topics of earlier runs that are not among its current ones, sorted.

        The owner publishes an empty retained message on each, and calls ``remove`` when the broker has it.
        """
        with self._lock:
            return sorted(
                topic for topic, its_owner in self._owners.items() if its_owner == owner and topic not in current
            )

    def remove(self, owner: str, topic: str) -> None:
        """Forget the topic, whose retained message is cleared, unless another owner has it now."""
        with self._lock:
            if self._owners.get(topic) == owner:
                self._replace({each: its_owner for each, its_owner in self._owners.items() if each != topic})

    def _replace(self, owners: Owners) -> None:
        if owners == self._owners and self._saved:
            return
        self._owners = owners
        try:
            replace_text(self._path, _write(owners))
        except OSError:
            # A full disk must not keep the gateway from serving. The next call tries again.
            self._saved = False
        else:
            self._saved = True


def _write(owners: Owners) -> str:
    topics: dict[str, list[str]] = {}
    for topic, owner in sorted(owners.items()):
        topics.setdefault(owner, []).append(topic)
    return json.dumps(topics, sort_keys=True)


def _parse(text: str) -> Owners:
    """Return the owner of each topic. Raises ValueError unless the text is an object of owners or a list of topics."""
    try:
        content = json.loads(text)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if isinstance(content, list):
        # Earlier versions wrote a list: only the bridge had retained topics.
        content = {BRIDGE: content}
    if not isinstance(content, dict):
        raise ValueError("expected an object of owners or a list of topics")
    return {_topic(each): owner for owner, topics in content.items() for each in _list(topics)}


def _list(topics: object) -> list[object]:
    if not isinstance(topics, list):
        raise ValueError("one of its owners has no list of topics")
    return topics


def _topic(value: object) -> str:
    # The broker closes the connection of a client that publishes on anything else.
    if not isinstance(value, str) or not PUBLISHABLE.fullmatch(value):
        raise ValueError("an entry is not a topic")
    return value
