"""The files of the app of Home Assistant, held by the supervisor's rules, which are stated here."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from gateway import __version__
from gateway.config import Settings
from gateway.integrations.homeassistant.app_options import OPTIONS, write_settings
from gateway.integrations.homeassistant.app_settings import INGRESS_PORT, REST_PORT
from scripts.home_assistant_app import SOURCE, make_config, write_app
from tests.support import ROOT

LIMIT = r"(\((-?[\d.]*),(-?[\d.]*)\))?"
FORM = re.compile(
    rf"(bool|email|url|port|(str|password|int|float){LIMIT}|match\(.+\)|list\([^)]+\)|device(\(subsystem=[a-z]+\))?)\??"
)
"""The type of an option. ``?``: it may be left out."""

RULES: Mapping[str, Any] = {
    "name": str,
    "version": r"\d+\.\d+\.\d+\S*",
    "slug": r"[-_.A-Za-z0-9]+",
    "description": str,
    "arch": ["aarch64", "amd64"],
    "homeassistant": r"20\d\d\.\d+\.\d+",
    "startup": ["initialize", "system", "services", "application", "once"],
    "boot": ["auto", "manual", "manual_only"],
    "services": [f"{service}:{use}" for service in ("mqtt", "mysql") for use in ("provide", "want", "need")],
    "ingress": bool,
    "ingress_port": int,
    "ingress_stream": bool,
    "panel_icon": r"mdi:[a-z-]+",
    "panel_title": str,
    "panel_admin": bool,
    "backup": ["hot", "cold"],
    "watchdog": r"(https?|\[PROTO:\w+\]|tcp)://\[HOST\]:(\[PORT:\d+\]|\d+).*",
    "timeout": range(10, 301),
    "stage": ["stable", "experimental", "deprecated"],
    "image": r"([a-zA-Z\-.:\d{}]+/)*[\-\w{}]+/[\-\w{}]+",
}
"""The keys that this app uses, each with its type, its pattern or its values, from Home Assistant's documentation."""

CHECKED_ELSEWHERE = {"ports", "map", "backup_exclude", "options", "schema"}

REQUIRED = {"name", "version", "slug", "description", "arch"}


def obeys(value: Any, rule: Any) -> bool:
    """Return whether a value, or each value of a list, obeys a rule."""
    if isinstance(value, list):
        return all(obeys(each, rule) for each in value)
    if isinstance(rule, type):
        return type(value) is rule
    return bool(re.fullmatch(rule, value)) if isinstance(rule, str) else value in rule


def forms(schema: Any) -> Iterator[str]:
    """Give the types of all options, of a schema with two levels at most."""
    if isinstance(schema, str):
        yield schema
    else:
        for each in schema.values() if isinstance(schema, dict) else schema:
            yield from forms(each)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheel = tmp_path_factory.mktemp("wheel") / f"facegate-{__version__}-py3-none-any.whl"
    wheel.touch()
    return write_app(tmp_path_factory.mktemp("repository"), wheel)


@pytest.fixture(scope="module")
def config(app: Path) -> dict[str, Any]:
    return yaml.safe_load((app / "config.yaml").read_text())  # type: ignore[no-any-return]


def test_configuration_obeys_the_rules_of_the_supervisor(config: dict[str, Any]) -> None:
    assert not REQUIRED - set(config)
    assert not set(config) - set(RULES) - CHECKED_ELSEWHERE
    wrong = {name: config[name] for name in RULES if name in config and not obeys(config[name], RULES[name])}
    assert wrong == {}
    assert config["version"] == __version__


def test_rules_refuse_a_wrong_value() -> None:
    """The rules are of our own: a rule that accepts everything would show nothing."""
    wrong = {
        "slug": "a b",
        "arch": ["armv7"],
        "startup": "later",
        "ingress": "yes",
        "timeout": 5,
        "watchdog": "http://x",
    }
    assert [name for name, value in wrong.items() if obeys(value, RULES[name])] == []
    assert not FORM.fullmatch("text")


def test_ports_and_folders_are_those_of_the_code(config: dict[str, Any]) -> None:
    assert config["ports"] == {f"{REST_PORT}/tcp": None}
    assert config["ingress_port"] == INGRESS_PORT
    assert config["watchdog"] == f"http://[HOST]:[PORT:{INGRESS_PORT}]/healthz"
    types = {each["type"]: each.get("read_only", True) for each in config["map"]}
    assert types == {"addon_config": False, "ssl": True, "media": True}
    # Cold backups have no commands before and after them.
    assert not {"backup_pre", "backup_post"} & set(config)
    # The supervisor matches the end of the path of each file.
    excluded = [Path("/data/addons/data/local_facegate/facegate/models"), Path("/x/facegate/models/b7f5")]
    assert all(any(path.match(each) for each in config["backup_exclude"]) for path in excluded)
    for kept in ("people.sqlite", "keys.sqlite", "audit.sqlite", "audit.key", "access.sqlite", "backups/a.sqlite"):
        assert not any(Path(f"/x/facegate/{kept}").match(each) for each in config["backup_exclude"])


def test_every_option_has_a_form_and_a_text(config: dict[str, Any], app: Path) -> None:
    assert [each for each in forms(config["schema"]) if not FORM.fullmatch(each)] == []
    texts = yaml.safe_load((app / "translations" / "en.yaml").read_text())
    assert set(texts["configuration"]) == set(config["schema"]) == {each.name for each in OPTIONS}
    assert all(text["name"] and text["description"] for text in texts["configuration"].values())
    assert set(texts["network"]) == set(config["ports"])
    # An option without a default must be one that may be left out.
    for name, form in config["schema"].items():
        assert (name in config["options"]) != (isinstance(form, str) and form.endswith("?")), name


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_is_a_setting_with_the_same_bounds(option: Any) -> None:
    ingress = {"address": "172.30.32.2"}
    for value in examples(option.form):
        tree = write_settings({option.name: value})
        if "ingress" in tree.get("rest", {}):
            tree["rest"]["ingress"] = {**ingress, **tree["rest"]["ingress"]}
        Settings(**tree)


def examples(form: Any) -> list[Any]:
    """Return values that a form allows, those at its bounds included."""
    if isinstance(form, list):
        return [[], [{"name": f"user_{role}", "role": role} for role in examples(form[0]["role"])]]
    kind = form.rstrip("?")
    if kind.startswith("list("):
        return kind[5:-1].split("|")  # type: ignore[no-any-return]
    if kind.startswith(("int(", "float(")):
        number = int if kind.startswith("int") else float
        return [number(each) for each in kind.partition("(")[2].rstrip(")").split(",")]
    plain: dict[str, list[Any]] = {"str": ["x"], "password": ["x"], "port": [1, 65535], "bool": [True, False]}
    return plain[kind]


def test_defaults_are_those_of_the_gateway() -> None:
    for option in OPTIONS:
        if option.default is not None and not option.setting.startswith("rest.ingress"):
            assert getattr(Settings(), option.setting) == option.default


def test_folder_is_complete(app: Path) -> None:
    names = {path.name for path in app.iterdir()}
    assert names == {
        "CHANGELOG.md",
        "DOCS.md",
        "Dockerfile",
        "README.md",
        "config.yaml",
        "icon.png",
        "logo.png",
        "requirements.txt",
        "translations",
        "trim_installation.py",
        f"facegate-{__version__}-py3-none-any.whl",
    }
    assert yaml.safe_load((app.parent / "repository.yaml").read_text()) == {"name": "Facegate"}
    with Image.open(app / "icon.png") as icon, Image.open(app / "logo.png") as logo:
        assert (icon.size, logo.size) == ((128, 128), (250, 100))
    assert not re.search(r"]\((?!https?:)", (app / "DOCS.md").read_text())
    requirements = (app / "requirements.txt").read_text()
    assert "openvino==" in requirements
    assert "pytest" not in requirements


def test_image_is_built_of_the_wheel_of_its_version_only(app: Path, tmp_path: Path) -> None:
    """Regression: pip refused two wheels after the files of a newer version were copied over the older ones."""
    folder = Path(shutil.copytree(app, tmp_path / "facegate"))
    (folder / "facegate-0.0.1-py3-none-any.whl").touch()
    dockerfile = (folder / "Dockerfile").read_text()
    # The supervisor gives the version of config.yaml as this argument.
    assert dockerfile.index("ARG BUILD_VERSION") < dockerfile.index("COPY")
    patterns = re.findall(r"^COPY (.+) /tmp/$", dockerfile.replace("${BUILD_VERSION}", __version__), re.MULTILINE)
    copied = [path.name for pattern in patterns[0].split() for path in folder.glob(pattern)]
    assert copied == ["requirements.txt", "trim_installation.py", f"facegate-{__version__}-py3-none-any.whl"]


def test_published_image_needs_no_files_to_build(tmp_path: Path) -> None:
    app = write_app(tmp_path, None, image="ghcr.io/example/facegate", repository="https://git.example/facegate")
    assert obeys(yaml.safe_load((app / "config.yaml").read_text())["image"], RULES["image"])
    assert not (app / "Dockerfile").exists()
    assert yaml.safe_load((tmp_path / "repository.yaml").read_text())["url"] == "https://git.example/facegate"


def test_project_itself_is_no_broken_repository() -> None:
    """The supervisor takes each config.yaml of a repository for an app."""
    assert not list(SOURCE.rglob("config.*"))
    assert not list((ROOT / "config").rglob("config.yaml"))


def test_guide_names_every_option() -> None:
    guide = (ROOT / "docs" / "how-to" / "home-assistant-app.md").read_text()
    for option in OPTIONS:
        assert f"| `{option.name}` | {option.text}" in guide, option.name
    assert make_config()["timeout"] >= 20
