"""Passwords and keys in files: the file of the systemd unit, and the folder that FACEGATE_SECRETS names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from gateway.config import VARIABLE_PREFIX
from gateway.config import find as find_module
from gateway.config.find import SYSTEMD_CONFIG, find_and_load
from gateway.config.secrets_file import SECRETS_FILE, read_secrets
from gateway.errors import ConfigError
from tests.support import ROOT


@pytest.fixture(autouse=True)
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the configuration of the unit, on a machine without variables of Facegate."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "gateway.yaml").write_text("people: {keep: nothing}")
    monkeypatch.setattr(find_module, "SYSTEMD_CONFIG", folder / "gateway.yaml")
    monkeypatch.chdir(tmp_path)
    others = {name: value for name, value in os.environ.items() if not name.upper().startswith(VARIABLE_PREFIX)}
    with patch.dict(os.environ, others, clear=True):
        yield folder


def password() -> str | None:
    found = find_and_load(None).settings.mqtt.password
    return found.get_secret_value() if found else None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("FACEGATE_MQTT__PASSWORD=a+b/c==", "a+b/c=="),
        ("FACEGATE_MQTT__PASSWORD = spaces around ", "spaces around"),
        ("FACEGATE_MQTT__PASSWORD=it's #1 $HOME", "it's #1 $HOME"),
        ("FACEGATE_MQTT__PASSWORD='in # \"quotes\"'", 'in # "quotes"'),
        ('FACEGATE_MQTT__PASSWORD="a \\" and a \\\\"', 'a " and a \\'),
        ("FACEGATE_MQTT__PASSWORD=a\\ b", "a b"),
        ("# FACEGATE_MQTT__PASSWORD=x\n\n;FACEGATE_MQTT__PASSWORD=x\nLANG=C\nno variable", None),
    ],
)
def test_value_is_read_as_systemd_reads_it(etc: Path, line: str, expected: str | None) -> None:
    (etc / SECRETS_FILE).write_text(f"{line}\n")
    assert password() == expected


def test_environment_overrides_the_file(etc: Path) -> None:
    (etc / SECRETS_FILE).write_text("FACEGATE_MQTT__PASSWORD=file")
    os.environ.update({"FACEGATE_MQTT__PASSWORD": "environment"})
    assert password() == "environment"


def test_file_belongs_to_the_configuration_of_the_unit_only(etc: Path, tmp_path: Path) -> None:
    (etc / SECRETS_FILE).write_text("FACEGATE_MQTT__PASSWORD=file")
    (tmp_path / "mine.yaml").write_text("")
    assert find_and_load(tmp_path / "mine.yaml").settings.mqtt.password is None
    assert find_and_load(etc / "gateway.yaml").settings.mqtt.password is not None


def test_missing_file_sets_nothing(etc: Path) -> None:
    assert password() is None


@pytest.mark.parametrize("value", ["'secret", "'secret' 'more'", "secret\\"])
def test_refused_line_is_named_without_its_value(etc: Path, value: str) -> None:
    (etc / SECRETS_FILE).write_text(f"\nFACEGATE_MQTT__PASSWORD={value}\n")
    with pytest.raises(ConfigError, match=r"secrets, line 2: .") as refused:
        find_and_load(None)
    assert "secret'" not in str(refused.value)
    assert "secret\\" not in str(refused.value)


def test_file_that_is_no_text_is_refused(etc: Path) -> None:
    (etc / SECRETS_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"secrets cannot be read: it is not UTF-8 text"):
        read_secrets(etc / SECRETS_FILE)


def test_unit_names_the_file_that_commands_read() -> None:
    unit = (ROOT / "config" / "facegate.service").read_text()
    assert f"EnvironmentFile=-{SYSTEMD_CONFIG.with_name(SECRETS_FILE)}\n" in unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of secrets, which the environment names."""
    made = tmp_path / "secrets"
    made.mkdir()
    os.environ["FACEGATE_SECRETS"] = str(made)
    return made


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("FACEGATE_MQTT__PASSWORD", "secret\n", "secret"),
        ("FACEGATE_MQTT__PASSWORD", ' it\'s "#1" $HOME \\ ', ' it\'s "#1" $HOME \\ '),
        ("facegate_mqtt__password", "secret", "secret"),
        ("FACEGATE_MQTT__PASSWORD", "secret\n\n", "secret\n"),
        ("mqtt_password", "secret", None),
    ],
)
def test_secret_is_read_from_the_file_with_its_name(
    folder: Path, name: str, content: str, expected: str | None
) -> None:
    (folder / name).write_text(content)
    assert password() == expected


def test_secrets_of_kubernetes_are_read_through_its_links(folder: Path) -> None:
    (folder / "..2026").mkdir()
    (folder / "..2026" / "FACEGATE_MQTT__PASSWORD").write_text("secret")
    (folder / "..data").symlink_to("..2026")
    (folder / "FACEGATE_MQTT__PASSWORD").symlink_to("..data/FACEGATE_MQTT__PASSWORD")
    assert password() == "secret"


def test_environment_overrides_a_file_of_the_folder(folder: Path) -> None:
    (folder / "FACEGATE_MQTT__PASSWORD").write_text("file")
    os.environ.update({"FACEGATE_MQTT__PASSWORD": "environment"})
    assert password() == "environment"


def test_file_that_names_no_setting_is_refused_with_its_folder(folder: Path) -> None:
    (folder / "FACEGATE_MQTT__PASSWROD").write_text("hidden")
    with pytest.raises(ConfigError, match=rf"or file in {folder} .*: FACEGATE_MQTT__PASSWROD") as refused:
        find_and_load(None)
    assert "hidden" not in str(refused.value)


def test_folder_of_secrets_that_is_missing_is_refused(tmp_path: Path) -> None:
    os.environ["FACEGATE_SECRETS"] = str(tmp_path / "missing")
    with pytest.raises(ConfigError, match=r"missing \(FACEGATE_SECRETS\) cannot be read: No such file"):
        find_and_load(None)


@pytest.mark.parametrize("content", [b"\xffhidden", b"hid\0den"])
def test_file_of_the_folder_that_is_no_text_is_named_without_its_value(folder: Path, content: bytes) -> None:
    (folder / "FACEGATE_MQTT__PASSWORD").write_bytes(content)
    with pytest.raises(ConfigError, match=r"FACEGATE_MQTT__PASSWORD cannot be read: it ") as refused:
        find_and_load(None)
    assert "den" not in str(refused.value)


def test_file_of_the_folder_that_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / "FACEGATE_MQTT__PASSWORD").symlink_to("missing")
    with pytest.raises(ConfigError, match=r"FACEGATE_MQTT__PASSWORD cannot be read: No such file"):
        find_and_load(None)
