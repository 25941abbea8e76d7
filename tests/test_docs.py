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
from gateway.people.folder.importer import ImportProgress
from gateway.rest.app import create_app
from gateway.rest.problems import STATUS
from gateway.service.administration import ACTIONS
from gateway.vision.engines.model_files import MODEL_FILES, Role
from tests.support import ROOT

README = "README.md"
MQTT = "docs/reference/mqtt.md"
MODELS = "docs/reference/models.md"
PEOPLE = "docs/reference/people.md"
REST = "docs/reference/rest.md"
INSTALL = "docs/how-to/install.md"

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [
    *ROOT.glob("*.md"),
    *DOCS,
    *ROOT.glob("known_faces/*.md"),
    *ROOT.glob("*/frames/*.md"),
    *ROOT.glob("*/clients/*.md"),
]


def text_of(page: str) -> str:
    """Return the text of a page, which must exist: a page that was moved must not make a test pass on nothing."""
    path = ROOT / page
    assert path in PAGES, f"there is no page {page}: mend its path at the top of this file"
    return path.read_text()


HEALTH = Health(MqttHealth(True, True, True), 1, 1, True, True, ImportProgress())


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


def test_pages_are_found_in_every_folder() -> None:
    assert len(DOCS) >= 9
    assert len(PAGES) >= len(DOCS) + 5


def test_the_readme_is_short() -> None:
    assert len(text_of(README).splitlines()) < 150


@pytest.mark.parametrize("code", wire_errors())
def test_every_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in text_of(MQTT)
    assert re.search(rf"^\| {STATUS[code].value} \|.*`{code}`", text_of(REST), re.MULTILINE), code


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_is_documented(operation: Operation) -> None:
    assert f"| `{operation.value}` |" in text_of(MQTT)
    assert f"request/{operation.value}" in text_of(README)


@pytest.mark.parametrize("field", fields(Quality), ids=lambda field: field.name)
def test_every_quality_is_documented(field: Field[object]) -> None:
    assert f"`{field.name}`" in text_of(MQTT)


@pytest.mark.parametrize("role", MODEL_FILES)
def test_every_model_is_documented_with_its_digest(role: Role) -> None:
    name, digest = MODEL_FILES[role]
    assert f"| `{name}` | `{digest}` |" in text_of(MODELS)


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_every_option_is_documented(option: str) -> None:
    assert f"| `{option}` |" in text_of(MQTT)


def test_every_topic_is_documented() -> None:
    topics = Topics("<base>")
    for topic in (topics.state, topics.info, topics.frames.replace("+", "<camera>")):
        assert f"`{topic}`" in text_of(MQTT)
    for topic in ("<base>/<camera>/request/<op>", "<base>/<camera>/request/<op>/<id>"):
        filled = topic.replace("<base>", "facegate").replace("<camera>", "porch").replace("<op>", "detect")
        address = Topics("facegate").read(filled.replace("<id>", "42"))
        assert address is not None
        assert address.fault is None
        assert f"`{topic}`" in text_of(MQTT)


@pytest.mark.parametrize("rule", list(application().url_map.iter_rules()), ids=str)
def test_every_route_is_documented(rule: object) -> None:
    for method in getattr(rule, "methods", set()) - {"HEAD", "OPTIONS"}:
        if str(rule).startswith("/api/v1/"):
            assert f"`{method} {rule}`" in text_of(PEOPLE)
        else:
            assert f"`{method} {rule}`" in text_of(REST)
            assert str(rule) in text_of(README)


@pytest.mark.parametrize("operation", ACTIONS)
def test_every_action_is_documented_with_its_fields(operation: str) -> None:
    (row,) = re.findall(rf"^\| `{operation}` \|(.*?)\|", text_of(PEOPLE), re.MULTILINE)
    fields = {*ACTIONS[operation].needs, *ACTIONS[operation].takes}
    assert set(re.findall(r"`(\w+)`", row)) == fields


@pytest.mark.parametrize("count", COUNTS)
def test_every_count_is_documented(count: str) -> None:
    assert f"| `{count}` |" in text_of(REST)


def test_every_command_is_documented() -> None:
    assert isinstance(main, Group)
    for name in main.list_commands(Context(main)):
        assert f"facegate {name}" in text_of(INSTALL)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


NAMES_PAGES = [
    path
    for folder in ("gateway", "benchmarks", "device_sim", "config", "tests")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".yaml", ".conf", ".service"} and re.search(r"docs/[\w/-]+\.\w+", path.read_text())
]


@pytest.mark.parametrize("path", NAMES_PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_pages_that_code_and_settings_name_exist(path: Path) -> None:
    for page in re.findall(r"docs/[\w/-]+\.\w+", path.read_text()):
        assert (ROOT / page).is_file(), f"{path.name} names {page}"
