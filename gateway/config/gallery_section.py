"""The section ``gallery``: the search among the enrolled people."""

from __future__ import annotations

from pydantic import Field

from gateway.config.section import Section


class GallerySettings(Section):
    """``gallery``: the search among the enrolled people. ``in_memory``: None for a search in memory at any number."""

    in_memory: int | None = Field(default=None, ge=0, le=1_000_000)
