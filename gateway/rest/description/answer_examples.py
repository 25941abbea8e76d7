"""Answers of a real gateway as examples. ``python -m tests.record_examples`` records them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

EXAMPLES_FILE = Path(__file__).with_name("answer_examples.json")


@cache
def answer_examples() -> dict[str, Any]:
    """Return the examples by the names of the routes."""
    examples: dict[str, Any] = json.loads(EXAMPLES_FILE.read_text())
    return examples
