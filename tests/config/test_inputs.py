"""The section ``inputs``: topics of other firmware, and cameras that are asked for pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config import load
from gateway.errors import ConfigError

URL = "http://192.168.1.20/snapshot.jpg"


def load_inputs(folder: Path, **inputs: Any) -> Any:
    path = folder / "gateway.yaml"
    path.write_text(json.dumps({"inputs": inputs}))
    return load(path).inputs


def refusal(folder: Path, **inputs: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load_inputs(folder, **inputs)
    return str(caught.value)


def test_topics_are_patterns_of_cameras(tmp_path: Path) -> None:
    inputs = load_inputs(tmp_path, topics=[{"topic": "ha/sensor/{host}/still", "camera": "{host}"}])
    assert inputs.topics[0].pattern.topic_filter == "ha/sensor/+/still"


@pytest.mark.parametrize(
    ("topics", "message"),
    [
        ([("cams/{host}", "porch")], "inputs.topics.0: the camera must repeat each named level"),
        ([("cams/x", "front door")], "'front door' is not the name of a camera"),
        ([("cams/x", "bridge")], "the name bridge is reserved"),
        ([("facegate/x/picture", "x")], "overlaps with the gateway's own topics facegate/…"),
        ([("+/+/still", "x")], "overlaps with the gateway's own topics facegate/…"),
        ([("a/{b}", "{b}"), ("a/c", "c")], "the topics a/+ and a/c overlap"),
    ],
)
def test_wrong_topics_are_refused_with_the_reason(tmp_path: Path, topics: list[tuple[str, str]], message: str) -> None:
    entries = [{"topic": topic, "camera": camera} for topic, camera in topics]
    assert message in refusal(tmp_path, topics=entries)


def test_pulled_camera_has_defaults(tmp_path: Path) -> None:
    porch = load_inputs(tmp_path, pull={"porch": {"url": URL}}).pull["porch"]
    assert (porch.kind, porch.every_s, porch.timeout_s, porch.verify_tls) == ("snapshot", 1, 10, True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "rtsp://192.168.1.20/stream"}, "RTSP needs a program in between"),
        ({"url": "192.168.1.20/snapshot.jpg"}, "expected an address such as"),
        ({"url": "http://ada:secret@camera/"}, "the address contains a login"),
        ({"url": "http://camera/a b"}, "expected an address such as"),
        ({"url": "http://camera:99999/"}, "expected an address such as"),
        ({"url": URL, "user": "ada"}, "user needs password"),
        ({"url": URL, "password": "secret"}, "password needs user"),
        ({"url": URL, "token": "secret", "secret_file": "x"}, "token and secret_file are given"),
        ({"url": URL, "ca": "x", "verify_tls": False}, "no certificate would be checked"),
        ({"url": URL, "every_s": 0}, "expected at least 0.05"),
        ({}, "inputs.pull.porch.url: this key is missing"),
    ],
)
def test_wrong_pulled_camera_is_refused_with_the_reason(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    found = refusal(tmp_path, pull={"porch": settings})
    assert message in found
    assert "secret" not in found.replace("secret_file", "")


def test_camera_has_one_source(tmp_path: Path) -> None:
    topics = [{"topic": "yard/picture", "camera": "yard"}]
    assert "the camera yard has a topic and an address" in refusal(tmp_path, topics=topics, pull={"yard": {"url": URL}})


def test_pulled_camera_needs_live_cameras(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(json.dumps({"live": {"enabled": False}, "inputs": {"pull": {"porch": {"url": URL}}}}))
    with pytest.raises(ConfigError, match=r"inputs\.pull needs live\.enabled: true"):
        load(path)


def test_pulled_camera_needs_a_valid_name(tmp_path: Path) -> None:
    assert "'front door' is not the name of a camera" in refusal(tmp_path, pull={"front door": {"url": URL}})
