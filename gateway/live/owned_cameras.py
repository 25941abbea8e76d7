"""The cameras that this gateway follows. A single gateway follows every camera, a replica only its own ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection


class OwnedCameras:
    """The cameras of this gateway. Safe to use from any thread.

    ``shared``: replicas share the cameras.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._lock = threading.Lock()
        self._names: frozenset[str] | None = frozenset() if shared else None
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call the function after each time that there are more cameras. It must not wait."""
        self._listeners.append(listener)

    @property
    def names(self) -> frozenset[str] | None:
        """The names of the cameras; None for all cameras."""
        return self._names

    def owns(self, camera: str) -> bool:
        """Return whether the frames of a camera are followed here."""
        names = self._names
        return names is None or camera in names

    def add(self, cameras: Collection[str]) -> None:
        """Follow these cameras too."""
        with self._lock:
            self._names = None if self._names is None else self._names.union(cameras)
        for listener in self._listeners:
            listener()

    def remove(self, cameras: Collection[str]) -> None:
        """Follow these cameras no more."""
        with self._lock:
            self._names = None if self._names is None else self._names.difference(cameras)
