"""The documentation is held to the code: what exists is documented, and what is linked exists."""

from __future__ import annotations

import re
from concurrent.futures import Future
from dataclasses import Field, fields
from pathlib import Path

import pytest
from click import Context, Group
from flask import Flask

from gateway.cli.main import main
from gateway.config import LimitSettings
from gateway.errors import wire_errors
from gateway.health import Health, MqttHealth
from gateway.metrics import COUNTS, Metrics
from gateway.model import Operation, Quality
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.codec.wire import OPTIONS
from gateway.people.folder.importer import Progress
from gateway.rest.app import create_app
from gateway.rest.problems import STATUS
from gateway.service.administration import ACTIONS
from gateway.vision.engines.model_files import FILES, Role
from tests.support import ROOT

README = (ROOT / "README.md").read_text()
MQTT = (ROOT / "docs" / "mqtt.md").read_text()
MODELS = (ROOT / "docs" / "models.md").read_text()
PEOPLE = (ROOT / "docs" / "people.md").read_text()
REST = (ROOT / "docs" / "rest.md").read_text()
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *ROOT.glob("known_faces/*.md"),
    *ROOT.glob("*/frames/*.md"),
    *ROOT.glob("*/clients/*.md"),
]


HEALTH = Health(MqttHealth(True, True, True), 1, 1, True, True, Progress())


def application() -> Flask:
    return create_app(
        lambda _: Future(),
        lambda *_: Future(),
        lambda: HEALTH,
        Metrics(),
        LimitSettings(),
    )


def test_no_placeholder_is_left() -> None:
    for path in PAGES:
        assert not re.search(r"^[A-Z]{4,}$|TODO|FIXME", path.read_text(), re.MULTILINE), path


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150


@pytest.mark.parametrize("code", wire_errors())
def test_every_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in MQTT
    assert re.search(rf"^\| {STATUS[code].value} \|.*`{code}`", REST, re.MULTILINE), code


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_is_documented(operation: Operation) -> None:
    assert f"| `{operation.value}` |" in MQTT
    assert f"request/{operation.value}" in README


@pytest.mark.parametrize("field", fields(Quality), ids=lambda field: field.name)
def test_every_quality_is_documented(field: Field[object]) -> None:
    assert f"`{field.name}`" in MQTT


@pytest.mark.parametrize("role", FILES)
def test_every_model_is_documented_with_its_digest(role: Role) -> None:
    name, digest = FILES[role]
    assert f"| `{name}` | `{digest}` |" in MODELS


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_every_option_is_documented(option: str) -> None:
    assert f"| `{option}` |" in MQTT


def test_every_topic_is_documented() -> None:
    topics = Topics("<base>")
    for topic in (topics.state, topics.info, topics.frames.replace("+", "<camera>")):
        assert f"`{topic}`" in MQTT
    for topic in ("<base>/<camera>/request/<op>", "<base>/<camera>/request/<op>/<id>"):
        filled = topic.replace("<base>", "facegate").replace("<camera>", "porch").replace("<op>", "detect")
        address = Topics("facegate").read(filled.replace("<id>", "42"))
        assert address is not None
        assert address.fault is None
        assert f"`{topic}`" in MQTT


@pytest.mark.parametrize("rule", list(application().url_map.iter_rules()), ids=str)
def test_every_route_is_documented(rule: object) -> None:
    for method in getattr(rule, "methods", set()) - {"HEAD", "OPTIONS"}:
        if str(rule).startswith("/api/v1/"):
            assert f"`{method} {rule}`" in PEOPLE
        else:
            assert f"`{method} {rule}`" in REST
            assert str(rule) in README


@pytest.mark.parametrize("operation", ACTIONS)
def test_every_action_is_documented_with_its_fields(operation: str) -> None:
    (row,) = re.findall(rf"^\| `{operation}` \|(.*?)\|", PEOPLE, re.MULTILINE)
    fields = {*ACTIONS[operation].needs, *ACTIONS[operation].takes}
    assert set(re.findall(r"`(\w+)`", row)) == fields


@pytest.mark.parametrize("count", COUNTS)
def test_every_count_is_documented(count: str) -> None:
    assert f"| `{count}` |" in REST


def test_every_command_is_documented() -> None:
    assert isinstance(main, Group)
    install = (ROOT / "docs" / "install.md").read_text()
    for name in main.list_commands(Context(main)):
        assert f"facegate {name}" in install


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"
