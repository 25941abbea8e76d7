"""The base of all sections of the configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section that cannot be changed after it was read, and that refuses unknown settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
