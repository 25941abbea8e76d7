"""The protocol of the state of a store as a whole."""

from __future__ import annotations

from typing import Protocol


class StoreStatus(Protocol):
    """The state of the store as a whole."""

    def is_writable(self) -> bool:
        """Return whether a change would succeed now."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what prevents changes of the store, and what to do."""

    def find_name_warnings(self) -> list[str]:
        """Return sentences about names and ids that older versions accepted, and that new people cannot get."""
