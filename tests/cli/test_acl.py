"""The command ``facegate acl``, which prints the rules for the broker."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from gateway.cli.acl_formats import FORMATS
from gateway.cli.acl_rules import AclRules, Rule
from gateway.cli.main import main
from gateway.config import load
from gateway.contract.operations import ADMINISTRATION
from gateway.model import Caller

Print = Callable[..., Result]

SETTINGS = """
mqtt:
  base: home/faces
  user: the gateway
  response_topics: [answers/]
  users: {phone: client, home: keeper, officer: privacy}
operations: [face_rec]
cameras: {door: {operations: [face_rec, enroll]}, yard: {operations: [detect]}, blind: {operations: []}}
inputs: {topics: [{topic: 'cams/{name}/still', camera: '{name}'}]}
frigate: {house: {url: 'http://frigate:5000', topic_prefix: nvr}}
homeassistant: {prefix: ha}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(SETTINGS)
    return path


@pytest.fixture
def acl(config: Path) -> Print:
    def acl(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["acl", "--config", str(config), *arguments])

    return acl


@pytest.mark.parametrize("login", ["bridge/user/home", "a+b", "bridge"])
def test_login_of_the_gateway_that_is_no_level_of_a_topic_is_refused(config: Path, acl: Print, login: str) -> None:
    config.write_text(SETTINGS.replace("the gateway", login))
    done = acl()
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"mqtt.user: the login {login!r} is no level of a topic" in done.stderr


def sections(text: str) -> dict[str, list[str]]:
    """Return the lines of each login in a file for mosquitto. ``pattern``: those for every login."""
    found: dict[str, list[str]] = {}
    login = "pattern"
    for line in text.splitlines():
        if line.startswith("user "):
            login = line.removeprefix("user ")
        elif line and not line.startswith("#"):
            found.setdefault(login, []).append(line)
    return found


def test_acl_of_mosquitto_follows_the_settings(acl: Print) -> None:
    found = sections(acl().stdout)
    assert found.keys() == {"pattern", "the gateway", "door", "yard", "phone", "home", "officer"}
    assert found["pattern"] == [
        "pattern write home/faces/%u/frame",
        "pattern write home/faces/%u/status",
        "pattern write home/faces/%u/request/face_rec/#",
        "pattern write home/faces/%u/part/+/+/face_rec/#",
        "pattern read home/faces/%u/result",
        "pattern read home/faces/%u/response/#",
        "pattern read home/faces/%u/verdict/#",
    ]
    assert found["door"] == [
        "topic write home/faces/door/request/enroll/#",
        "topic write home/faces/door/part/+/+/enroll/#",
    ]
    assert found["phone"] == ["topic read home/faces/bridge/state", "topic read home/faces/bridge/info"]
    for line in (
        "topic readwrite home/faces/bridge/#",
        "topic read cams/+/still",
        "topic read nvr/events",
        "topic read nvr/stats",
        "topic write answers/#",
        "topic read homeassistant/status",
    ):
        assert line in found["the gateway"]
    assert any(re.fullmatch(r"topic write ha/device/home_faces_[0-9a-f]{6}/#", line) for line in found["the gateway"])


@pytest.mark.parametrize("login", ["home", "officer"])
@pytest.mark.parametrize("export", [False, True])
def test_user_may_publish_the_operations_of_its_role(config: Path, login: str, export: bool) -> None:
    settings = load(config)
    mqtt = settings.mqtt.model_copy(update={"export": export})
    role = mqtt.users[login]
    rules = AclRules(settings.model_copy(update={"mqtt": mqtt})).user(login, role).rules
    root = f"home/faces/bridge/user/{login}/request/"
    commands = {rule.topic.removeprefix(root) for rule in rules if rule.topic.startswith(root)}
    expected = {each for each, spec in ADMINISTRATION.items() if Caller("mqtt", login, role).may(spec.role)}
    assert commands == {each for each in expected if export or not each.endswith("/export")}
    assert all(rule.login == login for rule in rules)
    assert not any("#" in rule.topic or "+" in rule.topic for rule in rules if rule.topic.startswith(root))


@pytest.mark.parametrize("broker", FORMATS)
def test_each_format_has_every_rule_once(acl: Print, config: Path, broker: str) -> None:
    printed = acl("--broker", broker).stdout
    rules: list[Rule] = [rule for group in AclRules(load(config)).all() for rule in group.rules]
    for rule in rules:
        own = {"mosquitto": "%u", "emqx": "${username}", "hivemq": "${{username}}", "table": "<login>"}[broker]
        assert rule.topic.replace("<login>", own) in printed
    marks = {"mosquitto": r"^(topic|pattern) ", "emqx": r"^\{allow, ", "hivemq": "<permission>", "table": r"^.+\thome"}
    found = len(re.findall(marks[broker], printed, re.MULTILINE))
    others = sum(not rule.topic.startswith("home") for rule in rules) if broker == "table" else 0
    assert found == len(rules) - others


def test_acl_of_emqx_ends_with_a_refusal_of_everything_else(acl: Print) -> None:
    lines = acl("--broker", "emqx").stdout.splitlines()
    assert '{allow, all, publish, ["home/faces/${username}/frame"]}.' in lines
    assert '{allow, {user, "the gateway"}, all, ["home/faces/bridge/#"]}.' in lines
    assert lines[-1] == "{deny, all}."


def test_acl_of_hivemq_is_xml_with_a_role_for_each_login(acl: Print) -> None:
    # The command itself wrote this XML.
    roles = ElementTree.fromstring(acl("--broker", "hivemq").stdout)  # noqa: S314
    ids = [each.findtext("id") for each in roles]
    assert ids == ["(every login)", "door", "yard", "the gateway", "phone", "home", "officer"]
    activities = {each.text for each in roles.iter("activity")}
    assert activities == {"PUBLISH", "SUBSCRIBE", "ALL"}


def test_one_user_gets_only_its_own_rules(acl: Print) -> None:
    done = acl("--user", "home")
    assert (list(sections(done.stdout)), done.stderr) == (["home"], "")


@pytest.mark.parametrize("user", ["ann@example.org", "home"])
def test_role_that_the_settings_lack_is_announced(acl: Print, user: str) -> None:
    done = acl("--user", user, "--role", "viewer")
    assert "topic write home/faces/bridge/user/" in done.stdout
    assert done.stderr == f"facegate: add the login to the settings: mqtt: {{users: {{{user}: viewer}}}}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--role", "keeper"], "--role needs --user"),
        (["--user", "mallory"], "mallory is not in mqtt.users: add it there, or give --role"),
        (["--user", "bridge", "--role", "keeper"], "'bridge' is not the login of a user"),
        (["--user", "a/b", "--role", "keeper"], "'a/b' is not the login of a user"),
        (["--user", "a\nuser x", "--role", "keeper"], "is not the login of a user"),
        (["--user", "home", "--role", "camera"], "camera"),
    ],
)
def test_unclear_options_are_refused(acl: Print, arguments: list[str], message: str) -> None:
    done = acl(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
