"""What a worker process is told on its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.model import PictureLimits
from gateway.vision.engines.options import EngineOptions


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    engine: EngineOptions
    limits: PictureLimits

    def write(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def read(cls, words: str) -> WorkerOptions:
        fields = json.loads(words)
        engine = fields.pop("engine")
        limits = PictureLimits(**fields.pop("limits"))
        models = engine["models"] and Path(engine["models"])
        return cls(EngineOptions(**engine | {"models": models}), limits, **fields)
