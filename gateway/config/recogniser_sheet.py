"""The description of a recogniser: a YAML file beside the network, as ``arcface.yaml`` beside ``arcface.onnx``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError

from gateway.config.messages import describe_problems
from gateway.config.section import Section
from gateway.errors import ConfigError
from gateway.files.yaml_file import read_yaml
from gateway.model.recipes import MAX_DIMENSIONS


def _for_each_colour(value: object) -> object:
    """Return three equal numbers for one number."""
    return (value, value, value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Colours = Annotated[
    tuple[Annotated[float, Field(ge=-1000, le=1000)], ...],
    BeforeValidator(_for_each_colour),
    Field(min_length=3, max_length=3),
]
"""A number for each colour, in the order of ``colour``; in the file one number stands for three equal ones."""

Scales = Annotated[
    tuple[Annotated[float, Field(ge=1e-3, le=1000)], ...],
    BeforeValidator(_for_each_colour),
    Field(min_length=3, max_length=3),
]


class RecogniserSheet(Section):
    """The description of a recogniser. The network gets (x - mean) / scale for each value x from 0 to 255."""

    name: str = Field(min_length=1, max_length=100)
    licence: str = Field(min_length=1, max_length=200)
    dimensions: int = Field(ge=2, le=MAX_DIMENSIONS)
    input: int = Field(ge=32, le=512)
    alignment: Literal["dlib", "arcface"]
    padding: float = Field(default=0.25, ge=0, le=0.4)
    colour: Literal["rgb", "bgr"]
    mean: Colours
    scale: Scales


def sheet_path(network: Path) -> Path:
    """Return the path of the description of a network."""
    return network.with_suffix(".yaml")


def read_sheet(network: Path) -> RecogniserSheet:
    """Read the description beside a network. Raise ConfigError, which names the file and the bad key."""
    path = sheet_path(network)
    if not path.exists():
        raise ConfigError(
            f"recogniser: {network} needs its description in {path}, which is missing"
            " (docs/how-to/use-another-recogniser.md has examples)."
        )
    content = read_yaml(path)
    try:
        return RecogniserSheet(**content)
    except ValidationError as error:
        raise ConfigError(describe_problems(error, path)) from None
