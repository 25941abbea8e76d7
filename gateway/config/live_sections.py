"""The sections about live cameras: ``live``, ``sightings`` and ``ignored``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.field_types import Days, Seconds
from gateway.config.section import Section


class LiveSettings(Section):
    """``live``: how the frames of a stream are followed."""

    enabled: bool = True
    gone_s: Seconds = 5
    full_look_s: Seconds = 60
    unchanged_answer_s: float = Field(default=1, ge=0, le=86_400)
    camera_lost_s: Seconds = 60
    most_cameras: int = Field(default=2_000, ge=1, le=100_000)
    appeared: bool = False
    snapshot: Literal["off", "sent", "retained"] = "sent"


class SightingSettings(Section):
    """``sightings``: when one visit ends and the next begins, and how long sightings are stored."""

    again_s: Seconds = 120
    keep_days: float = Field(default=7, ge=0, le=36_500)
    most: int = Field(default=100_000, ge=1, le=1_000_000)


class IgnoredSettings(Section):
    """``ignored``: unknown groups that nobody wants to be told about."""

    keep_days: Days = 90
    most: int = Field(default=1_000, ge=0, le=100_000)
