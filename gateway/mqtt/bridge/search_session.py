"""The MQTT session of a search for other gateways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class SearchSession(Protocol):
    """The MQTT session of a search. After the session ended, ``connected`` stays false."""

    connected: bool

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool) -> None: ...

    def unsubscribe(self, topics: Sequence[str]) -> None: ...
