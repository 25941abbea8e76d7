"""How the gateway is, in one object that every door shows in its own way."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.people.known_faces import Progress


@dataclass(frozen=True, slots=True)
class Health:
    """``ready``: send me work. ``workers_ready`` of ``workers`` are alive and loaded."""

    broker: bool
    workers_ready: int
    workers: int
    known_faces: Progress

    @property
    def ready(self) -> bool:
        return self.broker and self.workers_ready > 0 and self.known_faces.finished
