"""The types of single settings, with their bounds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from gateway.model import Landmarks68

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Days = Annotated[float, Field(gt=0, le=36_500)]
ErrorRate = Annotated[float, Field(ge=1e-4, le=0.5)]
Fraction = Annotated[float, Field(ge=0, le=1)]
"""A number from 0 to 1: a score, a quality, or a coordinate as a share of the picture's width or height."""
FaceSize = Annotated[int, Field(ge=20, le=10_000)]
"""Pixels across a face."""
Corners = Annotated[tuple[tuple[Fraction, Fraction], ...], Field(min_length=3, max_length=64)]
"""The corners of a polygon, each as x and y."""

HOST_NAME = re.compile(r"[^\s:/@?#*,\[\]]+|\[?[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]?")
"""A name or an IP address, without scheme and port."""


def _expand_home(value: object) -> object:
    """Replace ``~`` by the home folder, as a shell does. Raise ValueError for text that is no path."""
    if not isinstance(value, str):
        return value
    if not value:
        raise ValueError("the path is empty: name a file or a folder")
    if "\0" in value:
        raise ValueError("the path contains a NUL character: name a file or a folder")
    if not value.startswith("~"):
        return value
    try:
        return Path(value).expanduser()
    except RuntimeError:
        home = value.split("/")[0]
        raise ValueError(
            f"{home} is the home folder of a user who does not exist: write ./{home} for a folder of that name"
        ) from None


FilePath = Annotated[Path, BeforeValidator(_expand_home)]

_BOOL = TypeAdapter(bool)


def _read_truth_value(value: object) -> object:
    """Return ``mesh`` for true and ``off`` for false. Other values are returned as they are."""
    # The setting was true or false in the past. YAML also reads the word off as false.
    try:
        return "mesh" if _BOOL.validate_python(value) else "off"
    except ValidationError:
        return value


Landmarks68Setting = Annotated[Landmarks68, BeforeValidator(_read_truth_value)]
