"""The unknown groups, as the live cameras use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gateway.model import FoundFace


class FoundGroup(NamedTuple):
    """The unknown group of a stranger. ``seen``: the number of visits; ``ignored``: nobody wants to be told."""

    id: int
    seen: int
    ignored: bool


GroupFound = Callable[[FoundGroup | None], None]

FindGroup = Callable[[FoundFace, str, float, GroupFound], None]
"""Find or begin the unknown group of a face, which a camera saw at a time in seconds since 1970.

Calls the last argument with the group, or with None if there is none, in the thread of the live cameras.
"""
