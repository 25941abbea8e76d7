"""The documentation is held to the code: what exists is documented, and what is linked exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import Field, fields
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Command, Context, Group, Option
from flask import Flask
from pydantic import BaseModel, SecretStr

from device_sim.request import OPERATIONS as SIMULATED_OPERATIONS
from gateway.cli.main import main
from gateway.config import CameraSettings, LimitSettings, Settings
from gateway.config.frigate_section import FrigateSettings
from gateway.config.input_sections import PullInput
from gateway.contract.operations import ADMINISTRATION, least_role
from gateway.contract.schemas import json_schemas
from gateway.contract.verdict import VERDICT_PATTERN
from gateway.errors import GatewayError, StartError, Unavailable, wire_errors
from gateway.metrics import COUNTS, Metrics
from gateway.model import Operation, Quality
from gateway.model.cluster import REPLICA_STATES
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.mqtt.bridge import search_state
from gateway.mqtt.codec.inbound import OPTION_FIELDS
from gateway.mqtt.codec.live_topics import LiveTopics
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery import upload_state
from gateway.mqtt.transport import delivery_state, reconnector
from gateway.rest.app import create_app
from gateway.rest.problems import STATUS
from gateway.vision.engines.model_files import MODEL_FILES, Role
from gateway.workers import pool
from tests.rest.access.examples import local_access
from tests.support import ROOT
from tests.test_architecture import LAYERS, MODULES, tree_of

README = "README.md"
INDEX = "docs/README.md"
GLOSSARY = "docs/glossary.md"
MQTT = "docs/reference/mqtt.md"
REST = "docs/reference/rest.md"
ACCESS = "docs/reference/access.md"
PEOPLE = "docs/reference/people.md"
SIGHTINGS = "docs/reference/sightings.md"
EVENTS = "docs/reference/events.md"
ERRORS = "docs/reference/errors.md"
HEALTH_PAGE = "docs/reference/health.md"
SETTINGS = "docs/reference/settings.md"
COMMANDS = "docs/reference/commands.md"
MODELS = "docs/reference/models.md"
LAYERS_PAGE = "docs/design/layers.md"
STATES = "docs/design/state-machines.md"

SETTINGS_FILE = (ROOT / "config" / "gateway.yaml").read_text()

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [
    *ROOT.glob("*.md"),
    *DOCS,
    *ROOT.glob("known_faces/*.md"),
    *ROOT.glob("*/frames/*.md"),
    *ROOT.glob("*/clients/*.md"),
]


@cache
def text_of(page: str) -> str:
    """Return the text of a page, which must exist: a page that was moved must not make a test pass on nothing."""
    path = ROOT / page
    assert path in PAGES, f"there is no page {page}: mend its path at the top of this file"
    return path.read_text()


OPERATIONS = text_of(REST) + text_of(PEOPLE) + text_of(SIGHTINGS) + text_of(ACCESS)
"""The pages with the tables of operations, their fields and their routes."""


HEALTH = Health(MqttHealth(True, True, True), 1, 1, True, True, ImportProgress())


def application() -> Flask:
    return create_app(
        lambda _: Future(),
        lambda: HEALTH,
        Metrics(),
        LimitSettings(),
        access=local_access(),
    )


def test_no_placeholder_is_left() -> None:
    for path in PAGES:
        assert not re.search(r"^[A-Z]{4,}$|TODO|FIXME", path.read_text(), re.MULTILINE), path


def test_pages_are_found_in_every_folder() -> None:
    for folder, least in {"tutorial": 2, "how-to": 13, "reference": 11, "design": 6}.items():
        assert len([path for path in DOCS if path.parent.name == folder]) >= least, folder
    assert len(PAGES) >= len(DOCS) + 6


def test_the_readme_is_short() -> None:
    assert len(text_of(README).splitlines()) < 150


@pytest.mark.parametrize("code", wire_errors())
def test_every_error_code_is_documented_with_its_http_status(code: str) -> None:
    assert f"| `{code}` | {STATUS[code].value} |" in text_of(ERRORS)


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_is_documented(operation: Operation) -> None:
    assert f"| `{operation.value}` |" in text_of(MQTT)
    assert f"request/{operation.value}" in text_of(README)


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_is_in_the_settings_file_and_in_the_simulator(operation: Operation) -> None:
    (comment,) = re.findall(r"# Operations that every camera may ask for:(.*?)\noperations:", SETTINGS_FILE, re.DOTALL)
    assert re.search(rf"\b{operation.value}\b", comment)
    assert operation.value in SIMULATED_OPERATIONS


def test_verdict_texts_of_the_page_are_those_of_the_schema() -> None:
    _, _, rest = text_of(MQTT).partition("### Verdict texts\n")
    cells = re.findall(r"^\| (`.+?) \|", rest.split("\n##")[0], re.MULTILINE)
    texts = [text.replace("<code>", "bad_image") for cell in cells for text in re.findall(r"`([^`]+)`", cell)]
    assert not [text for text in texts if not re.fullmatch(VERDICT_PATTERN, text)]
    words = {word for text in texts for word in text.split()} - {"barack_obama", "bad_image"}
    assert {word for word in words if word.isidentifier()} == set(re.findall(r"[a-z_]{4,}", VERDICT_PATTERN))


@pytest.mark.parametrize("field", fields(Quality), ids=lambda field: field.name)
def test_every_quality_is_documented(field: Field[object]) -> None:
    assert f"`{field.name}`" in text_of(MQTT)


@pytest.mark.parametrize("role", MODEL_FILES)
def test_every_model_is_documented_with_its_digest(role: Role) -> None:
    file = MODEL_FILES[role]
    assert f"| `{file.name}` | `{file.sha256}` |" in text_of(MODELS)


@pytest.mark.parametrize("option", sorted(OPTION_FIELDS))
def test_every_option_is_documented(option: str) -> None:
    assert f"| `{option}` |" in text_of(MQTT)


def test_every_topic_is_documented() -> None:
    topics = Topics("<base>")
    live = LiveTopics("<base>")
    of_camera = [make("<camera>") for make in (live.event, live.present, live.snapshot, live.state)]
    switches = [live.switch(name) for name in ("<camera>", "bridge")]
    commands = [live.switches.replace("+", name) for name in ("<camera>", "bridge")]
    frames = topics.frames.replace("+", "<camera>")
    for topic in (topics.state, topics.info, frames, *of_camera, *switches, *commands, live.person("<person>")):
        assert f"`{topic}`" in text_of(MQTT)
    for topic in ("<base>/<camera>/request/<op>", "<base>/<camera>/request/<op>/<id>"):
        filled = topic.replace("<base>", "facegate").replace("<camera>", "porch").replace("<op>", "detect")
        address = Topics("facegate").read(filled.replace("<id>", "42"))
        assert address is not None
        assert address.fault is None
        assert f"`{topic}`" in text_of(MQTT)


def test_every_route_is_documented() -> None:
    for rule in application().url_map.iter_rules():
        page = OPERATIONS + text_of(EVENTS) if rule.rule.startswith("/api/v1/") else text_of(REST)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert f"`{method} {rule}`" in page
        assert rule.rule.startswith("/api/v1/") or rule.rule in text_of(README), rule


def test_every_action_is_documented_with_its_fields() -> None:
    for operation, administration in ADMINISTRATION.items():
        rows = re.findall(rf"^\| `{operation}` \|(.*?)\|", OPERATIONS, re.MULTILINE)
        assert len(rows) == 1, f"there are {len(rows)} rows for {operation}"
        assert set(re.findall(r"`(\w+)`", rows[0])) == set(administration.known), operation


def test_every_operation_is_documented_with_its_role() -> None:
    for operation in (*ADMINISTRATION, *(each.value for each in Operation)):
        roles = re.findall(rf"^\| `(\w+)` \| [^|]*\|[^|]*`{operation}`[^|]*\|$", text_of(ACCESS), re.MULTILINE)
        assert roles == [least_role(operation)], operation


def names_in(schema: object) -> Iterator[str]:
    """Return the names of all fields in a JSON Schema."""
    if isinstance(schema, dict):
        properties = schema.get("properties", {})
        yield from properties
        for each in (*properties.values(), *schema.values()):
            yield from names_in(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from names_in(each)


def test_every_field_on_a_wire_is_documented() -> None:
    reference = "".join(path.read_text() for path in DOCS if path.parent.name == "reference")
    for name, schema in json_schemas().items():
        fields = set(names_in(schema))
        missing = {field for field in fields if f"`{field}`" not in reference and f'"{field}"' not in reference}
        assert not missing, f"no page of docs/reference names {missing} of {name}"


@pytest.mark.parametrize("count", COUNTS)
def test_every_count_is_documented(count: str) -> None:
    assert f"| `{count}` |" in text_of(HEALTH_PAGE)


@pytest.mark.parametrize(("state", "meaning"), REPLICA_STATES.items())
def test_every_state_of_a_replica_is_documented(state: str, meaning: str) -> None:
    assert f"| `{state}` | {meaning} |" in text_of(HEALTH_PAGE)


def test_every_exit_code_is_documented() -> None:
    codes = {0, GatewayError.exit_code, StartError.exit_code, Unavailable.exit_code}
    assert set(re.findall(r"^\| (\d+) \|", text_of(HEALTH_PAGE), re.MULTILINE)) == {str(code) for code in codes}


def commands(group: Group, path: tuple[str, ...] = ("facegate",)) -> Iterator[tuple[str, Command]]:
    for name in group.list_commands(Context(group)):
        command = group.get_command(Context(group), name)
        assert command is not None
        if isinstance(command, Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_every_command_is_documented_with_its_options() -> None:
    assert isinstance(main, Group)
    found = dict(commands(main))
    for name, command in found.items():
        rows = re.findall(rf"^\| `{name}` \|(.*?)\|", text_of(COMMANDS), re.MULTILINE)
        assert len(rows) == 1, f"{COMMANDS} has {len(rows)} rows for {name}"
        options = {option for each in command.params if isinstance(each, Option) for option in each.opts}
        assert set(re.findall(r"`([-\w]+)`", rows[0])) == options, name
    assert set(re.findall(r"^\| `(facegate [^`]+)` \|", text_of(COMMANDS), re.MULTILINE)) == set(found)


COMMAND_LINE = re.compile(
    r"^(?:\$ )?(?:sudo )?(?:docker compose exec (?:-\S+ )*(?!-)\S+ )?(?:\S*/)?facegate ([a-z][^|>#&;\n]*)", re.MULTILINE
)
"""A command of Facegate in a block of a page."""


def command_lines(text: str) -> Iterator[str]:
    for block in re.findall(r"^ *```(?:sh|console)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        yield from COMMAND_LINE.findall(re.sub("^ +", "", block.replace("\\\n", ""), flags=re.MULTILINE))


def test_commands_of_the_pages_exist_with_their_options() -> None:
    found = {name: command.params for name, command in commands(main)} if isinstance(main, Group) else {}
    lines = [(path.name, line) for path in PAGES for line in command_lines(path.read_text())]
    assert len(lines) > 50
    for page, line in lines:
        words = line.split()
        name = next((name for n in (3, 2, 1) if (name := " ".join(("facegate", *words[:n]))) in found), None)
        assert name is not None, f"{page} has the command: facegate {line}"
        known = {
            option for each in found[name] if isinstance(each, Option) for option in (*each.opts, *each.secondary_opts)
        }
        given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert given <= known | {"--help"}, f"{page} has unknown options: facegate {line}"


def settings(section: BaseModel, path: str = "") -> Iterator[tuple[str, object]]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from settings(value, f"{path}{name}.")
        # Maps from names to sections of their own.
        elif not (path == "" and name in ("cameras", "frigate")):
            yield f"{path}{name}", value


PULL_INPUT = PullInput.model_construct(url="required")
FRIGATE = FrigateSettings.model_construct(url="required")

ALL_SETTINGS = {
    **dict(settings(Settings())),
    **dict(settings(CameraSettings(), "cameras.<camera>.")),
    **dict(settings(PULL_INPUT, "inputs.pull.<camera>.")),
    **dict(settings(FRIGATE, "frigate.<name>.")),
}


def test_every_setting_is_documented_with_its_default() -> None:
    for name, value in ALL_SETTINGS.items():
        rows = re.findall(rf"^\| `{re.escape(name)}` \| `([^`]*)` \| \S", text_of(SETTINGS), re.MULTILINE)
        assert len(rows) == 1, f"{SETTINGS} has {len(rows)} rows for {name}"
        assert yaml.safe_load(rows[0]) == _plain(value), name


def _plain(value: object) -> object:
    """Return the value of a setting as YAML has it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `([\w.<>]+)` \| `[^`]*` \|", text_of(SETTINGS), re.MULTILINE)) == set(ALL_SETTINGS)


def test_every_package_has_its_purpose() -> None:
    packages = {
        path.stem for path in (ROOT / "gateway").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    documented = set(re.findall(r"^\| `(\w+)` \| \S", text_of(LAYERS_PAGE), re.MULTILINE))
    assert documented == packages - {"__init__", "__main__"}


def test_the_diagram_of_the_layers_is_that_of_the_architecture_test() -> None:
    drawn = [set(names.split(", ")) for names in re.findall(r'\["([^"]+)"\]', text_of(LAYERS_PAGE))]
    assert drawn[::-1] == [found for layer in LAYERS if (found := layer - {"__init__", "__main__"})]


@pytest.mark.parametrize("machine", ["Connection", "Delivery", "Upload", "Duplicate detection", "Worker process"])
def test_every_state_machine_has_a_diagram_and_a_table(machine: str) -> None:
    _, _, rest = text_of(STATES).partition(f"## {machine}\n")
    section = rest.split("\n## ")[0]
    assert "stateDiagram-v2" in section
    assert "| state |" in section


def test_programs_that_a_page_names_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in PAGES:
        text = path.read_text()
        for module in re.findall(r"python -m ((?:benchmarks|device_sim|gateway)[\w.]*)", text):
            name = ROOT / module.rstrip(".").replace(".", "/")
            assert name.with_suffix(".py").exists() or (name / "__main__.py").exists(), f"{path} names {module}"
        assert set(re.findall(r"(?:`|\$ )make ([\w-]+)", text)) <= targets, path


@cache
def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    for path in PAGES:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", path.read_text()):
            page = path.parent / target if target else path
            assert page.exists(), f"{path} links to {target}"
            assert not anchor or anchor in anchors(page.resolve()), f"{path} links to {target}#{anchor}"


def test_files_that_a_page_names_exist() -> None:
    for path in (*DOCS, *ROOT.glob("*.md")):
        for name in re.findall(r"`((?:gateway|tests|docs|config|benchmarks|device_sim)/[\w/.-]*)`", path.read_text()):
            assert (ROOT / name).exists(), f"{path} names {name}"


def test_the_index_lists_every_page() -> None:
    listed = {(ROOT / "docs" / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", text_of(INDEX))}
    assert {path for path in DOCS if path != ROOT / INDEX} <= listed


MACHINES: dict[str, Mapping[Any, Mapping[Any, Enum]]] = {
    "Delivery": delivery_state.TRANSITIONS,
    "Upload": upload_state.TRANSITIONS,
    "Duplicate detection": search_state.TRANSITIONS,
}
"""By the heading of a state machine in the documentation, its table in the code."""


@pytest.mark.parametrize("machine", MACHINES)
def test_the_diagram_and_the_table_of_a_state_machine_are_those_of_the_code(machine: str) -> None:
    _, _, rest = text_of(STATES).partition(f"## {machine}\n")
    section = rest.split("\n## ")[0]
    code = {
        (state.name, event.name, following.name)
        for state, events in MACHINES[machine].items()
        for event, following in events.items()
    }
    drawn = re.findall(r"^ +(\w+) --> (\w+): (\w+)$", section, re.MULTILINE)
    assert {(state, event, following) for state, following, event in drawn} == code
    assert set(re.findall(r"^\| `(\w+)` \| `(\w+)`[^|]* \| `(\w+)` \|", section, re.MULTILINE)) == code
    assert set(re.findall(r"^\| `(\w+)` \| [^|`]+[^|]* \|$", section, re.MULTILINE)) == {
        each.name for each in MACHINES[machine]
    }


DESCRIBED = {"Connection": reconnector, "Worker process": pool}
"""By the heading of a state machine in the documentation, the module whose docstring has its table."""


@pytest.mark.parametrize("machine", DESCRIBED)
def test_the_states_of_a_machine_are_those_that_its_module_describes(machine: str) -> None:
    _, _, rest = text_of(STATES).partition(f"## {machine}\n")
    section = rest.split("\n## ")[0]
    rows = re.findall(r"^\| ([\w, ]+?) +\| [^|]+ \| (\w+)", str(DESCRIBED[machine].__doc__), re.MULTILINE)
    states = {
        state for before, after in rows if before not in ("state", "any") for state in (*before.split(", "), after)
    }
    drawn = re.findall(r"^ +(\w+) --> (\w+)", section, re.MULTILINE)
    assert {state for edge in drawn for state in edge} == states
    table = re.findall(r"^\| ([`\w, ]+) \| [^|]+ \| `(\w+)`", section, re.MULTILINE)
    assert {state for before, after in table for state in (*before.replace("`", "").split(", "), after)} == states


PRIVATE_WORDS = [
    r"canar(y|ies)",
    r"lookouts?",
    r"spools?",
    r"breakers?",
    r"the seed",
    r"(MQTT|REST|either|every|both|which|any|other) doors?",
    r"rooms? of (its|their) own",
    r"way of a (frame|message)",
    r"anew",
    r"whoever",
    r"whence",
    r"thereof",
]
"""Words of the project's beginnings that puzzle a reader. In code, as `bridge/canary`, they are names on a wire."""

WORDED = [*PAGES, ROOT / "config" / "gateway.yaml"]


def prose(path: Path) -> str:
    """Return the text of a page without code."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL)


def test_no_private_word_is_left() -> None:
    for path in WORDED:
        found = [word for word in PRIVATE_WORDS if re.search(rf"\b{word}\b", prose(path), re.IGNORECASE)]
        assert not found, f"{path} has {found}: docs/glossary.md has the plain words"


def test_no_sentence_begins_with_a_headless_subject() -> None:
    for path in WORDED:
        sentences = re.findall(
            r"(?:^|[.:] )((?:What|Who|Whoever|Whether|Of what) [^.?!\n|]*[.?!\n|])", prose(path), re.MULTILINE
        )
        assert not [sentence for sentence in sentences if not sentence.endswith("?")], path


def test_every_class_of_the_glossary_exists() -> None:
    source = "".join(path.read_text() for path in sorted((ROOT / "gateway").rglob("*.py")))
    named = re.findall(r"^\| [^|]+ \| [^|]+ \| `(\w+)` \|$", text_of(GLOSSARY), re.MULTILINE)
    assert len(named) >= 10
    for name in named:
        assert re.search(rf"^(class {name}\b|def {name}\(|{name} = )", source, re.MULTILINE), name


def test_pages_that_code_and_settings_name_exist() -> None:
    for folder in ("gateway", "benchmarks", "device_sim", "config", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".yaml", ".conf", ".service"}:
                for page in re.findall(r"docs/[\w/-]+\.\w+", path.read_text()):
                    assert (ROOT / page).is_file(), f"{path} names {page}"


def template(string: ast.Constant | ast.JoinedStr) -> tuple[str, ...] | None:
    """Return the fixed pieces of the texts that a string of the code makes, or None if they are too short."""
    parts = string.values if isinstance(string, ast.JoinedStr) else [string]
    texts = [str(part.value) if isinstance(part, ast.Constant) else "%s" for part in parts]
    pieces = re.split(r"%[.\d]*[sdf]", "".join(texts))
    return tuple(pieces) if len("".join(pieces)) >= 10 else None


def printed_templates() -> set[tuple[str, ...]]:
    """Return the pieces of all strings in the gateway."""
    trees = map(tree_of, MODULES)
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant | ast.JoinedStr)]
    return {
        found
        for node in nodes
        if not isinstance(node, ast.Constant) or isinstance(node.value, str)
        if (found := template(node))
    }


def quoted_lines(text: str) -> Iterator[str]:
    """Return the lines that a page quotes from the output of the commands, if they have words of the code."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        command = ""
        for line in map(str.strip, block.splitlines()):
            command = line if line.startswith("$ ") else command
            own_words = line and line != command and not re.search(r"\), \d+ pictures?$", line)
            if own_words and "facegate people" in command:
                yield re.sub(r" \[y/N\]: \w$", "", line)
            elif logged := re.fullmatch(r"\S+ \S+ [A-Z]+ +gateway[.\w]+: (.+)", line):
                yield logged[1]
    for texts in re.findall(r'(?:"error"|"status":\d+,"detail"|"warnings"|"skipped"):\s?\[?("[^\]}]+)', text):
        # Of a skipped file the path comes first. An ellipsis stands for a part that is left out.
        yield from (line.split(".jpg: ")[-1] for line in re.findall(r'^"([^"…]+)"', texts))


QUOTED_LINES = [(path.name, line) for path in DOCS for line in quoted_lines(path.read_text())]


def test_pages_quote_lines_of_the_output() -> None:
    assert len(QUOTED_LINES) >= 15
    assert any(line.startswith("Erase ") for _, line in QUOTED_LINES)


def test_quoted_prompts_and_printed_lines_are_those_of_the_code() -> None:
    templates = printed_templates()
    assert not [(page, line) for page, line in QUOTED_LINES if not any(makes(each, line) for each in templates)]


def makes(pieces: tuple[str, ...], line: str) -> bool:
    # A pattern takes a millisecond to compile, and there are thousands of strings.
    if not all(piece in line for piece in pieces):
        return False
    return re.fullmatch(".+".join(map(re.escape, pieces)), line, re.DOTALL) is not None
