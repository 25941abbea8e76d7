"""The tutorial "Your name on your phone", followed word for word: its commands are run, and their output is compared.

The test of ``make setup`` runs the first command (tests/test_setup.py). The address, the port and the token of the page
are replaced by those of the test. Only the last step, on the phone, is done by a program.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support import ROOT, WAIT_S, free_port, prepare_data_folder, wait_for

PAGE = ROOT / "docs" / "tutorial" / "name-on-your-phone.md"
ADDRESS, PORT = "192.168.1.10", "5001"
PLACEHOLDER = "facegate_…"
SKIPPED = {"make setup", "hostname -I"}
RUN = ".venv/bin/facegate run"

Step = tuple[str, list[str]]
"""A command, and the lines that it prints."""


def steps() -> Iterator[Step]:
    """Return the steps of the page, in order."""
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = step.rstrip().split("\n")
            yield command, lines


class Reader:
    """A reader who follows the page in a copy of the project's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = str(free_port())
        self.token = ""
        self.gateway: subprocess.Popen[bytes] | None = None
        # The configuration of the project has the default ports. There is no broker.
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "FACEGATE_REST__PORT": self.port,
            "FACEGATE_MQTT__PORT": str(free_port()),
        }
        (folder / ".venv").symlink_to(sys.prefix)
        for name in ("config", "device_sim", "known_faces"):
            (folder / name).symlink_to(ROOT / name)
        # The converted models, so that the test need not convert them.
        prepare_data_folder(folder / "data" / "phone")

    def follow(self, command: str, lines: list[str]) -> None:
        """Run a command, and check that it prints the lines."""
        if command.startswith("export "):
            for word in shlex.split(command)[1:]:
                name, _, value = word.partition("=")
                self.environment[name] = value
        elif command == RUN:
            self.start(command)
        else:
            printed = self.run(command)
            for line in lines:
                pattern = ".*".join(map(re.escape, self._own(line).split("…")))
                assert re.search(f"^{pattern}$", printed, re.MULTILINE), (command, line, printed)
            if "tokens add" in command:
                self.token = printed.strip().splitlines()[-1]

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", self._own(command)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=2 * WAIT_S,
        )
        return done.stdout

    def start(self, command: str) -> None:
        self.gateway = subprocess.Popen(shlex.split(command), cwd=self.folder, env=self.environment)
        wait_for(self.answers, 2 * WAIT_S)

    def answers(self) -> bool:
        try:
            answer = self.phone().get(f"{self.url}/readyz", timeout=WAIT_S)
        except requests.ConnectionError:
            return False
        return bool(answer.json()["status"])

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def phone(self) -> requests.Session:
        """Return a browser that trusts the certificate, as after the comparison of its fingerprint."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.folder / "data" / "phone" / "tls" / "rest.pem")
        return session

    def stop(self) -> None:
        if self.gateway is not None:
            self.gateway.send_signal(signal.SIGINT)
            assert self.gateway.wait(WAIT_S) == 0

    def _own(self, text: str) -> str:
        text = text.replace(ADDRESS, "127.0.0.1").replace(f"localhost:{PORT}", f"localhost:{self.port}")
        return text.replace(PLACEHOLDER, self.token) if self.token else text


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    if reader.gateway is not None and reader.gateway.poll() is None:
        reader.gateway.kill()
        reader.gateway.wait()


def test_page_has_a_command_for_each_step() -> None:
    commands = [command for command, _ in steps()]
    assert set(commands) >= {*SKIPPED, RUN}
    assert len(commands) >= 10


def test_tutorial_shows_a_name_on_the_phone(reader: Reader) -> None:
    for command, lines in steps():
        if command in SKIPPED:
            continue
        if "tokens revoke" in command:
            log_in_on_the_phone(reader)
        reader.follow(command, lines)
    refused = reader.phone().get(f"{reader.url}/face_rec", headers={"Authorization": f"Bearer {reader.token}"})
    assert refused.status_code == 401
    reader.stop()


def log_in_on_the_phone(reader: Reader) -> None:
    """Open the page, log in with the token, and send a picture, as the browser of a phone does."""
    phone = reader.phone()
    phone.headers.update({"Accept": "text/html", "Origin": reader.url})
    opened = phone.get(f"{reader.url}/face_rec", timeout=WAIT_S)
    assert "Token" in opened.text
    page = phone.post(opened.url, data={"token": reader.token}, timeout=WAIT_S)
    action = re.search(r'action="(\?csrf=[^"]+)"', page.text)
    assert action is not None
    picture = (ROOT / "device_sim" / "frames" / "stranger_2.jpg").read_bytes()
    answer = phone.post(page.url + action[1], files={"file": picture}, timeout=WAIT_S)
    assert "Eileen Collins" in answer.text
