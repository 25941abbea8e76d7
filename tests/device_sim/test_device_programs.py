"""Tests of the examples for ESPHome and MicroPython with the real programs, from the environment ``.venvs/devices``."""

from __future__ import annotations

import os
import random
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from gateway.app import Gateway
from tests.device_sim.fake_gateway import BUSY, INTERNAL, MATCH, FakeReply, ReceivedRequest, run_fake_gateway
from tests.device_sim.test_clients import BASE
from tests.support import ROOT, Broker, frame

CLIENTS = ROOT / "device_sim" / "clients"
FRAMES = ROOT / "device_sim" / "frames"
ENVIRONMENT = ROOT / ".venvs" / "devices"
PAGE = ROOT / "docs" / "how-to" / "use-esphome.md"

pytestmark = [
    pytest.mark.extra,
    pytest.mark.skipif(
        not (ENVIRONMENT / "micropython").exists(),
        reason="ESPHome and MicroPython are not installed: scripts/setup_devices.sh",
    ),
]


def run_micropython(folder: Path, port: int, base: str, *pictures: str) -> list[str]:
    """Run the script for the ESP32-CAM in the Unix port of MicroPython, with umqtt.simple. Return the printed lines."""
    text = (CLIENTS / "camera_micropython.py").read_text()
    changes = {
        '"192.168.1.10", 1883': f'"127.0.0.1", {port}',
        "5000, 30000, 2500, 10000": "10, 60000, 300, 1000",
        'b"porch"': f'b"micropython{random.randrange(10**6)}"',
        'b"facegate/"': f'b"{base}/"',
    }
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    script = folder / "main.py"
    script.write_text(text)
    modules = f"{ENVIRONMENT / 'micropython'}:{Path(__file__).parent / 'micropython_port'}"
    environment = os.environ | {
        "FACEGATE_TEST_PICTURES": ":".join(str(FRAMES / f"{picture}.jpg") for picture in pictures),
        "MICROPYPATH": modules,
    }
    command = [ENVIRONMENT / "bin" / "micropython", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_micropython_script_gets_verdicts_from_the_gateway(gateway: Gateway, broker: Broker, tmp_path: Path) -> None:
    known, empty = run_micropython(tmp_path, broker.port, "facegate", "obama_1", "empty_1")
    assert re.fullmatch(r"match [01]\.\d\d barack_obama", known)
    assert empty == "no_face"


def test_micropython_script_repeats_a_request_until_a_verdict(broker: Broker, tmp_path: Path) -> None:
    replies: list[list[FakeReply]] = [[], [BUSY], [INTERNAL], [MATCH]]

    def answer(request: ReceivedRequest) -> list[FakeReply]:
        return replies[min(request.again, 3)]

    with run_fake_gateway(broker, answer, BASE) as gateway:
        assert run_micropython(tmp_path, broker.port, BASE, "obama_1") == ["match 1 joe"]
    assert {(each.topic, each.payload) for each in gateway.requests} == {(gateway.requests[0].topic, frame("obama_1"))}


@pytest.fixture(scope="module")
def esphome_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folder of an ESPHome user: the package, and the files of the page, with its words."""
    folder = tmp_path_factory.mktemp("esphome")
    (folder / "facegate.yaml").write_bytes((CLIENTS / "esphome" / "facegate.yaml").read_bytes())
    device, secrets, sensor = re.findall(r"^ *```yaml\n(.*?)^ *```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (folder / "porch.yaml").write_text(re.sub(r"^   ", "", device, flags=re.MULTILINE))
    (folder / "secrets.yaml").write_text(re.sub(r"^   ", "", secrets, flags=re.MULTILINE))
    (folder / "motion.yaml").write_text((folder / "porch.yaml").read_text() + sensor)
    return folder


def run_esphome(folder: Path, *arguments: str) -> str:
    command = [str(ENVIRONMENT / "bin" / "esphome"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("file", ["porch.yaml", "motion.yaml"])
def test_esphome_accepts_the_files_of_the_page(esphome_folder: Path, file: str) -> None:
    """The output has the tags of ESPHome, which only its own reader knows: the topics are looked up as text."""
    found = run_esphome(esphome_folder, "config", file)
    for topic in ("status", "present", "verdict"):
        assert f"topic: facegate/porch/{topic}\n" in found
    assert ("name: Motion\n" in found) == (file == "motion.yaml")


def test_esphome_writes_the_program_of_the_board(esphome_folder: Path) -> None:
    """Without the compiler of the ESP32, the calls of the program are compared with the headers of ESPHome."""
    run_esphome(esphome_folder, "compile", "--only-generate", "porch.yaml")
    (program,) = esphome_folder.rglob("src/main.cpp")
    text = program.read_text()
    assert 'facegate_mqtt->publish("facegate/porch/frame",' in text
    assert "facegate_esp32_camera->request_image(esphome::camera::WEB_REQUESTER);" in text
    components = program.parent / "esphome" / "components"
    mqtt = (components / "mqtt" / "mqtt_client.h").read_text()
    assert "bool publish(const char *topic, const char *payload, size_t payload_length, uint8_t qos = 0" in mqtt
    camera = (components / "camera" / "camera.h").read_text()
    assert "virtual void request_image(CameraRequester requester) = 0;" in camera
    picture = (components / "esp32_camera" / "esp32_camera.h").read_text()
    assert re.search(r"struct CameraImageData \{\s+uint8_t \*data;\s+size_t length;", picture)


def test_substitutions_of_the_page_are_those_of_the_package() -> None:
    text = (CLIENTS / "esphome" / "facegate.yaml").read_text()
    package = yaml.safe_load(text.split("\nesp32:\n")[0])["substitutions"]
    rows = dict(re.findall(r"^\| `(facegate_\w+)` \| `(.+?)` \|", PAGE.read_text(), re.MULTILINE))
    assert rows == package
