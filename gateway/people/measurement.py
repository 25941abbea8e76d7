"""The measurement that a recipe's descriptors are compared with: curves and typical faces.

Those of dlib's network are part of the gateway. Those of a recogniser of the user's own are a file in the data folder,
which ``facegate calibrate --pictures FOLDER --write`` makes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gateway.errors import StartError
from gateway.files.small_file import replace_text
from gateway.model.recipes import dimensions_of
from gateway.people.curves import Curves, measured_curves, read_curves
from gateway.people.similarity import Similarity, Vectors, typical_faces
from gateway.vision.engines.registry import EngineEntry

COMMAND = "facegate calibrate --pictures FOLDER --write"
"""The command that makes the file of a recogniser."""


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """The curves and the typical faces of a recipe. ``typical``: float32, (k, d), or None for the plain cosine."""

    recipe: str
    curves: Curves
    typical: Vectors | None

    def similarity(self) -> Similarity:
        return Similarity(self.typical, dimensions_of(self.recipe))


def engine_measurement(entry: EngineEntry) -> Measurement:
    """Return the measurement of an engine's own network."""
    typical = typical_faces() if entry.has_typical_faces else None
    return Measurement(entry.recipe, measured_curves(entry.curves), typical)


def measurement_path(data: Path, recipe: str) -> Path:
    """Return the file with the measurement of a recogniser."""
    return data / "recognisers" / f"{recipe.split('/')[1]}.json"


def write_measurement(
    data: Path, recipe: str, name: str, measured: str, curves: Any, typical: Vectors, same_cosine: float | None = None
) -> Path:
    """Write the measurement of a recogniser, and return the path of the file. Raise OSError.

    ``name``: of the recogniser. ``measured``: the pictures that were measured, for people who read the file.
    ``same_cosine``: as in ``Curves``.
    """
    path = measurement_path(data, recipe)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {
        "recipe": recipe,
        "name": name,
        "measured": measured,
        "curves": curves,
        "same_cosine": same_cosine,
        "typical": typical.tolist(),
    }
    replace_text(path, json.dumps(content))
    return path


def read_measurement(data: Path, recipe: str, network: Path) -> Measurement:
    """Read the measurement of a recogniser. ``network``: its file. Raise StartError if there is none."""
    path = measurement_path(data, recipe)
    try:
        content = json.loads(path.read_bytes())
        typical = np.array(content["typical"], np.float32).reshape(-1, dimensions_of(recipe))
        # A file of an earlier version has no such field.
        curves = read_curves(content["curves"], content.get("same_cosine"))
        return Measurement(recipe, curves, typical if len(typical) else None)
    except FileNotFoundError:
        raise StartError(
            f"The recogniser {network} has no measured curves yet, or it or its description was changed: run"
            f" `{COMMAND}` with labelled pictures, or remove the setting recogniser."
        ) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StartError(f"The curves in {path} cannot be read ({error}): run `{COMMAND}` again.") from None
