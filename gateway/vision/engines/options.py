"""The options of an engine.

The gateway's main process imports this module, so it must not import the libraries of an engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.model import DescriptorPrecision, DetectorPrecision, EngineName


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The options of an engine. ``models``: the folder of the converted networks, if the engine needs them."""

    name: EngineName
    models: Path | None = None
    detector: DetectorPrecision = "auto"
    descriptor: DescriptorPrecision = "auto"
