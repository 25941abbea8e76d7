"""The engines of the benchmarks, opened as in the gateway."""

from __future__ import annotations

from pathlib import Path

from gateway.model import DetectionMethod, EngineName, PictureLimits
from gateway.vision.engine import Engine
from gateway.vision.engines.conversion import convert, converted_models_folder
from gateway.vision.engines.options import EngineOptions
from gateway.vision.engines.registry import open_engine

ROOT = Path(__file__).resolve().parent.parent
LIMITS = PictureLimits()


def engine(name: EngineName = "facegate", method: DetectionMethod = "two-stage") -> Engine:
    """Open an engine. Convert the networks of the gateway's own engine first, if necessary."""
    folder = converted_models_folder(ROOT / "data")
    if name == "facegate":
        convert(folder)
    return open_engine(EngineOptions(name, folder, method=method))
