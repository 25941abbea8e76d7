"""The app of Home Assistant as a whole: the command of its image, with stand-ins for the supervisor and its ingress."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from scripts.home_assistant_app import make_config
from tests.integrations.homeassistant.supervisor import TOKEN, supervisor_running
from tests.rest.ingress import PATH, SUPERVISOR, home_assistant_running
from tests.support import ROOT, WAIT_S, broker_running, free_port, prepare_data_folder, wait_for


def start(folder: Path, supervisor: str, ingress_port: int, options: dict[str, object]) -> subprocess.Popen[str]:
    """Start the command of the image. Its ports and its supervisor are those of this test."""
    (folder / "options.json").write_text(json.dumps(options))
    ingress = {"address": SUPERVISOR, "host": "127.0.0.1", "port": ingress_port}
    environment = {
        **os.environ,
        "SUPERVISOR_TOKEN": TOKEN,
        "FACEGATE_CONFIG": str(folder / "run" / "gateway.yaml"),
        "FACEGATE_REST__PORT": str(free_port()),
        "FACEGATE_REST__INGRESS": json.dumps(ingress),
        "FACEGATE_WORKERS__PROCESSES": "1",
    }
    command = [sys.executable, "-m", "gateway", "home-assistant-app", "--supervisor", supervisor]
    command += ["--options", str(folder / "options.json"), "--data", str(folder / "data" / "facegate")]
    command += ["--folder", str(folder / "config")]
    with (folder / "log").open("w") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, text=True)


def test_app_starts_with_the_broker_of_home_assistant_and_shows_its_console(tmp_path: Path) -> None:
    prepare_data_folder(tmp_path / "data" / "facegate")
    port = free_port()
    with broker_running(tmp_path) as broker:
        # The default of an app, with the user that its guide adds.
        options = {**make_config()["options"], "users": [{"name": "ada", "role": "admin"}]}
        mqtt = {"host": "127.0.0.1", "port": broker.port, "ssl": False}
        with supervisor_running(mqtt) as supervisor, home_assistant_running(port, user="ada") as url:
            app = start(tmp_path, supervisor, port, options)
            try:
                wait_for(lambda: app.poll() is not None or is_ready(f"{url}{PATH}"))
                assert app.poll() is None, (tmp_path / "log").read_text()
                session = requests.get(f"{url}{PATH}/session", timeout=WAIT_S).json()
                assert (session["name"], session["role"]) == ("homeassistant/ada", "admin")
                with home_assistant_running(port, user="kid") as other:
                    assert requests.get(f"{other}{PATH}/session", timeout=WAIT_S).json()["role"] == "viewer"
                written = tmp_path / "run" / "gateway.yaml"
                assert written.stat().st_mode & 0o777 == 0o600
                assert (tmp_path / "config" / "known_faces").is_dir()
            finally:
                app.send_signal(signal.SIGTERM)
                # The supervisor kills an app that takes longer than its `timeout`.
                assert app.wait(WAIT_S) == 0, (tmp_path / "log").read_text()


def is_ready(app: str) -> bool:
    try:
        return requests.get(f"{app}/readyz", timeout=WAIT_S).status_code == 200
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "install and start the app Mosquitto broker, or set the option mqtt_host to another broker"),
        ({"colour": "red"}, "the app has no option colour"),
    ],
)
def test_app_that_cannot_start_says_why_in_one_sentence(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with supervisor_running(None) as supervisor:
        app = start(tmp_path, supervisor, free_port(), options)
        assert app.wait(WAIT_S) == 1
    log = (tmp_path / "log").read_text()
    assert message in log
    assert len(log.splitlines()) == 1
    assert not (tmp_path / "run").exists()
