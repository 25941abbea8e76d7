"""An event of the stream, and its document with the present names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.contract.base import WireModel, dump
from gateway.contract.events import EventKind
from gateway.contract.names import use_names


def always() -> bool:
    """Return True: such an event stays valid."""
    return True


FindName = Callable[[str], str | None]
"""Returns the present name of a person, by the id, or None if nobody with this id is enrolled."""


@dataclass(eq=False, slots=True)
class Entry:
    """An event. ``people``: the ids of the people that it names. ``is_valid``: whether a client may still get it.

    ``mark``: the number of the last event, up to this one, that all replicas of the cluster have; 0 without any.
    ``is_shared``: this event is that one.
    """

    number: int
    kind: EventKind
    camera: str | None
    people: frozenset[str]
    _write: Callable[[], WireModel]
    _find_name: FindName
    is_valid: Callable[[], bool] = always
    mark: int = 0
    is_shared: bool = False
    _names: Mapping[str, str] = field(default_factory=dict)
    _data: bytes | None = field(default=None)

    def data(self) -> bytes | None:
        """Return the document with the present names. Return None if it names a person who is not enrolled any more,
        or is not valid any more.

        It is written when the first client reads it, and again after a person got another name.
        """
        names = {slug: name for slug in self.people if (name := self._find_name(slug)) is not None}
        if len(names) < len(self.people) or not self.is_valid():
            return None
        if self._data is None or names != self._names:
            self._names, self._data = names, dump(use_names(self._write().document(), names))
        return self._data
