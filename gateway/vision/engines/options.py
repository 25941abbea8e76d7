"""The options of an engine.

The gateway's main process imports this module, so it must not import the libraries of an engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.model import DescriptorPrecision, DetectionMethod, DetectorPrecision, EngineName
from gateway.vision.windows import ChipWindow


@dataclass(frozen=True, slots=True)
class RecogniserOptions:
    """A recogniser of the user's own, which describes faces in place of the engine's network.

    ``path``: of the network. ``digest``: the SHA-256 of its file, in hexadecimal digits. ``recipe``: of its
    descriptors. ``window``: the part of a face that it looks at. ``bgr``: its colours are in the order blue, green,
    red. ``mean``, ``scale``: for each colour, in the network's order; the network gets (x - mean) / scale.
    """

    path: Path
    digest: str
    recipe: str
    window: ChipWindow
    bgr: bool
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> RecogniserOptions:
        """Return the options from the fields of their JSON."""
        window, path = ChipWindow(**fields.pop("window")), Path(fields.pop("path"))
        mean, scale = tuple(fields.pop("mean")), tuple(fields.pop("scale"))
        return cls(path=path, window=window, mean=mean, scale=scale, **fields)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The options of an engine.

    ``models``: the folder of the converted networks, if the engine needs them. ``recogniser``: the network that
    describes faces; None for the engine's own. ``dlib_68``: 68 landmarks come from dlib's model, not from the mesh.
    """

    name: EngineName
    models: Path | None = None
    detector: DetectorPrecision = "auto"
    descriptor: DescriptorPrecision = "auto"
    recogniser: RecogniserOptions | None = None
    method: DetectionMethod = "two-stage"
    dlib_68: bool = False
