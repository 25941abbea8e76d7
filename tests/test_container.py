"""The container: its Containerfile, compose.yaml, the broker's files and the health check.

No container engine is needed here. docs/how-to/run-in-a-container.md says what was built and run with one.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from paho.mqtt import MQTTException
from paho.mqtt.publish import single

from gateway.config import RestSettings
from gateway.config.load import load
from gateway.config.network_sections import RestTlsSettings
from gateway.rest.self_signed import make_certificate
from tests.rest.test_server import Site, serving
from tests.support import MOSQUITTO, ROOT, Client, accepts, free_port, wait_for

HEALTHCHECK = ROOT / "config" / "container" / "healthcheck.py"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def read_instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Containerfile, each with its text, without comments and line breaks."""
    text = (ROOT / "Containerfile").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    pairs = [line.split(maxsplit=1) for line in lines.splitlines() if line.strip()]
    return [(name, " ".join(words.split())) for name, words in pairs]


INSTRUCTIONS = read_instructions()
FINAL = INSTRUCTIONS[max(n for n, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]


def values(name: str) -> list[str]:
    """Return the texts of an instruction in the final stage."""
    return [text for each, text in FINAL if each == name]


def image_variables() -> dict[str, str]:
    return dict(word.split("=", 1) for text in values("ENV") for word in shlex.split(text))


def test_base_has_a_version_and_every_stage_uses_it() -> None:
    (base,) = (text for name, text in INSTRUCTIONS if name == "ARG" and text.startswith("BASE="))
    assert re.fullmatch(r"BASE=docker\.io/library/debian:[a-z]+-slim", base)
    assert {text.split(" AS ")[0] for name, text in INSTRUCTIONS if name == "FROM"} == {"${BASE}"}


def test_image_runs_as_an_ordinary_user_who_owns_the_data_folder() -> None:
    (user,) = values("USER")
    (setup,) = values("RUN")
    assert f"useradd --uid 1000 --gid {user} " in setup
    assert f"install --directory --owner {user} --group {user} --mode 0700 /data" in setup
    names = [name for name, _ in FINAL]
    assert names.index("USER") > max(n for n, name in enumerate(names) if name in {"RUN", "COPY"})


def test_settings_of_the_image_are_valid_and_lock_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FACEGATE_")]:
        monkeypatch.delenv(name)
    for name, value in image_variables().items():
        if name.startswith("FACEGATE_"):
            monkeypatch.setenv(name, value)
    settings = load()
    (volumes,) = values("VOLUME")
    assert {str(settings.data), str(settings.people.folder)} == set(json.loads(volumes))
    assert values("EXPOSE") == [str(settings.rest.port)]
    assert settings.rest.host == "0.0.0.0"  # noqa: S104
    assert settings.rest.anonymous is not None
    assert settings.rest.anonymous.networks == ()


def test_image_has_no_secret() -> None:
    text = (ROOT / "Containerfile").read_text()
    assert not re.search(r"password|token=|secret|_KEY=", text, re.IGNORECASE)


def test_every_copied_file_exists_and_reaches_the_build() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((ROOT / path).exists() for path in sent)
    copied = [text.split() for name, text in INSTRUCTIONS if name == "COPY" and "--from=" not in text]
    assert {words[0] for words in copied} - sent == {"."}
    # Private pictures, the data folder and the history stay out of the image.
    assert not sent & {"known_faces", "data", ".git", ".env", "tests"}


def test_compose_uses_the_volumes_of_the_image_and_publishes_to_this_machine_only() -> None:
    (volumes,) = values("VOLUME")
    gateway = COMPOSE["services"]["facegate"]
    assert {text.split(":")[1] for text in gateway["volumes"]} == set(json.loads(volumes))
    for service in COMPOSE["services"].values():
        assert all(re.match(r"\$\{[A-Z]+_ADDRESS:-127\.0\.0\.1\}:(\d+):\1$", port) for port in service["ports"])


@pytest.mark.parametrize("service", ["facegate", "broker"])
def test_services_are_closed(service: str) -> None:
    described = COMPOSE["services"][service]
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert described["restart"] == "unless-stopped"
    assert not described["image"].endswith(":latest")


def test_files_that_compose_mounts_exist() -> None:
    mounted = [text.split(":")[0] for each in COMPOSE["services"].values() for text in each["volumes"]]
    files = [ROOT / path for path in mounted if path.startswith("./")]
    assert len(files) == 3
    assert all(path.exists() for path in files)
    assert {path for path in mounted if not path.startswith("./")} == set(COMPOSE["volumes"])


def test_gateway_has_the_time_to_stop_that_the_unit_gives_it() -> None:
    unit = (ROOT / "config" / "facegate.service").read_text()
    assert f"TimeoutStopSec={COMPOSE['services']['facegate']['stop_grace_period'].removesuffix('s')}\n" in unit


def write_broker(folder: Path, port: int, address: str) -> tuple[list[str], dict[str, str]]:
    """Write the files of the broker's container, with the paths of the test. Return its command and its variables."""
    (folder / "limits").mkdir()
    (folder / "limits" / "facegate.conf").write_text((ROOT / "config" / "mosquitto.conf").read_text())
    # Started by root, mosquitto would become another user, who may not write into the folder of the test.
    own = "" if os.geteuid() else "user root\n"
    for file in (ROOT / "config" / "container" / "mosquitto").iterdir():
        text = file.read_text().replace("listener 1883", f"{own}listener {port} 127.0.0.1")
        for name, path in (("data", folder), ("config", folder), ("limits", folder / "limits")):
            text = text.replace(f"/mosquitto/{name}", str(path))
        (folder / file.name).write_text(text)
    broker = COMPOSE["services"]["broker"]
    (port_text,) = broker["ports"]
    # The broker knows the address on which its port is published.
    assert port_text.removesuffix(":1883:1883") == broker["environment"]["BROKER_ADDRESS"]
    command = shlex.split(broker["command"].replace("/mosquitto/config", str(folder)))
    return command, {"BROKER_ADDRESS": address, "PATH": f"{Path(str(MOSQUITTO)).parent}:{os.defpath}"}


@contextmanager
def broker_at(address: str, folder: Path) -> Iterator[int]:
    """Run the broker's container with this BROKER_ADDRESS, in a folder of the test. Give its port."""
    port = free_port()
    command, env = write_broker(folder, port, address)
    with (
        (folder / "broker.log").open("wb") as log,
        subprocess.Popen(command, env=env, stdout=log, stderr=log) as process,
    ):
        try:
            wait_for(lambda: accepts(port))
            yield port
        finally:
            process.terminate()


def passes(port: int, sender: tuple[str, str] | None, camera: str) -> bool:
    """Return whether the gateway's login receives the frame of a camera."""
    gateway = Client(port, login=("facegate", "right")).subscribe("facegate/+/frame")
    camera_client = Client(port, login=sender)
    try:
        camera_client.publish(f"facegate/{camera}/frame", b"frame")
        return not gateway.nothing_comes()
    finally:
        camera_client.close()
        gateway.close()


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_broker_without_logins_accepts_everybody(tmp_path: Path) -> None:
    with broker_at("127.0.0.1", tmp_path) as port:
        assert passes(port, None, "porch")


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_broker_with_logins_lets_a_camera_use_its_own_topics_only(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    for login in ("facegate", "porch"):
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), login, "right"], check=True)
    rules = subprocess.run([sys.executable, "-m", "gateway", "acl"], capture_output=True, check=True, cwd=tmp_path)
    (tmp_path / "acl").write_bytes(rules.stdout)
    (tmp_path / "acl").chmod(0o600)
    with broker_at("0.0.0.0", tmp_path) as port:  # noqa: S104  # its listener is on loopback
        with pytest.raises(MQTTException, match="Not authorized"):
            single("facegate/porch/frame", b"frame", hostname="127.0.0.1", port=port)
        assert passes(port, ("porch", "right"), "porch")
        assert not passes(port, ("porch", "right"), "yard")


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.2", "[::]", ""])  # noqa: S104  # it must not start
def test_broker_does_not_start_for_the_network_without_logins(tmp_path: Path, address: str) -> None:
    command, env = write_broker(tmp_path, free_port(), address)
    started = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert started.returncode == 1
    assert f"BROKER_ADDRESS={address} opens the broker to the network, which needs logins" in started.stderr


def check_health(port: int, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the health check as the container does, without the environment of the tests."""
    env = {"FACEGATE_REST__PORT": str(port), **variables}
    command = [sys.executable, "-I", str(HEALTHCHECK), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_health_check_accepts_a_live_gateway() -> None:
    site = Site(free_port())
    with serving(site, RestSettings(port=site.port)):
        checked = check_health(site.port)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_health_check_uses_https_if_the_gateway_has_a_certificate(tmp_path: Path) -> None:
    made = make_certificate(tmp_path, ["nas.local"], 1)
    site = Site(free_port(), made.cert)
    with serving(site, RestSettings(port=site.port, tls=RestTlsSettings(cert=made.cert, key=made.key))):
        checked = check_health(site.port, FACEGATE_REST__TLS__CERT=str(made.cert))
    assert (checked.returncode, checked.stderr) == (0, "")


def test_health_check_uses_no_proxy() -> None:
    site, nobody = Site(free_port()), f"http://127.0.0.1:{free_port()}"
    with serving(site, RestSettings(port=site.port)):
        checked = check_health(site.port, HTTP_PROXY=nobody, http_proxy=nobody, ALL_PROXY=nobody)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_health_check_refuses_a_gateway_that_is_not_live() -> None:
    class Stuck(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)

    with HTTPServer(("127.0.0.1", 0), Stuck) as server:
        Thread(target=server.handle_request, daemon=True).start()
        checked = check_health(server.server_port)
    assert checked.returncode == 1
    assert "is not live: HTTP Error 503" in checked.stderr


def test_health_check_asks_whether_a_replica_is_ready() -> None:
    class NotReady(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(HTTPStatus.SERVICE_UNAVAILABLE if self.path == "/readyz" else HTTPStatus.OK)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), NotReady) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        assert check_health(server.server_port).returncode == 0
        checked = check_health(server.server_port, "readyz")
        server.shutdown()
    assert checked.returncode == 1
    assert "is not ready: HTTP Error 503" in checked.stderr


def test_health_check_refuses_a_gateway_that_does_not_answer() -> None:
    checked = check_health(free_port())
    assert checked.returncode == 1
    assert "is not live" in checked.stderr


def test_health_check_asks_on_the_port_of_the_gateway() -> None:
    assert f'DEFAULT_PORT = "{RestSettings().port}"' in HEALTHCHECK.read_text()
