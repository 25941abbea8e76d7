"""The options of a worker process, given on its command line as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.model import PictureLimits
from gateway.vision.engines.options import EngineOptions, RecogniserOptions


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """The options of a worker process. ``limits``: the largest picture that is decoded.

    ``confined``: the process may only do what the analysis of pictures needs.
    """

    engine: EngineOptions
    limits: PictureLimits
    confined: bool = True

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> WorkerOptions:
        fields = json.loads(text)
        engine = fields.pop("engine")
        limits = PictureLimits(**fields.pop("limits"))
        models, recogniser = (engine.pop(name) for name in ("models", "recogniser"))
        given = recogniser and RecogniserOptions.from_fields(recogniser)
        return cls(EngineOptions(**engine, models=models and Path(models), recogniser=given), limits, **fields)
