"""Recipes: the ways in which descriptors are made.

Every stored descriptor has the name of its recipe, and descriptors of two recipes are never compared.
"""

from __future__ import annotations

import re

DLIB_DIMENSIONS = 128
"""Numbers of a descriptor of dlib's network."""

MAX_DIMENSIONS = 4096
"""Largest number of dimensions of a recogniser. Most networks have 128 to 512."""

_NAMED_DIMENSIONS = re.compile(r"recogniser/[0-9a-f]{32}/([1-9][0-9]{0,3})")


def recogniser_recipe(digest: str, dimensions: int) -> str:
    """Return the recipe of a recogniser. ``digest``: hexadecimal, of the file and of the way it gets its pictures."""
    return f"recogniser/{digest[:32]}/{dimensions}"


def is_of_recogniser(recipe: str) -> bool:
    """Return whether this is the recipe of a recogniser of the user's own."""
    return _NAMED_DIMENSIONS.fullmatch(recipe) is not None


def dimensions_of(recipe: str) -> int:
    """Return the number of dimensions of a recipe's descriptors.

    The recipes of dlib's network, and those of stores of every older version, do not name the number: they have 128.
    """
    named = _NAMED_DIMENSIONS.fullmatch(recipe)
    return int(named[1]) if named else DLIB_DIMENSIONS
