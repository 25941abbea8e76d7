"""The integration of Home Assistant, as the settings build it."""

from __future__ import annotations

from pathlib import Path

from gateway.config import Settings
from gateway.integrations.homeassistant.wiring import HomeAssistant


def test_made_up_cameras_of_an_earlier_run_take_no_place_of_a_real_one(tmp_path: Path) -> None:
    """Regression: the devices of an earlier run came in alphabetical order before a camera with sightings."""
    published: list[str] = []

    def publish(topic: str, payload: bytes) -> None:
        published.append(topic)

    settings = Settings(data=tmp_path, cameras={"yard": {}}, homeassistant={"most_cameras": 3})
    flood = [f"homeassistant/device/facegate/camera_a{n}/config" for n in range(10)]
    homeassistant = HomeAssistant(settings, publish, flood, {"porch"}, lambda: None)
    homeassistant.start([])
    devices = [topic.split("/")[-2] for topic in published]
    assert devices == ["gateway", "camera_yard", "camera_porch", "camera_a0"]
