"""What a worker process is told on its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.vision.options import EngineOptions


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """``picture_s``: the seconds that a picture may take."""

    engine: EngineOptions
    max_pixels: int
    picture_s: float

    def write(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def read(cls, words: str) -> WorkerOptions:
        fields = json.loads(words)
        engine = fields.pop("engine")
        return cls(engine=EngineOptions(**engine | {"models": engine["models"] and Path(engine["models"])}), **fields)
