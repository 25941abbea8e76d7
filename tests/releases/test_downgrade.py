"""The data folder of a released version, in which a newer one has changed the format of a file."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from gateway.cli.main import main
from gateway.store.sqlite.formats import FORMATS
from tests.e2e.gateway_processes import ended_at_exit, start_gateway
from tests.releases.released import RELEASED
from tests.support import Broker

SEALED = next(each for each in reversed(RELEASED) if each.key)
"""The newest folder with every SQLite file."""

LONG_S = 600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the settings of a gateway and its data."""
    data = SEALED.unpack(tmp_path)
    settings = {"data": str(data), "people": {"folder": str(tmp_path / "known_faces"), "key": SEALED.key}}
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path


def raise_format(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {FORMATS[path.name] + 1}")


def command(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(folder / "gateway.yaml")])


@pytest.mark.parametrize("name", FORMATS)
def test_commands_refuse_a_newer_file_of_any_kind(folder: Path, name: str) -> None:
    path = folder / "data" / name
    raise_format(path)
    content = path.read_bytes()
    for arguments in (["people", "list"], ["tokens", "list"], ["people", "audit"], ["audit", "verify"], ["backup"]):
        done = command(folder, *arguments)
        assert done.exit_code == 1, arguments
        line = done.stderr.splitlines()[-1]
        assert line.startswith(f"facegate: {path} was written by a newer Facegate"), arguments
    assert path.read_bytes() == content


def test_doctor_names_the_newer_file(folder: Path) -> None:
    raise_format(folder / "data" / "audit.sqlite")
    done = command(folder, "doctor", "--json")
    found = [each["text"] for each in json.loads(done.stdout)["findings"] if each["state"] == "to_do"]
    assert any("audit.sqlite was written by a newer Facegate" in text for text in found)


def test_gateway_refuses_to_start_with_a_newer_file(folder: Path) -> None:
    """Regression: beside a newer audit the gateway ran, and its lines waited in the people store."""
    raise_format(folder / "data" / "audit.sqlite")
    people = {"folder": str(folder / "known_faces"), "key": SEALED.key}
    process = start_gateway(folder, Broker(folder), people=people)
    with ended_at_exit(process):
        assert process.wait(LONG_S) == os.EX_CONFIG
    assert "audit.sqlite was written by a newer Facegate" in (folder / "gateway.log").read_text().splitlines()[-1]
