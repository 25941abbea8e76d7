"""The journal of topics: those with retained messages of the gateway, so that a later run can clear them.

The file has a line for each addition: a JSON object of owners, each with its topics. A line is appended, so that a
thousand cameras do not cost a thousand copies of the file. A removal rewrites the file: the topic of a person who was
erased must not stay in it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

from gateway.files.small_file import read_or_set_aside, replace_text
from gateway.mqtt.codec.topics import PUBLISHABLE

BRIDGE: Final = "bridge"
"""The owner of ``bridge/state`` and ``bridge/info``, and of every topic in a file that names no owners."""

LIVE: Final = "live"
"""The owner of the topics of live cameras and of people; in a cluster, only of cameras."""

PEOPLE: Final = "people"
"""The owner of the topics of people, and of the switch for all cameras, in a cluster."""

REPLICA: Final = "replica"
"""The owner of the descriptions of replicas."""

HOMEASSISTANT: Final = "homeassistant"
"""The owner of the topics that describe devices to Home Assistant."""

MAX_BYTES = 100_000_000
"""More than five topics of 150 bytes for each of the 100,000 cameras that the setting live.most_cameras allows."""


class RetainedJournal(Protocol):
    """The retained topics of the gateway and the owner of each. Safe to use from any thread.

    An owner is a part of the gateway that publishes retained messages.
    """

    # An owner clears only its own topics: a topic that it does not know may be a current one of another owner.

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about topics that are lost from the journal of topics."""

    def add(self, owner: str, *topics: str) -> None:
        """Record the topics before anything retained is published on them. A topic belongs to its last owner.

        Raises Busy if they cannot be recorded now.
        """

    def left_behind(self, owner: str, current: Collection[str]) -> list[str]:
        """Return the owner's topics that are not among its current ones, sorted.

        The owner publishes an empty retained message on each, and calls ``remove`` when the broker has it. Raises Busy
        if the topics cannot be read now.
        """

    def belongs_to(self, owner: str, topic: str) -> bool:
        """Return whether the topic is one of the owner's."""

    def remove(self, owner: str, *topics: str) -> None:
        """Forget the topics, whose retained messages are cleared, unless another owner has them now."""

    def release(self, owner: str, *topics: str) -> None:
        """Note that another gateway may record or forget the topics from now on."""


class RetainedTopics:
    """The journal of topics of a gateway that works alone, a file. Implements RetainedJournal.

    Raises StartError if a damaged file cannot be set aside.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        loss = "retained messages of an earlier run on other topics are not cleared (mqtt.base)"
        kept = read_or_set_aside(path, _parse, max_bytes=MAX_BYTES, loss=loss)
        self.warnings = kept.warnings
        self._owners = kept.value or {}
        # The first change of a run rewrites the file: its last line may be torn, and it may have many lines.
        self._may_append = False
        self._saved = True

    def add(self, owner: str, *topics: str) -> None:
        """Record the topics before anything retained is published on them. A topic belongs to its last owner."""
        # The topics are recorded first: after a kill between the two steps, the next run clears a topic that may be
        # empty. In the other order the next run would not know of a message that the broker holds.
        with self._lock:
            added = {topic: owner for topic in topics if self._owners.get(topic) != owner}
            self._owners.update(added)
            if self._may_append and self._saved and added:
                self._append(added)
            elif added or not self._saved:
                self._rewrite()

    def left_behind(self, owner: str, current: Collection[str]) -> list[str]:
        """Return the owner's topics that are not among its current ones, sorted.

        The owner publishes an empty retained message on each, and calls ``remove`` when the broker has it.
        """
        with self._lock:
            return sorted(
                topic for topic, its_owner in self._owners.items() if its_owner == owner and topic not in current
            )

    def belongs_to(self, owner: str, topic: str) -> bool:
        """Return whether the topic is one of the owner's."""
        with self._lock:
            return self._owners.get(topic) == owner

    def remove(self, owner: str, *topics: str) -> None:
        """Forget the topics, whose retained messages are cleared, unless another owner has them now."""
        with self._lock:
            removed = [topic for topic in topics if self._owners.get(topic) == owner]
            for topic in removed:
                del self._owners[topic]
            if removed:
                self._rewrite()

    def release(self, owner: str, *topics: str) -> None:
        """Do nothing: this gateway works alone."""

    def _append(self, added: Mapping[str, str]) -> None:
        try:
            with self._path.open("a") as file:
                file.write(_write_line(added))
        except OSError:
            self._saved = False

    def _rewrite(self) -> None:
        try:
            replace_text(self._path, _write_line(self._owners))
        except OSError:
            # A full disk must not keep the gateway from serving. The next call tries again.
            self._saved = False
        else:
            self._saved = self._may_append = True


def _write_line(owners: Mapping[str, str]) -> str:
    topics: dict[str, list[str]] = {}
    for topic, owner in sorted(owners.items()):
        topics.setdefault(owner, []).append(topic)
    return f"{json.dumps(topics, sort_keys=True)}\n"


def _parse(text: str) -> dict[str, str]:
    """Return the owner of each topic. Raises ValueError unless each line is an object of owners or a list of topics."""
    *lines, last = text.removesuffix("\n").split("\n")
    owners = dict(_read_lines(lines))
    try:
        owners.update(_read_lines([last]))
    except ValueError:
        # A power cut may tear the last line. Its topics had nothing published on them yet.
        if not lines or text.endswith("\n"):
            raise
    return owners


def _read_lines(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        for owner, topics in _read_owners(line).items():
            yield from ((_topic(each), owner) for each in _list(topics))


def _read_owners(line: str) -> Mapping[str, object]:
    try:
        content = json.loads(line)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if isinstance(content, list):
        # Earlier versions wrote a list: only the bridge had retained topics.
        content = {BRIDGE: content}
    if not isinstance(content, dict):
        raise ValueError("expected an object of owners or a list of topics")
    return content


def _list(topics: object) -> list[object]:
    if not isinstance(topics, list):
        raise ValueError("one of its owners has no list of topics")
    return topics


def _topic(value: object) -> str:
    # The broker closes the connection of a client that publishes on anything else.
    if not isinstance(value, str) or not PUBLISHABLE.fullmatch(value):
        raise ValueError("an entry is not a topic")
    return value
