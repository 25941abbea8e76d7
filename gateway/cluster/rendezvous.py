"""Rendezvous hashing: which replica should own a camera.

Each replica has a score for each camera, and the camera belongs to the replica with the highest score. All replicas
compute the same owner without asking each other. If a replica is added or removed, only cameras of that replica move.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection


def find_favourite(camera: str, replicas: Collection[str]) -> str | None:
    """Return the replica that should own a camera, or None if there are no replicas."""
    return max(replicas, key=lambda replica: _score(camera, replica), default=None)


def _score(camera: str, replica: str) -> tuple[bytes, str]:
    # Python's own hash differs between processes. Neither name contains a line feed.
    digest = hashlib.blake2b(f"{camera}\n{replica}".encode(), digest_size=8).digest()
    return digest, replica
