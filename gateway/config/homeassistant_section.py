"""The section ``homeassistant``: the devices that Home Assistant shows."""

from __future__ import annotations

from pydantic import Field

from gateway.config.section import Section


class HomeAssistantSettings(Section):
    """``homeassistant``: MQTT discovery, by which Home Assistant makes devices without a line of configuration."""

    enabled: bool = True
    prefix: str = Field(default="homeassistant", pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,3}$")
    most_cameras: int = Field(default=64, ge=0, le=10_000)
    most_people: int = Field(default=200, ge=0, le=10_000)
