"""``facegate recognise`` and ``facegate match`` with real pictures, while a gateway uses the same store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from gateway.config import Settings
from tests.support import FRAMES, ROOT, WAIT_S


def facegate(data: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *words, "--config", "/dev/null"]
    environment = {"FACEGATE_DATA": str(data), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=FRAMES, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def data(gateway: object, gateway_settings: Settings) -> Path:
    """The data folder of a running gateway."""
    return gateway_settings.data


def test_speed_of_this_machine_is_measured(data: Path) -> None:
    done = facegate(data, "benchmark", "obama_1.jpg", "--seconds", "0.5", "--json")
    found = json.loads(done.stdout)
    assert (found["workers"], found["faces"]) == (len(os.sched_getaffinity(0)), 1)
    assert found["pictures_per_second"] > 0
    assert found["worker_ms"] == pytest.approx(1000 * found["workers"] / found["pictures_per_second"], rel=0.02)


def test_people_in_pictures_are_printed_and_strangers_not_stored(data: Path, rest_url: str, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    before = requests.get(f"{rest_url}/api/v1/unknowns", timeout=WAIT_S).json()
    pictures = ("obama_1.jpg", "stranger_1.jpg", "empty_1.jpg", str(tmp_path / "text.jpg"))
    done = facegate(data, "recognise", *pictures, code=1)
    named, stranger, nobody = done.stdout.splitlines()
    assert named.startswith("obama_1.jpg: Barack Obama (barack_obama), score ")
    assert stranger.startswith("stranger_1.jpg: a stranger, score 0.")
    assert nobody == "empty_1.jpg: nobody"
    assert "text.jpg: " in done.stderr
    assert "1 file of 4 could not be recognised" in done.stderr
    assert f"people store: {data}" in done.stderr
    assert requests.get(f"{rest_url}/api/v1/unknowns", timeout=WAIT_S).json() == before


def test_json_has_the_document_of_each_file(data: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    done = facegate(data, "recognise", "--json", "none.jpg", "obama_1.jpg", str(tmp_path / "text.jpg"), code=1)
    missing, named, refused = map(json.loads, done.stdout.splitlines())
    assert (missing["file"], missing["status"], missing["code"]) == ("none.jpg", "error", "bad_request")
    assert missing["error"] == "none.jpg cannot be read: No such file or directory: name an existing file"
    assert (named["file"], named["status"], named["op"]) == ("obama_1.jpg", "ok", "face_rec")
    assert named["person"] == "barack_obama"
    assert (refused["status"], refused["code"]) == ("error", "bad_image")


def test_two_pictures_are_compared(data: Path) -> None:
    assert facegate(data, "match", "obama_1.jpg", "obama_2.jpg").stdout.startswith("the same person (score ")
    document = json.loads(facegate(data, "match", "--json", "obama_1.jpg", "biden_1.jpg").stdout)
    assert (document["op"], document["match"]) == ("face_match", False)
    refused = facegate(data, "match", "obama_1.jpg", "empty_1.jpg", code=1)
    assert refused.stderr.splitlines()[-1] == "facegate: there is no face in picture 2 ('empty_1.jpg')"
