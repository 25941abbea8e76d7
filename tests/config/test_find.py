"""The search for the configuration, by the gateway and by every other command."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from gateway.cli.main import main
from gateway.config import VARIABLE_PREFIX
from gateway.config import find as find_module
from gateway.config.find import SYSTEMD_CONFIG, SYSTEMD_DATA, find_and_load
from gateway.errors import ConfigError
from tests.support import ROOT


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder on a machine without the systemd unit and without variables of Facegate."""
    for variable in [name for name in os.environ if name.upper().startswith(VARIABLE_PREFIX)]:
        monkeypatch.delenv(variable)
    monkeypatch.setattr(find_module, "SYSTEMD_CONFIG", tmp_path / "etc" / "gateway.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, data: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"data: {data}")
    return path


def data_of(*words: str) -> str:
    done: Result = CliRunner().invoke(main, ["check-config", *words])
    assert done.exit_code == 0, done.output
    return str(yaml.safe_load(done.stdout)["data"])


def test_defaults_are_used_without_any_file() -> None:
    assert (data_of(), find_and_load(None).source) == ("data", "none, only defaults")


def test_each_place_overrides_the_next(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here / "etc" / "gateway.yaml", "own-setting")
    assert data_of() == str(SYSTEMD_DATA)
    write(here / "config" / "gateway.yaml", "beside")
    assert data_of() == "beside"
    monkeypatch.setenv("FACEGATE_CONFIG", str(write(here / "named.yaml", "named")))
    assert data_of() == "named"
    assert data_of("--config", str(write(here / "given.yaml", "given"))) == "given"


def test_source_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(here / "etc" / "gateway.yaml", "x")
    assert find_and_load(None).source == f"{path} (of the systemd unit)"
    monkeypatch.setenv("FACEGATE_CONFIG", str(path))
    assert find_and_load(None).source == f"{path} (FACEGATE_CONFIG)"


def test_data_folder_of_the_unit_belongs_to_its_configuration(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: with ``--config /etc/facegate/gateway.yaml`` a command looked for a store in the current folder."""
    path = write(here / "etc" / "gateway.yaml", "own-setting")
    assert data_of("--config", str(path)) == str(SYSTEMD_DATA)
    monkeypatch.setenv("FACEGATE_CONFIG", str(path))
    assert data_of() == str(SYSTEMD_DATA)


@pytest.mark.parametrize("folder", ["{here}/faces", "~/faces"])
def test_unit_uses_the_data_folder_that_its_configuration_names(
    here: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Regression: a container whose file named another folder started with an empty people store, without a word."""
    monkeypatch.setenv("HOME", str(here))
    path = write(here / "etc" / "gateway.yaml", folder.format(here=here))
    assert data_of() == data_of("--config", str(path)) == str(here / "faces")


def test_unit_uses_its_own_folder_if_the_configuration_names_none(here: Path) -> None:
    write(here / "etc" / "gateway.yaml", "x").write_text("log_level: INFO")
    assert data_of() == str(SYSTEMD_DATA)


def test_invalid_data_folder_of_the_unit_is_refused(here: Path) -> None:
    write(here / "etc" / "gateway.yaml", "5")
    with pytest.raises(ConfigError, match="data"):
        find_and_load(None)


def test_data_folder_of_the_environment_overrides_that_of_the_unit(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here / "etc" / "gateway.yaml", "x")
    monkeypatch.setenv("FACEGATE_DATA", "mine")
    assert data_of() == "mine"


def test_named_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise another configuration would be used silently."""
    monkeypatch.setenv("FACEGATE_CONFIG", "absent.yaml")
    with pytest.raises(ConfigError, match=r"absent\.yaml cannot be read.*FACEGATE_CONFIG"):
        find_and_load(None)


def test_empty_variable_names_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_CONFIG", "")
    assert data_of() == "data"


def test_tilde_in_the_variable_and_the_option_is_the_home_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    write(here / "mine.yaml", "mine")
    assert data_of("--config", "~/mine.yaml") == "mine"
    monkeypatch.setenv("FACEGATE_CONFIG", "~/mine.yaml")
    assert data_of() == "mine"


def test_unit_uses_the_place_that_commands_search() -> None:
    unit = (ROOT / "config" / "facegate.service").read_text()
    assert re.search(r"--config (\S+)", unit) is not None
    assert f"--config {SYSTEMD_CONFIG}\n" in unit
    # A variable would override the data folder of the file for the service, but not for commands.
    assert f"StateDirectory={SYSTEMD_DATA.name}\n" in unit
    assert "FACEGATE_DATA" not in unit
