"""The present names of people in a document that was made earlier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def use_names(value: Any, names: Mapping[str, str]) -> Any:
    """Return a document, or a part of one, with other names of people. ``names``: by their ids.

    In every document, the name of a person stands under ``name`` beside the id under ``person``.
    """
    if isinstance(value, Mapping):
        used = {key: use_names(each, names) for key, each in value.items()}
        return {**used, "name": names[used["person"]]} if "name" in used and used.get("person") in names else used
    if isinstance(value, list | tuple):
        return [use_names(each, names) for each in value]
    return value
