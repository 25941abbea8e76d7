"""The places and the pictures of the benchmark."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KNOWN_FACES = ROOT / "known_faces"
PICTURES = sorted((ROOT / "device_sim" / "frames").glob("*.jpg"))
"""The pictures that all clients send in turn: of known people, of strangers, and one without a face."""
