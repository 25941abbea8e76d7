"""Cameras with topics and addresses of their own, through the whole gateway."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
import yaml

from gateway.app import running
from gateway.errors import ConfigError
from gateway.formats.topic_patterns import TopicPattern
from gateway.model.subscriptions import Subscription
from gateway.mqtt import parts
from tests.conftest import settings
from tests.integrations.inputs.http_camera import Handler, http_camera
from tests.support import ROOT, Broker, Client, frame, wait_for

OBAMA = frame("obama_1")
PAGE = (ROOT / "docs" / "how-to" / "use-another-camera.md").read_text()

PAYLOADS = {
    "cams/esp-1/still": OBAMA,
    "cams/esp-2/still": base64.b64encode(OBAMA),
    "cams/esp-3/still": b"data:image/jpeg;base64," + base64.b64encode(OBAMA),
    "cams/esp-4/still": json.dumps({"type": "Buffer", "data": list(OBAMA)}).encode(),
    # ESP32-CAM_MJPEG2SD, with the topic of the page.
    "homeassistant/sensor/ESP-CAM_A1B2C3/still": OBAMA,
    "cams/esp-5/still": json.dumps({"picture": base64.b64encode(OBAMA).decode(), "rssi": -60}).encode(),
}


def snapshot(handler: Handler) -> None:
    handler.send(OBAMA, Content_Type="image/jpeg")


def topic_of_the_page(beginning: str) -> dict[str, str]:
    """Return the first entry of `inputs.topics` in the page whose topic begins so."""
    blocks = (yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    topics: list[dict[str, str]] = [each for block in blocks for each in block["inputs"].get("topics", [])]
    return next(each for each in topics if each["topic"].startswith(beginning))


def test_pictures_of_other_cameras_get_the_answers_of_frames(tmp_path: Path, broker: Broker) -> None:
    with http_camera(snapshot) as camera:
        inputs = {
            "topics": [
                {"topic": "cams/{host}/still", "camera": "{host}"},
                {"topic": "yard/picture", "camera": "yard"},
                topic_of_the_page("homeassistant/sensor/"),
            ],
            "pull": {"pulled": {"url": f"{camera.url}/snapshot.jpg", "every_s": 0.2}},
        }
        configuration = settings(tmp_path / "data", broker, mqtt={"base": "inputs"}, inputs=inputs)
        with running(configuration) as gateway:
            client = Client(broker.port).subscribe("inputs/+/result")
            wait_for(lambda: gateway.health().ready, 60)
            for topic, payload in PAYLOADS.items():
                client.publish(topic, payload)
                result = client.get(60).json
                assert (result["camera"], len(result["faces"])) == (topic.split("/")[-2], 1), result
            client.publish("yard/picture", b"no picture")
            assert client.get().json["code"] == "bad_image"
            client.publish("cams/front door/still", OBAMA)
            wait_for(lambda: any("cams/front door/still" in each for each in gateway.health().warnings))
            client.close()
            assert gateway.live is not None
            wait_for(lambda: any(each.camera == "pulled" and each.connected for each in gateway.live.cameras()))
            camera.answer = lambda handler: handler.send(b"", 404)
            wait_for(lambda: any("pulled cannot be pulled" in each for each in gateway.health().warnings))


def test_topic_that_another_part_reads_is_refused() -> None:
    other = Subscription("frigate/events", lambda _topic, _payload: None)
    with pytest.raises(ConfigError, match=r"frigate/\{kind\} overlaps with frigate/events"):
        parts._check_overlaps([TopicPattern("frigate/{kind}", "{kind}")], [other])
