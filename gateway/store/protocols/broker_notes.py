"""The protocol of the part of a store with the notes about the broker that the replicas of a cluster share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class BrokerNotes(Protocol):
    """The topics with retained messages of the cluster, and the time at which its leader last took commands.

    Safe to use from any thread. No method waits for a change of people. Each method raises Busy if the database does
    not answer in time.
    """

    def read_topics(self, owner: str) -> Collection[str]:
        """Return the topics of an owner, in any order."""

    def add_topics(self, owner: str, topics: Collection[str]) -> None:
        """Note the topics of an owner. A topic belongs to its last owner."""

    def remove_topics(self, owner: str, topics: Collection[str]) -> None:
        """Forget topics, unless another owner has them now."""

    def note_commands_taken(self) -> None:
        """Note that the leader takes the commands that come in now."""

    def read_commands_waited_s(self) -> float | None:
        """Return the seconds since ``note_commands_taken``, or None if no leader has ever called it."""

    def get_secret(self) -> bytes:
        """Return the secret of the client ids, or make it. All replicas have the same one, and nobody else knows it."""

    def close(self) -> None:
        """Close the connection. A later call opens another one."""
